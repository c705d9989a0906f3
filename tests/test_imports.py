"""Which file must never import which: the house rules that keep window, models and loops apart."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = {  # what both window and models may know
    "core.allocation",
    "core.archive",
    "core.arranging",
    "core.conversion",
    "core.encodings",
    "core.errors",
    "core.files",
    "core.header",
    "core.labelmap",
    "core.matching",
    "core.openraster",
    "core.painting",
    "core.palette",
    "core.picture",
    "core.placing",
    "core.png_chunks",
    "core.recognition",
    "core.regions",
    "core.repaint",
    "core.request",
    "core.run_status",
    "core.shapes",
    "core.style",
    "core.terms",
    "core.words",
}
PURE = ("schedule", "sampling", "guidance", "inpainting", "harmony")  # they see a callable


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = (path for top in ("core", "app") for path in sorted((ROOT / top).rglob("*.py")))
FILES = {module_name(path): path for path in PATHS}


def imports(source: str, module: str) -> set[str]:
    """Dotted names that `source` imports, also inside functions; `a.b` for `from a import b`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def offenders(module: str, *packages: str) -> list[str]:
    names = imports(FILES[module].read_text(encoding="utf-8"), module)
    return sorted(n for n in names if any(is_in(n, package) for package in packages))


def reachable(module: str) -> set[str]:
    """`module` and all of ours that it imports, however far away."""
    seen, todo = set(), [module]
    while todo:
        name = todo.pop()
        if name in FILES and name not in seen:
            seen.add(name)
            todo += imports(FILES[name].read_text(encoding="utf-8"), name)
    return seen


def modules_in(package: str) -> list[str]:
    return [name for name in FILES if is_in(name, package)]


def test_every_way_of_importing_is_seen():
    """Plain, from-, relative and late imports all count."""
    source = "import torch.nn\nfrom core import engine\ndef f():\n  from .panels import tools\n"
    seen = imports(source, "app.studio")
    assert {"torch.nn", "core.engine", "app.panels.tools"} <= seen


@pytest.mark.parametrize("module", modules_in("core"))
def test_core_knows_no_window(module):
    """Models run on a server without Qt."""
    assert offenders(module, "PySide6", "shiboken6", "app") == []


@pytest.mark.parametrize("module", sorted(SHARED))
def test_what_the_window_imports_is_free_of_torch(module):
    """torch takes seconds to import: not even a module further on may bring it in."""
    assert [name for name in reachable(module) if offenders(name, "torch")] == []


@pytest.mark.parametrize("module", modules_in("app"))
def test_the_window_knows_requests_and_no_models(module):
    """An engine arrives as a function; torch is never in sight."""
    assert offenders(module, "torch") == []
    ours = [name for name in offenders(module, "core") if name != "core"]
    assert [name for name in ours if not any(is_in(name, allowed) for allowed in SHARED)] == []


@pytest.mark.parametrize("module", [f"core.{n}" for n in PURE if f"core.{n}" in FILES])
def test_the_sampling_loop_knows_no_network(module):
    """Samplers, guidance and inpainting work on any callable `denoise(x, t)`."""
    assert offenders(module, "core.model") == []


def test_training_does_not_sample():
    """The loss is learned without the loop that draws pictures."""
    assert offenders("core.training", "core.sampling", "core.engine") == []


@pytest.mark.parametrize("module", [m for m in modules_in("app.panels") if m != "app.panels"])
def test_a_panel_knows_no_other_panel(module):
    """Panels meet only in the main window."""
    assert [n for n in offenders(module, "app.panels") if n not in ("app.panels", module)] == []


def run_python(code: str, folder: Path) -> str:
    """What `code` prints in a fresh interpreter that starts in the empty `folder`."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "QT_QPA_PLATFORM": "offscreen",
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_shared_modules_leave_torch_out(tmp_path):
    """What the rules say of the source holds in the interpreter."""
    code = f"import sys, {', '.join(sorted(SHARED))}; print('torch' in sys.modules)"
    assert run_python(code, tmp_path) == "False"


def test_an_import_does_no_work(tmp_path):
    """Importing everything starts no thread, makes no application and writes no file."""
    code = f"""
import importlib, sys, threading
for name in {sorted(FILES)}:
    importlib.import_module(name)
qt = sys.modules.get("PySide6.QtCore")
print(threading.active_count(), qt.QCoreApplication.instance() if qt else None)
"""
    assert run_python(code, tmp_path) == "1 None"
    assert list(tmp_path.iterdir()) == []
