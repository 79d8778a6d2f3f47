"""Strategies for hypothesis: schedules of faults for `run(faults=...)`. Hypothesis then reduces and remembers them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from hubcore.testing.sim._faults import KINDS, Fault

_PAIRS = ("reset",)


def faults(
    hosts: Sequence[str],
    *,
    kinds: Sequence[str] = KINDS[:-1],
    until: float = 60.0,
    longest: float = 5.0,
    most: int = 20,
) -> st.SearchStrategy[list[Fault]]:
    """Lists of at most `most` faults of those kinds to those hosts, each over by virtual second `until`, the earliest
    first. The main program's host, "test", may be among the hosts for the network's kinds only.
    """
    names = list(hosts)
    if isinstance(hosts, str) or not names or not all(isinstance(name, str) for name in names):
        raise TypeError(f"hosts is a list of hosts' names, not {hosts!r}")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"there is no kind of fault {unknown[0]!r}; there are {', '.join(KINDS)}")
    possible = [kind for kind in kinds if kind not in _PAIRS or len(names) > 1]
    if not possible:
        raise ValueError(f"of {', '.join(kinds)}, none can happen to one host alone")

    @st.composite
    def fault(draw: st.DrawFn) -> Fault:
        kind = draw(st.sampled_from(possible))
        if kind == "partition":
            where = tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=len(names), unique=True)))
        elif kind in _PAIRS:
            where = tuple(draw(st.lists(st.sampled_from(names), min_size=2, max_size=2, unique=True)))
        else:
            where = (draw(st.sampled_from([name for name in names if name != "test"] or names)),)
        # Milliseconds: a reduced example then has times that a reader can compare.
        lasting = draw(st.integers(1, max(1, int(min(longest, until) * 1000)))) / 1000
        at = draw(st.integers(0, max(0, int((until - lasting) * 1000)))) / 1000
        return Fault(at, kind, where, lasting)

    return st.lists(fault(), max_size=most).map(sorted)
