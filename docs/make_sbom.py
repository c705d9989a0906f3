"""`python -m docs.make_sbom`: what the program is made of, and under which licences.

Writes docs/sbom.cdx.json (CycloneDX 1.6) and docs/licences.md from pyproject.toml and from the
metadata of what is installed here: the dependencies, those of theirs, and each extra's. What is not
installed is listed without a version. Needs `packaging`, which comes with pytest.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SBOM, LICENCES = ROOT / "docs" / "sbom.cdx.json", ROOT / "docs" / "licences.md"
PROGRAM = "the program"

# What the free texts of old metadata mean, as SPDX.
SPDX = {
    "mit": "MIT",
    "mit license": "MIT",
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
}
INTRODUCTION = """# Licences

What SDM Studio needs, what that needs, and what each extra brings. None of it is part of this
repository: pip installs it, unchanged. Made by `python -m docs.make_sbom`, from the metadata of the
packages; the same as CycloneDX is [sbom.cdx.json](sbom.cdx.json). SDM Studio itself is under the
MIT licence.

PySide6 and shiboken6 are used under the LGPL 3: they are libraries of their own in the
installation, and anybody can put another version in their place.
"""


@dataclass(frozen=True)
class Part:
    """One package. version: "" where it is not installed. users: what brings it in."""

    name: str
    version: str
    licence: str
    needs: tuple[str, ...]
    users: tuple[str, ...]

    @property
    def ref(self) -> str:
        """Its package URL."""
        name = canonicalize_name(self.name)
        return f"pkg:pypi/{name}@{self.version}" if self.version else f"pkg:pypi/{name}"


def project() -> dict:
    """The [project] table of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def parts(about: Mapping) -> list[Part]:
    """All packages, by name: of the program and of each extra, with what they need."""
    roots = {PROGRAM: about["dependencies"], **about["optional-dependencies"]}
    users: dict[str, list[str]] = {}
    for user, lines in roots.items():
        for name in _closure(lines):
            users.setdefault(name, []).append(user)
    return [_part(name, tuple(users[name])) for name in sorted(users)]


def _closure(lines: list[str]) -> set[str]:
    found: set[str] = set()
    waiting = [Requirement(line) for line in lines]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name not in found:
            found.add(name)
            waiting += _needs(name)
    return found


def _needs(name: str) -> Iterator[Requirement]:
    """What an installed package requires on this system, without its own extras."""
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:
        return
    for line in lines:
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            yield wanted


def _part(name: str, users: tuple[str, ...]) -> Part:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return Part(name, "", "", (), users)
    needs = tuple(sorted({canonicalize_name(wanted.name) for wanted in _needs(name)}))
    version = found.version.partition("+")[0]  # of which build is the machine's business
    return Part(found.metadata["Name"], version, licence_of(found.metadata), needs, users)


def licence_of(metadata: Mapping) -> str:
    """As SPDX, where the metadata tells: its expression, its free text, or its classifier."""
    expression = metadata.get("License-Expression")
    if expression:
        return expression
    free = (metadata.get("License") or "").strip()
    if re.fullmatch(r"[\w.-]+( (AND|OR|WITH) [\w.-]+)+", free):
        return free
    classifiers = metadata.get_all("Classifier") or []
    ends = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: OSI")]
    return next((SPDX[one.lower()] for one in (free, *ends) if one.lower() in SPDX), "not told")


def sbom(about: Mapping, found: list[Part]) -> dict:
    """The bill of materials as CycloneDX."""
    refs = {canonicalize_name(part.name): part.ref for part in found}
    own = f"pkg:pypi/{about['name']}@{about['version']}"
    direct = [canonicalize_name(Requirement(line).name) for line in about["dependencies"]]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": about["name"],
                "version": about["version"],
                "licenses": [{"expression": about["license"]}],
            }
        },
        "components": [_component(part) for part in found],
        "dependencies": [
            {"ref": own, "dependsOn": sorted(refs[name] for name in direct)},
            *(
                {"ref": part.ref, "dependsOn": [refs[n] for n in part.needs if n in refs]}
                for part in found
            ),
        ],
    }


def _component(part: Part) -> dict:
    told = part.licence not in ("", "not told")
    return {
        "type": "library",
        "bom-ref": part.ref,
        "name": part.name,
        **({"version": part.version} if part.version else {}),
        "scope": "required" if PROGRAM in part.users else "optional",
        **({"licenses": [{"expression": part.licence}]} if told else {}),
        "purl": part.ref,
    }


def table(found: list[Part]) -> str:
    """docs/licences.md."""
    rows = [
        f"| {part.name} | {part.version or '–'} | {part.licence or 'not installed here'} | "
        f"{', '.join(part.users)} |"
        for part in sorted(found, key=lambda part: (PROGRAM not in part.users, part.name.lower()))
    ]
    head = ["| package | version | licence | for |", "|---|---|---|---|"]
    return "\n".join([INTRODUCTION, *head, *rows, ""])


def main() -> None:
    """Write both files."""
    about = project()
    found = parts(about)
    SBOM.write_text(json.dumps(sbom(about, found), indent=1) + "\n", "utf-8")
    LICENCES.write_text(table(found), "utf-8")


if __name__ == "__main__":
    main()
