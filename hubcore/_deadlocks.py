"""Finding deadlocks, also while other greenlets run: waits that only each other's greenlets could end.

All waits are taken that have no time limit and of which it is known who could end them (`_waits`). Then those are
taken away that somebody outside could end, until none is left or the rest is stuck for good. Of the rest, the circles
are deadlocks; others only wait behind one. A lock whose owner has ended is a deadlock of its own kind.

Other threads go on while this looks. It looks twice: a wait ends only once, so waits that were there before the second
look and are still there after it were there together meanwhile. What is not seen: a kill that somebody is about to
make, and a lock that somebody other than its owner releases.
"""

from __future__ import annotations

from hubcore._describe import describe_wait
from hubcore._inventory import polling_in
from hubcore._stacks import format_frame, frame_of
from hubcore._waits import Wait, all_waits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from greenlet import greenlet

_MOST_BEHIND = 20  # lines about those who only wait behind a deadlock


class Deadlock:
    """Waits that cannot end. `str()` is a report with the stack of each member.

    `waits` are those in the circle, each of which waits for the next one as far as there is an order; `behind` are
    waits that would end if these did.
    """

    __slots__ = ("behind", "waits")

    def __init__(self, waits: Iterable[Wait], behind: Iterable[Wait] = ()) -> None:
        self.waits = tuple(waits)
        self.behind = tuple(behind)

    @property
    def greenlets(self) -> tuple[greenlet, ...]:
        """Whose waits these are; for a thread without a hub, its main greenlet."""
        return tuple(wait.greenlet for wait in self.waits)

    @property
    def owner_ended(self) -> bool:
        """Whether there is no circle, but a lock whose owner has ended without releasing it."""
        return self.waits[0].owner_ended

    @property
    def key(self) -> frozenset[int]:
        """The same for as long as the same waits last."""
        return frozenset(id(wait.waiter) for wait in self.waits)

    def lines(self, stacks: bool = True) -> list[str]:
        """The report, line by line; `stacks` False leaves the stacks out."""
        threads = {wait.thread_ident for wait in self.waits}
        if self.owner_ended:
            lines = ["deadlock: its owner has ended, and only that could release it"]
        elif len(self.waits) == 1:
            lines = ["deadlock: it waits for itself"]
        else:
            where = f" in {len(threads)} threads" if len(threads) > 1 else ""
            lines = [f"deadlock: {len(self.waits)} greenlets{where} wait for each other"]
        for wait in self.waits:
            lines.append(f"    {_describe(wait, len(threads) > 1)}")
            if stacks:
                lines += [f"      {line}" for line in _stack(wait)]
        if self.behind:
            lines.append(f"  and {len(self.behind)} more wait behind:")
            lines += [f"    {_describe(wait)}" for wait in self.behind[:_MOST_BEHIND]]
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        kind = "whose owner has ended" if self.owner_ended else f"of {len(self.waits)}"
        return f"<{type(self).__name__} {kind}, {len(self.behind)} behind>"


def _stack(wait: Wait) -> list[str]:
    own = wait.hub is None or polling_in(wait.hub) is wait.greenlet
    return format_frame(frame_of(wait.greenlet, wait.thread_ident if own else None))


def _describe(wait: Wait, with_thread: bool = False) -> str:
    text = describe_wait(wait.waiter, wait.now)
    if wait.owner_ended:
        text += "; that owner has ended"
    return f"{text}; in thread {wait.thread_ident:#x}" if with_thread else text


def find_deadlocks() -> list[Deadlock]:
    """The deadlocks there are now, among all greenlets of all hubs and all threads. Any thread; never switches."""
    stuck = _stuck(all_waits())
    if not stuck:
        return []
    stuck = _stuck(_lasting(stuck))
    # A lock that was handed over after its waiter was asked for, and before its owner was, seems to wait for itself.
    stuck = _settled({wait.greenlet: wait for wait in _lasting(stuck)})
    edges = {wait: [other for other in _blocking(wait, stuck) if other is not None] for wait in stuck.values()}
    cores = []
    for part in _components(edges):
        inside = {wait.greenlet: wait for wait in part}
        if len(_settled(inside)) == len(part):
            cores.append(_in_order(part, edges))
    return [Deadlock(core, behind) for core, behind in zip(cores, _behind(cores, edges), strict=True)]


