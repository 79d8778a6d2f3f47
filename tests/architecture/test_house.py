"""The contributors' pages are true: each folder is on docs/architecture.md, each path that a page names exists."""

import re

import pytest

from tests.support.paths import ROOT

PACKAGE = ROOT / "hubcore"
PAGES = ["docs/architecture.md", "docs/design.md", "CONTRIBUTING.md", "SECURITY.md"]
PATH = re.compile(r"`((?:[\w.]+/)*[\w.]+(?:/|\.(?:py|pxd|md|toml)))`")
# Where the tests of a private folder are, if not in the folder of the same name.
TESTED_BY = {"_base": "core", "_capi": "core", "_watchers": "loop", "_debug": "diagnostics", "_gevent": "dropin"}


def folders():
    found = (path for path in PACKAGE.rglob("*") if path.is_dir() and list(path.glob("*.py")))
    return sorted(path.relative_to(PACKAGE).as_posix() for path in found)


def test_every_folder_is_on_the_page():
    page = (ROOT / "docs/architecture.md").read_text()
    table = re.findall(r"^\| `([\w/]+)/` \|", page, re.M)
    assert sorted(table) == [name for name in folders() if name != "testing/conformance"]


@pytest.mark.parametrize("name", PAGES)
def test_every_path_on_a_page_exists(name):
    text = (ROOT / name).read_text()
    named = set(PATH.findall(text))
    # A bare file name in the table of folders is relative to the folder of its row.
    rows = dict(re.findall(r"^\| `([\w/]+)/` \|(.*)$", text, re.M))
    lost = []
    for path in sorted(named):
        places = [ROOT / path, PACKAGE / path, ROOT / "docs" / path]
        places += [PACKAGE / folder / path for folder, row in rows.items() if f"`{path}`" in row]
        if not any(place.exists() for place in places):
            lost.append(path)
    assert lost == []


def test_every_private_folder_has_a_folder_of_tests():
    private = [name for name in folders() if name.startswith("_") and "/" not in name]
    lost = [name for name in private if not (ROOT / "tests" / TESTED_BY.get(name, name[1:])).is_dir()]
    assert lost == []


def test_every_test_is_in_a_folder_and_no_two_have_one_name():
    paths = [path for path in (ROOT / "tests").rglob("test_*.py") if "data" not in path.parts]
    assert [path.name for path in paths if path.parent == ROOT / "tests"] == []
    assert len({path.name for path in paths}) == len(paths)
