"""The typed sample program runs, and an editor knows what it makes. mypy and pyright check it in `make lint`."""

from pathlib import Path

import pytest

from hubcore.testing import run_python

SAMPLE = Path(__file__).with_name("sample.py")


def test_the_typed_program_runs(hub_backend: str) -> None:
    assert run_python(SAMPLE.read_text(), hub_backend).stdout == "done\n"


def in_editor(program: str, what: str) -> set[str]:
    """What jedi, with which IPython and many editors complete, answers at the end of `program`.

    In a child: jedi keeps a process and a thread of its own.
    """
    pytest.importorskip("jedi")
    lines = program.split("\n")
    code = f"import jedi\nscript = jedi.Script({program!r})\nat = {len(lines)}, {len(lines[-1])}\nprint(*{what})"
    return set(run_python(code).stdout.split())


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import hubcore\ndef f(): return 1\nhubcore.spawn(f).", {"get", "join", "kill", "link", "value", "ready"}),
        ("import hubcore\ndef f(): return 1\ng = hubcore.spawn(f)\ng.ge", {"get"}),
        ("import hubcore\nhubcore.spawn_", {"spawn_later", "spawn_raw"}),
        ("import hubcore\nhubcore.get_hub().", {"loop", "run", "threadpool"}),
        ("from hubcore.queue import Queue\nQueue().", {"get", "put", "join", "task_done"}),
        ("import hubcore\ngroup = hubcore.TaskGroup()\ngroup.", {"spawn", "start", "cancel_scope"}),
    ],
)
def test_an_editor_completes(program: str, expected: set[str]) -> None:
    assert expected <= in_editor(program, "[each.name for each in script.complete(*at)]")


def test_an_editor_shows_how_a_function_is_called() -> None:
    shown = in_editor("import hubcore\nhubcore.spawn(", "[each.name for each in script.get_signatures(*at)[0].params]")
    assert shown == {"function", "args", "kwargs"}
