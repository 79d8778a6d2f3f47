"""What a test left behind: greenlets, watchers and deadlines of a hub; file descriptors and threads of the process."""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import NamedTuple

from hubcore.testing import settle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub
    from hubcore.loop import Loop
    from hubcore.watchers import Watcher

_FDS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
_PATIENCE = 2.0  # seconds that a thread which was told to end may take for it


class Process(NamedTuple):
    """What the process had at some moment."""

    fds: dict[int, str]  # what each open one is
    threads: frozenset[int]  # their identifiers


def process() -> Process:
    """What the process has now."""
    return Process(_open_fds(), _threads())


def left_by_process(before: Process) -> list[str]:
    """A line for each fd and thread that was not there `before`. May wait a moment for threads that are ending."""
    end = time.monotonic() + _PATIENCE
    while (threads := _threads() - before.threads) and time.monotonic() < end:
        time.sleep(0.001)
    fds = _new(_open_fds(), before.fds)
    if fds:
        # Objects in cycles close theirs only when collected. Collecting takes longer than most tests, hence only now.
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
    """What a loop has of its own, before a test uses it."""

    watchers: frozenset[Watcher]
    refs: int

    @classmethod
    def of(cls, loop: Loop) -> Born:
        """What `loop` has now."""
        return cls(frozenset(loop.watchers), loop.refs)


def left_in_hub(hub: Hub, born: Born) -> list[str]:
    """A line for each thing that is still parked, ready or watched. Runs what is ready before it judges."""
    from hubcore._describe import describe_parked

    lines = []
    try:
        settle(hub)
    except BaseException as error:
        lines.append(f"what was still ready raised in the main greenlet, or went on for ever: {error!r}")
    if hub.parked.count:
        lines.append(f"{hub.parked.count} greenlets are still parked:\n{describe_parked(hub)}")
    return lines + left_in_loop(hub.loop, born, bool(lines))


def left_in_loop(loop: Loop, born: Born, explained: bool = False) -> list[str]:
    """A line for each thing that is still ready or watched; `explained`: more deadlines and references are no news."""
    lines = [f"still started: {watcher!r}" for watcher in loop.watchers - born.watchers]
    if len(loop.ready):
        lines.append(f"still to run: {loop.ready!r}")
    if not lines and not explained:
        if len(loop.deadlines):
            lines.append(f"deadlines still scheduled: {len(loop.deadlines)}")
        if loop.refs != born.refs:
            lines.append(f"the loop counts {loop.refs - born.refs:+} references for nothing")
    return lines


def _open_fds() -> dict[int, str]:
    found = {}
    for name in os.listdir(_FDS):
        try:
            found[int(name)] = os.readlink(f"{_FDS}/{name}") if _FDS.startswith("/proc") else str(os.fstat(int(name)))
        except OSError:
            pass  # the one by which the folder was read
    return found


def _new(now: dict[int, str], before: dict[int, str]) -> dict[int, str]:
    return {fd: what for fd, what in now.items() if before.get(fd) != what}


def _threads() -> frozenset[int]:
    workers = sys.modules.get("hubcore._workers")
    idle = set(workers.idle_thread_idents()) if workers is not None else set()
    return frozenset(sys._current_frames().keys() - idle)
