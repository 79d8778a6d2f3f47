"""docs/write-a-backend.md: each of its commands passes on the code that stands above it, and not before."""

import os
import re
import shlex
import subprocess
import sys

import pytest

from tests.support.example_backend import PAGE, blocks, source
from tests.support.paths import ROOT

PARTS = blocks(PAGE.read_text())
COMMANDS = [number for number, (kind, _) in enumerate(PARTS) if kind == "console"]

pytestmark = pytest.mark.hang_after(150)


def run(folder, parts, command, hang_after):
    """What one of the page's commands says of `mybackend.py`, made of the code blocks among `parts`."""
    (folder / "mybackend.py").write_text(source(parts))
    python, *arguments = shlex.split(command)
    assert (python, *arguments[:2]) == ("python", "-m", "pytest")
    # The plugin by name: hubcore's entry points may not be installed here.
    arguments[2:2] = ["-q", "-p", "hubcore.testing.plugin", "-p", "no:cacheprovider", "-W", "error"]
    arguments += [f"--hub-hang-after={hang_after}"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_page_has_four_commands_and_the_last_one_runs_the_whole_suite():
    assert len(COMMANDS) == 4
    assert " -k " not in PARTS[COMMANDS[-1]][1]


@pytest.mark.parametrize("number", COMMANDS)
def test_each_command_of_the_page_passes_on_the_code_above_it(tmp_path, number):
    done = run(tmp_path, PARTS[:number], PARTS[number][1], 50)
    assert done.returncode == 0, done.stdout + done.stderr
    if number == COMMANDS[-1]:
        assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 120
        assert "skipped" not in done.stdout


@pytest.mark.parametrize("number", COMMANDS[1:])
def test_a_command_does_not_pass_without_the_step_before_it(tmp_path, number):
    done = run(tmp_path, PARTS[: number - 1], PARTS[number][1] + " -x", 2)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "has no " in done.stdout, "the loop says which method is missing"


def test_every_method_that_a_backend_has_to_provide_is_in_the_pages_table():
    import inspect

    from hubcore.loop import Loop
    from hubcore.watchers import FdWatch

    named = set(re.findall(r"^\| `(\w+)\(", PAGE.read_text(), re.MULTILINE))
    missing = set()
    for base, arguments in (
        (Loop(), {"poll": (0.0,), "make_fd_watch": (0,)}),
        (FdWatch(Loop(), 0), {"set_mask": (1,)}),
    ):
        for name, method in inspect.getmembers(type(base), callable):
            if name in {"poll", "wake", "make_fd_watch", "reinit", "release", "set_mask"}:
                with pytest.raises(NotImplementedError):
                    method(base, *arguments.get(name, ()))
                missing.add(name)
    assert named == missing | {"clock"}
