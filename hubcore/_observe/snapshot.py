"""The present state of every greenlet, cheaply: greenlets that do the same are one group.

The walk reads the lists of parked and ready greenlets, never all objects of the process. It reads a stack as code and
instructions (`walk`), and works out files and lines once for each group. Where a group has very many greenlets, it
reads the stacks of those that wait longest only, and counts the others.
"""

from __future__ import annotations

import os
import platform
import sys
import time

from greenlet import getcurrent

from hubcore._base.hints import Any
from hubcore._base.originals import get_ident
from hubcore._base.stack_format import shown
from hubcore._core.hub_observer import serial_of
from hubcore._core.raw_greenlet import RawGreenlet
from hubcore._core.registry import hubs
from hubcore._core.waiter import Waiter
from hubcore._diagnostics.deadlocks import find_deadlocks
from hubcore._diagnostics.statistics import of_hub
from hubcore._observe.waits import describe, kind_of, name_of
from hubcore._observe.walk import calling_stack, lines_of, stack_of
from hubcore._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import CodeType

    from greenlet import greenlet

    from hubcore._core.scheduler import Scheduler
    from hubcore._observe.walk import Stack

    Site = tuple[CodeType | None, int]

#: The version of the format that `snapshot` returns and the commands print as JSON.
FORMAT = 1
# Greenlets between two pauses of the walk; the stacks that it reads of one group; the greenlets that it shows of one.
_SLICE = 1000
_MOST_STACKS = 1000
_MOST_SHOWN = 5
# With more parked greenlets than this, the search for deadlocks would hold the program up for too long.
_MOST_FOR_DEADLOCKS = 20_000


class _Group:
    """Greenlets of one hub in the same state, on the same kind of wait, spawned at the same place."""

    __slots__ = ("by_stack", "count", "kind", "read", "site", "state")

    def __init__(self, state: str, kind: str, site: Site) -> None:
        self.state = state
        self.kind = kind
        self.site = site
        self.count = 0
        self.read = 0
        #: by stack: how many, and the first of them
        self.by_stack: dict[Stack, tuple[int, list[tuple[greenlet, Waiter | None]]]] = {}

    def add(self, each: greenlet, waiter: Waiter | None, stacks: bool) -> None:
        self.count += 1
        stack: Stack = ()
        if stacks:
            if self.read >= _MOST_STACKS:
                return
            self.read += 1
            stack = stack_of(each.gr_frame)
        count, first = self.by_stack.get(stack, (0, []))
        if len(first) < _MOST_SHOWN:
            first.append((each, waiter))
        self.by_stack[stack] = (count + 1, first)


def snapshot(all: bool = False, stacks: bool = True, *, locals: bool = False) -> dict[str, Any]:
    """Return what every greenlet of the process does now, as a dict that JSON can represent.

    Greenlets that do the same are one entry with a `count`, unless `all` is true. With `locals` each entry has the
    reprs of local variables, which runs the program's code. Any thread; never switches. docs/observe.md has the format.
    """
    walk = steps(all, stacks, locals=locals)
    while True:
        try:
            next(walk)
        except StopIteration as end:
            found: dict[str, Any] = end.value
            return found


def steps(all: bool = False, stacks: bool = True, *, locals: bool = False) -> Generator[None, None, dict[str, Any]]:
    """As `snapshot`, as a generator that pauses after each thousand greenlets; its result is the snapshot.

    Other greenlets may run in the pauses: each entry is then correct by itself, at some moment during the walk.
    """
    found = []
    parked = 0
    for hub in sorted(hubs.copy(), key=lambda each: each.thread_ident):
        greenlets = yield from _of_hub(hub, all, stacks, locals)
        parked += hub.parked.count
        found.append(
            {
                "thread": hub.thread_ident,
                "name": thread_name(hub),
                "backend": hub.loop.name,
                "statistics": dict(of_hub(hub)._asdict()),
                "greenlets": greenlets,
            }
        )
    yield
    deadlocks = [each.lines() for each in find_deadlocks()] if parked <= _MOST_FOR_DEADLOCKS else None
    return {
        "version": FORMAT,
        "pid": os.getpid(),
        "program": " ".join(sys.orig_argv)[:300],
        "python": platform.python_version(),
        "hubcore": __version__,
        "time": time.time(),
        "hubs": found,
        "threads": _threads(stacks),
        "deadlocks": deadlocks,
    }


def _of_hub(hub: Scheduler, all: bool, stacks: bool, locals: bool) -> Generator[None, None, list[dict[str, Any]]]:
    running = _running(hub, stacks)
    entries = [] if running is None else [running]
    groups: dict[tuple[str, str, CodeType | None, int], _Group] = {}
    now = hub.loop.clock()
    for i, (each, waiter, state) in enumerate(_states(hub)):
        if i % _SLICE == _SLICE - 1:
            yield
        if all:
            stack = stack_of(each.gr_frame) if stacks else ()
            entries.append(_entry(hub, each, waiter, state, now, stack, 1, locals))
            continue
        kind = kind_of(waiter.waiting_on) if waiter is not None and state == "waiting" else ""
        code, instruction = _site(each)
        key = (state, kind, code, instruction)
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(state, kind, (code, instruction))
        group.add(each, waiter, stacks)
    found: dict[str, dict[str, Any]] = {}
    for group in groups.values():
        yield
        for entry in _of_group(hub, group, now, locals):
            _merge(found, group, entry)
    entries += sorted(found.values(), key=lambda entry: -entry["count"])
    return entries


