"""The pages for users of gevent and eventlet: each name of hubcore in a table exists."""

import importlib
import re

import pytest

from tests.support.paths import ROOT


def names(page):
    rows = re.findall(r"^\|.*\|$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    return sorted({name for row in rows for name in re.findall(r"`(hubcore(?:\.\w+)+)`", row)})


def resolve(name):
    """The object of a dotted name: a module as far as one can be imported, then attributes."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError as error:
            if not name.startswith(str(error.name)):
                raise
            continue
        for part in parts[end:]:
            thing = getattr(thing, part)
        return thing
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize("page", ["from-gevent.md", "from-eventlet.md"])
def test_the_page_has_a_table_of_names(page):
    assert len(names(page)) > 20


@pytest.mark.parametrize("name", sorted({*names("from-gevent.md"), *names("from-eventlet.md")}))
def test_a_name_exists(name):
    if name.startswith("hubcore.pywsgi"):
        pytest.importorskip("httptools")
    resolve(name)
