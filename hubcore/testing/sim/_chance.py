"""Chance: one stream of random numbers for each name, all from one seed.

Streams by name, not one for all: when a fault is taken out, what the others draw stays the same, so that a run without
it is like the run with it but for that.
"""

from __future__ import annotations

from random import Random


class Chance:
    """The streams of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[tuple[object, ...], Random] = {}

    def stream(self, *names: object) -> Random:
        """The stream of that name: the same object at each call."""
        found = self._streams.get(names)
        if found is None:
            # By a text, which Random hashes by SHA-512, so that it is the same in every process.
            found = self._streams[names] = Random(f"{self.seed}/{'/'.join(map(str, names))}")
        return found
