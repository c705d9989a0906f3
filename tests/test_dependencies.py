"""What the program needs is bounded, reasoned, listed, and its licences are known."""

import json
import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from docs.make_sbom import LICENCES, PROGRAM, ROOT, SBOM, licence_of, parts, project, sbom

ABOUT = project()
EXTRAS = ABOUT["optional-dependencies"]
ALL = [*ABOUT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]
STRONG = re.compile(r"(^|\W)(A?GPL)-")  # a licence that would become ours; the LGPL does not


@pytest.mark.parametrize("line", ALL)
def test_every_dependency_has_both_bounds(line):
    """Nothing is taken in a version that nobody ever ran."""
    signs = {one.operator for one in Requirement(line).specifier}
    assert "==" in signs or (">=" in signs and signs & {"<", "<="})


@pytest.mark.parametrize("line", ALL)
def test_every_dependency_has_its_reason_beside_it(line):
    """A comment behind it, or on one of the two lines above."""
    lines = (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
    place = next(n for n, text in enumerate(lines) if f'"{line}"' in text)
    assert any("#" in text for text in lines[place - 2 : place + 1])


def listed() -> dict[str, dict]:
    found = json.loads(SBOM.read_text("utf-8"))["components"]
    return {canonicalize_name(one["name"]): one for one in found}


def test_the_bill_of_materials_names_every_dependency():
    """CycloneDX, with versions within the bounds and licences, for all that the program needs."""
    components = listed()
    for line in ALL:
        assert canonicalize_name(Requirement(line).name) in components
    for line in ABOUT["dependencies"]:
        wanted = Requirement(line)
        one = components[canonicalize_name(wanted.name)]
        assert wanted.specifier.contains(one["version"]) and one["licenses"]
        assert one["scope"] == "required"


def test_the_bill_of_materials_is_well_formed():
    """Every reference leads to a component."""
    bill = json.loads(SBOM.read_text("utf-8"))
    refs = {one["bom-ref"] for one in bill["components"]}
    refs.add(bill["metadata"]["component"]["bom-ref"])
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    for entry in bill["dependencies"]:
        assert entry["ref"] in refs and set(entry["dependsOn"]) <= refs
    assert len(refs) == len(bill["components"]) + 1


def test_no_licence_binds_the_program():
    """What the program needs is under licences that leave it its own."""
    for one in listed().values():
        for told in one.get("licenses", []):
            choices = told["expression"].split(" OR ")
            assert any(not STRONG.search(choice) for choice in choices), one["name"]


def test_the_list_of_licences_is_the_bill_of_materials():
    """Both files were made by one run of the command."""
    text = LICENCES.read_text("utf-8")
    for one in listed().values():
        assert f"| {one['name']} | {one.get('version', '–')} |" in text


def test_the_command_finds_what_is_installed():
    """The present installation has all that the program needs, with its licences."""
    found = [part for part in parts(ABOUT) if PROGRAM in part.users]
    assert {"torch", "numpy", "shiboken6"} <= {part.name.lower() for part in found}
    assert all(part.version and part.licence != "not told" for part in found)
    assert len(sbom(ABOUT, found)["components"]) == len(found)


class Metadata(dict):
    def get_all(self, name):
        return [self[name]] if name in self else []


@pytest.mark.parametrize(
    "told, licence",
    [
        ({"License-Expression": "MIT AND Zlib"}, "MIT AND Zlib"),
        ({"License": "LGPL-3.0-only OR GPL-2.0-only"}, "LGPL-3.0-only OR GPL-2.0-only"),
        ({"License": "Apache 2.0"}, "Apache-2.0"),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({"License": "a page of text\nand more"}, "not told"),
    ],
)
def test_licences_are_read_in_every_form(told, licence):
    """New metadata, old texts and classifiers; nothing is guessed."""
    assert licence_of(Metadata(told)) == licence
