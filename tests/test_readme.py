"""What the README promises is what is run."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_ci_runs_the_readme_s_own_test_command():
    """The last line of .ci/run stands in the README as it is."""
    command = (ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert command in (ROOT / "README.md").read_text().splitlines()


def test_files_that_the_readme_names_exist():
    """Every relative link leads somewhere."""
    text = (ROOT / "README.md").read_text()
    links = [part.split(")")[0] for part in text.split("](")[1:]]
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_upper_bound_of_torch_is_kept():
    """Without it pip on Linux would fetch gigabytes of CUDA over an installed CPU build."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [torch] = [d for d in project["dependencies"] if d.startswith("torch")]
    assert "<=" in torch
