"""A program that runs in a process of its own while a test looks at it from outside."""

import os
import subprocess
import sys
from contextlib import contextmanager


@contextmanager
def running(code, backend, env=None, say="ready"):
    """A process that runs `code`, once it has printed `ready`. It ends when its stdin is closed."""
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HUB_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path), **(env or {})},
    )
    try:
        assert child.stdout.readline() == f"{say}\n"
        yield child
    finally:
        child.kill()
        child.communicate()
