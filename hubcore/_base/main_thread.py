"""The check whether a thread is the one in which Python handles signals."""

from __future__ import annotations

# The C module under `signal`, which adds enumerations to it that take longer to import than all of hubcore.
import _signal


def in_main_thread() -> bool:
    """Return whether the calling thread is the one in which Python handles signals."""
    # `threading` is not imported for this. signal() checks the thread first (ValueError) and then refuses None.
    try:
        _signal.signal(2, None)
    except ValueError:
        return False
    except TypeError:
        pass
    return True


def main_thread_ident() -> int | None:
    """Return the ident of the program's main thread."""
    from threading import main_thread

    return main_thread().ident
