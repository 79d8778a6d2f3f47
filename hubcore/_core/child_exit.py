"""The end of a forked child process, if a greenlet has forked it."""

from __future__ import annotations

import os
import sys


def exit_status(error: BaseException) -> int:
    """Return the exit status that Python gives a program that ends with `error`; print the message of a SystemExit."""
    if not isinstance(error, SystemExit):
        return 1
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def end_child(status: int) -> None:
    """End the child process: the greenlet that forked has ended, and it has no caller to return to.

    The main greenlet belongs to the parent and does not go on here. As after a thread that forks and ends, no exit
    handlers run.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status)
