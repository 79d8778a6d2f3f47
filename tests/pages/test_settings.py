"""docs/settings.md names every variable and every setting that the code reads, and no other; the defaults are true."""

import ast
import re

import pytest

from hubcore import config
from hubcore.testing import run_python
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "settings.md").read_text()
ROWS = [re.split(r"\s*\|\s*", row.strip("| ")) for row in re.findall(r"^\| `.*$", PAGE, re.MULTILINE)]
VARIABLE = re.compile(r"(?:HUB|HUBCORE)_[A-Z][A-Z_]*")
NO_VARIABLES = {"HUBCORE_SERVE_"}  # the prefix of many
READ_LATER = {"backend": ("libuv", "libuv"), "resolver": ("block", "hubcore.resolver.blocking")}


def read_by_the_code():
    """The variables that stand as a whole string in a source: how else could a program read one?"""
    found = set()
    for path in [*sorted((ROOT / "hubcore").rglob("*.py")), ROOT / "setup.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value):
                found.add(node.value)
    return found - NO_VARIABLES


def test_the_page_has_every_variable_and_no_other():
    named = {row[0].strip("`") for row in ROWS}
    assert "HUBCORE_SERVE_*" in named
    assert named - {"HUBCORE_SERVE_*"} == read_by_the_code()


def test_the_page_has_every_name_of_config_and_no_other():
    tree = ast.parse((ROOT / "hubcore" / "config.py").read_text())
    names = {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    rows = [row for row in ROWS if len(row) == 4]
    assert {row[1].strip("`") for row in rows} == names


@pytest.mark.parametrize("row", [row for row in ROWS if len(row) == 4], ids=lambda row: row[1])
def test_a_default_is_the_one_of_the_code(row):
    name, default = row[1].strip("`"), row[2].strip("`")
    value = run_python(f"from hubcore import config\nprint(repr(config.{name}))").stdout.strip()
    expected = {"off": ("False", "None"), "on": ("True",), "none": ("()",)}.get(default)
    if expected is not None:
        assert value in expected
    elif re.fullmatch(r"[\d.]+", default):
        assert float(value) == float(default)
    else:
        assert value == "None"  # the text says what happens then


@pytest.mark.parametrize("row", [row for row in ROWS if len(row) == 4], ids=lambda row: row[0])
def test_a_variable_sets_the_name_beside_it(row):
    variable, name = row[0].strip("`"), row[1].strip("`")
    before = getattr(config, name)
    if name in READ_LATER:  # config stays None
        value, shown = READ_LATER[name]
        code = "import hubcore\nhub = hubcore.get_hub()\nprint(hub.backend, type(hub.resolver).__module__)"
        assert shown in run_python(code, env={variable: value}).stdout.split()
        return
    value = {"fileobject": "block", "native_threads": "a.b"}.get(name) or ("0" if before is True else "1")
    code = f"from hubcore import config\nprint(repr(config.{name}))"
    assert run_python(code, env={variable: value}).stdout.strip() != repr(before)
