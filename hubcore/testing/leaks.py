"""Finds leaks of a test: greenlets, watchers and deadlines of a hub; file descriptors and threads of the process."""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import NamedTuple

from hubcore._base.hints import Late
from hubcore.testing import settle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub
    from hubcore.loop import Loop
    from hubcore.watchers import Watcher
else:
    Hub = Late("hubcore.hub:Hub")
    Loop = Late("hubcore.loop:Loop")
    Watcher = Late("hubcore.watchers:Watcher")

_FDS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
_PATIENCE = 2.0  # seconds to wait for threads that are ending


class Process(NamedTuple):
    """The open file descriptors and the threads of the process at one moment."""

    fds: dict[int, str]  # each open fd with a description
    threads: frozenset[int]  # the threads' idents


def process() -> Process:
    """Return the file descriptors and threads that the process has now."""
    return Process(_open_fds(), _threads())


def left_by_process(before: Process) -> list[str]:
    """Return a line for each new fd and thread since `before`. Waits up to 2 seconds for threads that are ending."""
    end = time.monotonic() + _PATIENCE
    while (threads := _threads() - before.threads) and time.monotonic() < end:
        time.sleep(0.001)
    fds = _new(_open_fds(), before.fds)
    if fds:
        # Objects in cycles close their fds only when collected. A collection takes longer than most tests: only now.
        gc.collect()
        fds = _new(_open_fds(), before.fds)
    lines = [f"fd {fd} is still open: {what}" for fd, what in fds.items()]
    frames = sys._current_frames()
    for ident in threads:
        frame = frames.get(ident)
        where = f", in {frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})" if frame else ""
        lines.append(f"thread {ident:#x} still runs{where}")
    return lines


class Born(NamedTuple):
    """The watchers and references that a loop has before a test uses it."""

    watchers: frozenset[Watcher]
    refs: int

    @classmethod
    def of(cls, loop: Loop) -> Born:
        """Return those that `loop` has now."""
        return cls(frozenset(loop.watchers), loop.refs)


def left_in_hub(hub: Hub, born: Born) -> list[str]:
    """Return a line for each greenlet, callback or watcher left. Runs the ready ones first. Switches."""
    from hubcore._diagnostics.describe import describe_parked

    lines = []
    try:
        settle(hub)
    except BaseException as error:
        lines.append(f"greenlets that were still ready raised in the main greenlet, or went on for ever: {error!r}")
    if hub.parked.count:
        lines.append(f"{hub.parked.count} greenlets are still parked:\n{describe_parked(hub)}")
    return lines + left_in_loop(hub.loop, born, bool(lines))


def left_in_loop(loop: Loop, born: Born, explained: bool = False) -> list[str]:
    """Return a line for each callback or watcher left; `explained` leaves out deadlines and references."""
    lines = [f"still started: {watcher!r}" for watcher in loop.watchers - born.watchers]
    if len(loop.ready):
        lines.append(f"still to run: {loop.ready!r}")
    if not lines and not explained:
        if len(loop.deadlines):
            lines.append(f"deadlines still scheduled: {len(loop.deadlines)}")
        if loop.refs != born.refs:
            lines.append(f"the loop counts {loop.refs - born.refs:+} references that no watcher holds")
    return lines


def _open_fds() -> dict[int, str]:
    found = {}
    for name in os.listdir(_FDS):
        try:
            found[int(name)] = os.readlink(f"{_FDS}/{name}") if _FDS.startswith("/proc") else str(os.fstat(int(name)))
        except OSError:
            pass  # the fd with which listdir read the folder
    return found


def _new(now: dict[int, str], before: dict[int, str]) -> dict[int, str]:
    return {fd: what for fd, what in now.items() if before.get(fd) != what}


def _threads() -> frozenset[int]:
    workers = sys.modules.get("hubcore._base.worker_threads")
    idle = set(workers.idle_thread_idents()) if workers is not None else set()
    return frozenset(sys._current_frames().keys() - idle)
