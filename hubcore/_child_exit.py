"""How the process of a forked child ends, where a greenlet forked it."""

from __future__ import annotations

import os
import sys


def exit_status(error: BaseException) -> int:
    """What Python would end with if `error` came out of the program; says what SystemExit was given to say."""
    if not isinstance(error, SystemExit):
        return 1
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def end_child(status: int) -> None:
    """The greenlet that forked has ended, in the child, and nobody is left to return to: end the process.

    The main greenlet is the parent's: it does not go on here. As for a thread that forks and ends, no exit handlers
    run.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status)
