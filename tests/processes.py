"""Run a program in a fresh Python process, on a chosen backend."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def environment(backend=None, **variables):
    """This process's environment without hubcore's variables, with `backend` chosen and `variables` set."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "HUBCORE_"))}
    env["PYTHONPATH"] = str(ROOT)
    if backend is not None:
        env["HUB_BACKEND"] = backend
    return env | variables


def python(code, backend=None, *, timeout=30, **variables):
    """Run `code` and wait for its end; the finished process, with its stdout and stderr as text."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment(backend, **variables),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def output(code, backend=None, *, timeout=30, **variables):
    """What `code` prints; it must end with status 0 and say nothing on stderr."""
    done = python(code, backend, timeout=timeout, **variables)
    assert (done.returncode, done.stderr) == (0, ""), f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
