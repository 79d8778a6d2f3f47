"""The version stands in one place; the changelog begins with it, and the metadata are fit for an index."""

import re
import tomllib

import hubcore
from tests.support.paths import ROOT

HEADINGS = re.findall(r"^## (\S+?),? .*$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_changelog_begins_with_this_version():
    assert HEADINGS[0] == hubcore.__version__
    assert len(HEADINGS) == len(set(HEADINGS))


def test_the_version_as_numbers_is_the_version():
    assert ".".join(map(str, hubcore.version_info[:3])) == hubcore.__version__
    assert hubcore.version_info[3:] == ("final", 0)


def test_every_python_that_is_supported_has_a_classifier():
    named = {name.rpartition(" ")[2] for name in PROJECT["classifiers"] if "Python :: 3." in name}
    assert named == {f"3.{minor}" for minor in range(11, 16)}
    assert PROJECT["requires-python"] == ">=3.11"