def _of_group(hub: Scheduler, group: _Group, now: float, locals: bool) -> Iterator[dict[str, Any]]:
    unread = group.count - sum(count for count, _ in group.by_stack.values())
    for stack, (count, first) in group.by_stack.items():
        each, waiter = first[0]
        entry = _entry(hub, each, waiter, group.state, now, stack, count, locals)
        entry["longest"] = [_short(hub, one, its, now) for one, its in first]
        entry["stacks_not_read"] = unread  # greenlets of the group that are in no entry
        unread = 0
        yield entry


def _merge(found: dict[str, dict[str, Any]], group: _Group, entry: dict[str, Any]) -> None:
    """Add `entry` to the entry for the same lines. CPython's instructions differ for calls that it has specialised."""
    key = repr((group.state, group.kind, entry["spawned_at"], entry["stack"]))
    same = found.setdefault(key, entry)
    if same is entry:
        return
    same["count"] += entry["count"]
    same["stacks_not_read"] += entry["stacks_not_read"]
    longest = sorted(same["longest"] + entry["longest"], key=lambda short: -(short["seconds"] or 0.0))
    same["longest"] = longest[:_MOST_SHOWN]
    for name in ("id", "name", "seconds", "waiting_on"):
        same[name] = longest[0][name]


def _states(hub: Scheduler) -> Iterator[tuple[greenlet, Waiter | None, str]]:
    """The greenlets of `hub` that are ready or parked, but for the calling one."""
    here = getcurrent()
    seen = set()
    for queued in hub.ready.snapshot():
        each: Any = queued.greenlet if isinstance(queued, Waiter) else queued
        if isinstance(queued, Waiter | RawGreenlet) and each is not None and each is not here:
            seen.add(each)
            yield each, None, "ready" if isinstance(queued, Waiter) else "not started"
    for waiter in hub.parked.snapshot():
        parked = waiter.greenlet
        if parked is not None and parked is not here and parked not in seen:
            yield parked, waiter, "ready" if waiter.ended else "waiting"


def _running(hub: Scheduler, stacks: bool) -> dict[str, Any] | None:
    """The greenlet that runs in the thread of `hub`, as far as it can be known from here; None if the hub polls."""
    if hub.thread_ident == get_ident():
        current = getcurrent()
        if current is hub or getattr(current, "_answers", False):
            return None
        stack = calling_stack() if stacks else ()
        return _entry(hub, current, None, "running", 0.0, stack, 1, False)
    if hub.loop.polling:
        return None
    frame = sys._current_frames().get(hub.thread_ident)
    if frame is None:
        return None
    return {
        "id": 0,
        "name": "?",
        "state": "running",
        "waiting_on": None,
        "seconds": None,
        "spawned_at": None,
        "spawned_by": None,
        "count": 1,
        "stack": lines_of(stack_of(frame)) if stacks else [],
    }


def _short(hub: Scheduler, each: greenlet, waiter: Waiter | None, now: float) -> dict[str, Any]:
    short: dict[str, Any] = {"id": serial_of(each), "name": name_of(each), "seconds": None, "waiting_on": None}
    if waiter is not None and not waiter.ended:
        short["seconds"] = round(max(0.0, now - waiter.since), 6)
        short["waiting_on"] = describe(waiter.waiting_on)
    return short


def _entry(
    hub: Scheduler,
    each: greenlet,
    waiter: Waiter | None,
    state: str,
    now: float,
    stack: Stack,
    count: int,
    locals: bool,
) -> dict[str, Any]:
    entry = _short(hub, each, waiter, now)
    entry["state"] = state
    entry["count"] = count
    entry["spawned_at"] = None
    entry["spawned_by"] = None
    if isinstance(each, RawGreenlet):
        file, line, function = each.spawn_site
        entry["spawned_at"] = {"file": file, "line": line, "function": function}
        spawner = getattr(each, "spawning_greenlet", None)
        by = spawner() if spawner is not None else None
        if by is not None:
            entry["spawned_by"] = {"id": serial_of(by), "name": name_of(by)}
    entry["stack"] = lines_of(stack)
    if locals:
        entry["locals"] = _locals(each)
    return entry


def _locals(each: greenlet) -> list[dict[str, str]]:
    found = []
    frame = each.gr_frame
    while frame is not None:
        variables = {} if frame.f_locals is frame.f_globals else frame.f_locals
        found.append({name: shown(value) for name, value in sorted(variables.items())})
        frame = frame.f_back
    found.reverse()
    return found


def _site(each: greenlet) -> Site:
    if isinstance(each, RawGreenlet):
        return each.spawn_code()
    return (None, -1)


def thread_name(hub: Scheduler) -> str:
    """Return the name of the thread of `hub`, "main" for the main thread's."""
    if getattr(hub, "main_hub", False):
        return "main"
    name = getattr(hub, "name", "")
    if name:
        return str(name)
    threading = sys.modules.get("threading")
    thread = None if threading is None else threading._active.get(hub.thread_ident)
    return "?" if thread is None else str(thread.name)


def _threads(stacks: bool) -> list[dict[str, Any]]:
    """The threads that have no hub."""
    from hubcore._base.worker_threads import idle_thread_idents

    idle = idle_thread_idents()
    with_hubs = {hub.thread_ident for hub in tuple(hubs)}
    threading: Any = sys.modules.get("threading")
    names = {} if threading is None else {ident: thread.name for ident, thread in dict(threading._active).items()}
    return [
        {
            "thread": ident,
            "name": names.get(ident, "?"),
            "idle": ident in idle,
            "stack": lines_of(stack_of(frame)) if stacks else [],
        }
        for ident, frame in sys._current_frames().items()
        if ident not in with_hubs and ident != get_ident()
    ]
