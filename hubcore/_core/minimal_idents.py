"""Small numbers for living greenlets: assigned at the first request, reused once the greenlet is freed."""

from __future__ import annotations

from heapq import heappop

# Greenlet.__del__ removes the entry of its greenlet, without running Python code.
_idents: dict[int, int] = {}  # by id() of the greenlet, which is unique while the greenlet lives
_free: list[int] = []
_given = 0


def minimal_ident(owner: object) -> int:
    """Return the number of `owner`. At the first call it gets the smallest free one, for as long as it lives."""
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
