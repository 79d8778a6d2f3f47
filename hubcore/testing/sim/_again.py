"""A process that can be had again: with a fixed hash seed, and at fixed addresses.

Facts: the order of a set of strings depends on the hash seed, of other objects on their addresses; both are drawn when
a process starts. Consequence: who wants runs to replay in another process begins by executing itself once more, with
PYTHONHASHSEED set and address randomisation off, which only Linux has, and not every container allows.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

ENVIRONMENT = "HUBCORE_SIM_EXEC"  # "0": do not; "1": done
_NO_RANDOMIZE = 0x0040000  # ADDR_NO_RANDOMIZE
_ASK = 0xFFFFFFFF


def is_fixed() -> bool:
    """Whether this process was started so that runs replay, as far as that can be had here."""
    return os.environ.get(ENVIRONMENT, "") in ("0", "1") or not sys.flags.hash_randomization


def what_is_drawn() -> list[str]:
    """What of this process was drawn when it started."""
    drawn = []
    if sys.flags.hash_randomization and os.environ.get("PYTHONHASHSEED", "random") == "random":
        drawn.append("hashes of strings (PYTHONHASHSEED is not set)")
    if not _randomisation_is_off():
        drawn.append("addresses of objects (which this system does not let be fixed)")
    return drawn


def _personality(persona: int) -> int:
    """The system call; -1 where there is none."""
    try:
        import ctypes

        found: int = ctypes.CDLL(None, use_errno=True).personality(ctypes.c_ulong(persona))
    except (ImportError, OSError, AttributeError):
        return -1
    return found


def _randomisation_is_off() -> bool:
    current = _personality(_ASK)
    return current != -1 and bool(current & _NO_RANDOMIZE)


def execute(arguments: Sequence[str] | None = None, more: Mapping[str, str] | None = None) -> None:
    """Replace this process by one that is fixed, with the same command line. Returns where it is fixed already."""
    if is_fixed():
        return
    current = _personality(_ASK)
    if current != -1:
        _personality(current | _NO_RANDOMIZE)
    environment = {**os.environ, **(more or {}), ENVIRONMENT: "1"}
    if environment.get("PYTHONHASHSEED", "random") == "random":
        environment["PYTHONHASHSEED"] = "0"
    command = list(arguments or sys.orig_argv)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os.execve(sys.executable, [sys.executable, *command[1:]], environment)
