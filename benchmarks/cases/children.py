"""Child processes: how long one takes from its start to its reaping, alone and with its output read.

The rival is the standard library, which blocks the thread; most of the time is the kernel's, for fork and exec.
"""

from __future__ import annotations

import subprocess
from typing import Any

from benchmarks.contenders import microseconds
from benchmarks.model import Case

TRUE = ["/bin/true"]
ECHO = ["/bin/echo", "a"]


def statuses(lib: Any, rounds: int) -> None:
    for _ in range(rounds):
        lib.subprocess.call(TRUE)


def outputs(lib: Any, rounds: int) -> None:
    for _ in range(rounds):
        lib.subprocess.check_output(ECHO)


def plain_statuses(rounds: int) -> None:
    for _ in range(rounds):
        subprocess.call(TRUE)


def plain_outputs(rounds: int) -> None:
    for _ in range(rounds):
        subprocess.check_output(ECHO)


CASES = [
    Case(
        "child",
        "start a child and wait for it",
        "us",
        microseconds(statuses, threads=plain_statuses, submodules=["subprocess"]),
        note="threads: the standard library",
    ),
    Case(
        "child-output",
        "start a child and read its output",
        "us",
        microseconds(outputs, threads=plain_outputs, submodules=["subprocess"]),
        note="threads: the standard library",
    ),
]
