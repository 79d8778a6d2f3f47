"""What README.md names exists; tests/pages runs the programs in it and in docs/."""

import re

import hubcore
from hubcore import cli
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text()


def test_what_it_names_is_there():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in re.findall(r"`make ([a-z-]+)`", README):
        assert command in targets
    paths = re.findall(r"\]\(([^):]+)\)", README) + re.findall(r'src="([^"]+)"', README)
    assert len(paths) > 20
    for path in paths:
        assert (ROOT / path).exists(), path
    assert (ROOT / "hubcore/backends/select_.py").exists()
    assert f"## {hubcore.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_commands_in_its_table_are_all_that_there_are():
    (table,) = re.findall(r"## The command\n\n```text\n(.*?)```", README, re.DOTALL)
    named = [line.split()[1] for line in table.splitlines()]
    (actions,) = (action for action in cli.parser()._actions if action.dest == "command")
    assert sorted(named) == sorted(actions.choices)


def test_it_begins_with_an_unmodified_program_on_one_screen():
    screen = "\n".join(README.splitlines()[:30])
    (program,) = re.findall(r"```python\n(.*?)```", screen, re.DOTALL)
    assert "import requests" in program
    assert "hubcore" not in program
    assert "hubcore run" in screen
