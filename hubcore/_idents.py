"""Small numbers for living greenlets, given when somebody asks and reused when the greenlet is gone."""

from __future__ import annotations

from heapq import heappop

# What is gone takes its own entry out: in Greenlet.__del__, without Python code.
_idents: dict[int, int] = {}  # by id() of the greenlet, which is its own while it lives
_free: list[int] = []
_given = 0


def minimal_ident(owner: object) -> int:
    """The number of `owner`; the smallest free one, from now until it is gone, if it had none."""
    global _given
    found = _idents.get(id(owner))
    if found is None:
        if _free:
            found = heappop(_free)
        else:
            found = _given
            _given += 1
        _idents[id(owner)] = found
    return found
