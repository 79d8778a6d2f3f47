"""The typed sample program runs, and an editor knows what it makes. mypy and pyright check it in `make lint`."""

from pathlib import Path

import pytest

from hubcore.testing import run_python

SAMPLE = Path(__file__).with_name("sample.py")


def test_the_typed_program_runs(hub_backend: str) -> None:
    assert run_python(SAMPLE.read_text(), hub_backend).stdout == "done\n"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import hubcore\ndef f(): return 1\nhubcore.spawn(f).", {"get", "join", "kill", "link", "value", "ready"}),
        ("import hubcore\ndef f(): return 1\ng = hubcore.spawn(f)\ng.ge", {"get"}),
        ("import hubcore\nhubcore.spawn_", {"spawn_later", "spawn_raw"}),
        ("from hubcore.queue import Queue\nQueue().", {"get", "put", "join", "task_done"}),
        ("import hubcore\nwith hubcore.TaskGroup() as group:\n    group.", {"spawn", "start", "cancel_scope"}),
        ("import hubcore\nwith hubcore.TaskGroup() as group:\n    group.spawn(print).", {"get", "join"}),
    ],
)
def test_an_editor_completes(program: str, expected: set[str]) -> None:
    jedi = pytest.importorskip("jedi")
    lines = program.split("\n")
    found = {each.name for each in jedi.Script(program).complete(len(lines), len(lines[-1]))}
    assert expected <= found


def test_an_editor_shows_how_a_function_is_called() -> None:
    jedi = pytest.importorskip("jedi")
    (shown,) = jedi.Script("import hubcore\nhubcore.spawn(").get_signatures(2, len("hubcore.spawn("))
    assert [parameter.name for parameter in shown.params] == ["function", "args", "kwargs"]