def _lasting(waits: dict[greenlet, Wait]) -> list[Wait]:
    """Those of `waits` that have not ended meanwhile."""
    return [wait for wait in waits.values() if not wait.waiter.ended]


def _stuck(waits: Iterable[Wait]) -> dict[greenlet, Wait]:
    """Those of `waits` that can only be ended by each other, by greenlet."""
    candidates = {}
    for wait in waits:
        if not wait.timed:
            wait.find_blockers()
            if wait.blockers and len(wait.blockers) >= wait.enough:
                candidates[wait.greenlet] = wait
    return _settled(candidates)


def _settled(waits: dict[greenlet, Wait]) -> dict[greenlet, Wait]:
    """`waits` without those that could end because of somebody who is not among them."""
    left = dict(waits)
    waiting_for: dict[greenlet, list[Wait]] = {}
    for wait in left.values():
        for blocker in wait.blockers:
            waiting_for.setdefault(blocker, []).append(wait)
    doubtful = list(left.values())
    while doubtful:
        wait = doubtful.pop()
        if left.get(wait.greenlet) is not wait or wait.owner_ended:
            continue
        if sum(blocker in left for blocker in wait.blockers) < wait.enough:
            del left[wait.greenlet]
            doubtful += waiting_for.get(wait.greenlet, ())
    return left


def _blocking(wait: Wait, stuck: dict[greenlet, Wait]) -> list[Wait | None]:
    return [] if wait.owner_ended else [stuck.get(blocker) for blocker in wait.blockers]


def _components(edges: dict[Wait, list[Wait]]) -> list[list[Wait]]:
    """The strongly connected parts of the graph (Tarjan's way, with a stack of its own)."""
    number: dict[Wait, int] = {}
    low: dict[Wait, int] = {}
    open_: list[Wait] = []
    is_open: set[Wait] = set()
    parts = []
    for start in edges:
        if start in number:
            continue
        number[start] = low[start] = len(number)
        open_.append(start)
        is_open.add(start)
        path = [(start, iter(edges[start]))]
        while path:
            wait, following = path[-1]
            for other in following:
                if other not in number:
                    number[other] = low[other] = len(number)
                    open_.append(other)
                    is_open.add(other)
                    path.append((other, iter(edges[other])))
                    break
                if other in is_open:
                    low[wait] = min(low[wait], number[other])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[wait])
                if low[wait] == number[wait]:
                    part = [open_.pop()]
                    while part[-1] is not wait:
                        part.append(open_.pop())
                    is_open.difference_update(part)
                    parts.append(part)
    return parts


def _in_order(part: list[Wait], edges: dict[Wait, list[Wait]]) -> list[Wait]:
    """`part`, so that each waits for the one after it where that is possible."""
    members = set(part)
    ordered: list[Wait] = []
    wait: Wait | None = part[0]
    while wait is not None:
        ordered.append(wait)
        members.discard(wait)
        wait = next((other for other in edges[wait] if other in members), None)
    return ordered + [other for other in part if other in members]


def _behind(cores: list[list[Wait]], edges: dict[Wait, list[Wait]]) -> list[list[Wait]]:
    """For each of `cores`, the waits that would end if those did."""
    core_of = {wait: i for i, core in enumerate(cores) for wait in core}
    behind: list[list[Wait]] = [[] for _ in cores]
    backward: dict[Wait, list[Wait]] = {}
    for wait, others in edges.items():
        for other in others:
            backward.setdefault(other, []).append(wait)
    reached = dict(core_of)
    frontier = list(core_of)
    for wait in frontier:  # it grows meanwhile
        for earlier in backward.get(wait, ()):
            if earlier not in reached:
                reached[earlier] = reached[wait]
                behind[reached[wait]].append(earlier)
                frontier.append(earlier)
    return behind


def format_deadlocks(stacks: bool = True) -> list[str]:
    """The reports of all deadlocks there are now, as lines; an empty list if there is none. Any thread."""
    return [line for deadlock in find_deadlocks() for line in deadlock.lines(stacks)]


def print_deadlocks(file: TextIO | None = None) -> None:
    """Print that, or that there is no deadlock, to `file` (stderr)."""
    import sys

    lines = format_deadlocks() or ["no deadlock"]
    print("\n".join(lines), file=file if file is not None else sys.stderr)
