"""The search for deadlocks, also while other greenlets run: waits that only each other's greenlets could end.

The search begins with all waits that have no time limit and whose possible wakers are known (`_waits`). It removes the
waits that a greenlet outside of the set could end, until the set is empty or stuck for good. In what remains, each
cycle is a deadlock; the other waits are behind one. A lock whose owner has ended is a deadlock of its own kind.

Other threads run during the search, so it reads the waits twice. A wait ends only once: waits that exist before the
second reading and still exist after it existed together in between. The search cannot foresee a kill that a greenlet is
about to make, nor a lock that is released by a greenlet other than its owner.
"""

from __future__ import annotations

from hubcore._base.hints import Iterable, TextIO
from hubcore._base.stack_format import format_frame, frame_of
from hubcore._diagnostics.describe import describe_wait
from hubcore._diagnostics.inventory import polling_in
from hubcore._diagnostics.wait_graph import Wait, all_waits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from greenlet import greenlet

_MOST_BEHIND = 20  # most lines of a report for waits that are only behind a deadlock


class Deadlock:
    """Waits that cannot end. `str()` gives a report with the stack of each member.

    `waits` are those of the cycle; each waits for the next one, as far as there is an order. `behind` are waits that
    could end if these did.
    """

    __slots__ = ("behind", "waits")

    def __init__(self, waits: Iterable[Wait], behind: Iterable[Wait] = ()) -> None:
        self.waits: tuple[Wait, ...] = tuple(waits)
        self.behind: tuple[Wait, ...] = tuple(behind)

    @property
    def greenlets(self) -> tuple[greenlet, ...]:
        """The waiting greenlets; for a thread without a hub, its main greenlet."""
        return tuple(wait.greenlet for wait in self.waits)

    @property
    def owner_ended(self) -> bool:
        """Whether this is not a cycle, but a lock whose owner has ended without releasing it."""
        return self.waits[0].owner_ended

    @property
    def key(self) -> frozenset[int]:
        """A key that stays equal for as long as the same waits last."""
        return frozenset(id(wait.waiter) for wait in self.waits)

    def lines(self, stacks: bool = True) -> list[str]:
        """Return the report as lines; `stacks` False leaves the stacks out."""
        threads = {wait.thread_ident for wait in self.waits}
        if self.owner_ended:
            lines = ["deadlock: the lock's owner has ended without releasing it"]
        elif len(self.waits) == 1:
            lines = ["deadlock: a greenlet waits for itself"]
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
    """Return the present deadlocks, among all greenlets of all hubs and all threads. Any thread; never switches."""
    stuck = _stuck(all_waits())
    if not stuck:
        return []
    stuck = _stuck(_lasting(stuck))
    # If a lock is handed over between the reading of its waiter and that of its owner, the waiter seems to wait for
    # itself.
    stuck = _settled({wait.greenlet: wait for wait in _lasting(stuck)})
    edges = {wait: [other for other in _blocking(wait, stuck) if other is not None] for wait in stuck.values()}
    cores = []
    for part in _components(edges):
        inside = {wait.greenlet: wait for wait in part}
        if len(_settled(inside)) == len(part):
            cores.append(_in_order(part, edges))
    return [Deadlock(core, behind) for core, behind in zip(cores, _behind(cores, edges), strict=True)]


def _lasting(waits: dict[greenlet, Wait]) -> list[Wait]:
    """Return those of `waits` that have not ended meanwhile."""
    return [wait for wait in waits.values() if not wait.waiter.ended]


def _stuck(waits: Iterable[Wait]) -> dict[greenlet, Wait]:
    """Return the `waits` that only greenlets among them can end, by greenlet."""
    candidates = {}
    for wait in waits:
        if not wait.timed:
            wait.find_blockers()
            if wait.blockers and len(wait.blockers) >= wait.enough:
                candidates[wait.greenlet] = wait
    return _settled(candidates)


def _settled(waits: dict[greenlet, Wait]) -> dict[greenlet, Wait]:
    """Return `waits` without those that a greenlet outside of them could end."""
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
    """Return the strongly connected components of the graph (Tarjan's algorithm, with an explicit stack)."""
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
    """Return `part` in an order in which each wait waits for the next one, where that is possible."""
    members = set(part)
    ordered: list[Wait] = []
    wait: Wait | None = part[0]
    while wait is not None:
        ordered.append(wait)
        members.discard(wait)
        wait = next((other for other in edges[wait] if other in members), None)
    return ordered + [other for other in part if other in members]


def _behind(cores: list[list[Wait]], edges: dict[Wait, list[Wait]]) -> list[list[Wait]]:
    """Return, for each of `cores`, the waits that could end if those did."""
    core_of = {wait: i for i, core in enumerate(cores) for wait in core}
    behind: list[list[Wait]] = [[] for _ in cores]
    backward: dict[Wait, list[Wait]] = {}
    for wait, others in edges.items():
        for other in others:
            backward.setdefault(other, []).append(wait)
    reached = dict(core_of)
    frontier = list(core_of)
    for wait in frontier:  # grows during the loop
        for earlier in backward.get(wait, ()):
            if earlier not in reached:
                reached[earlier] = reached[wait]
                behind[reached[wait]].append(earlier)
                frontier.append(earlier)
    return behind


def format_deadlocks(stacks: bool = True) -> list[str]:
    """Return the reports of all present deadlocks as lines; an empty list if there is none. Any thread."""
    return [line for deadlock in find_deadlocks() for line in deadlock.lines(stacks)]


def print_deadlocks(file: TextIO | None = None) -> None:
    """Print the reports of all present deadlocks, or "no deadlock", to `file` (stderr). Any thread."""
    import sys

    lines = format_deadlocks() or ["no deadlock"]
    print("\n".join(lines), file=file if file is not None else sys.stderr)
