"""Ring: the records of what happened in one hub, in memory of a fixed size.

A record has 24 bytes: the time in ticks, the greenlet's serial number, an argument, the kind, the id of a text, and one
number more. The hub's thread alone writes. The clock is the processor's time stamp counter where the kernel itself uses
it, else CLOCK_MONOTONIC; `now_ns` and `ticks` together calibrate it.
"""

from __future__ import annotations

from hubcore._base import uncompiled as cython

if not cython.compiled:
    from struct import Struct
    from time import monotonic_ns as now_ns

    _RECORD = Struct("<QIIHHI")

    def ticks(counter: bool) -> int:
        """The time now, in ticks."""
        return now_ns()


#: The size of a record, in bytes, and its layout for the module `struct`.
RECORD_SIZE = 24
RECORD = "<QIIHHI"


def kernel_uses_counter() -> bool:
    """Return whether the time stamp counter runs at a constant rate on all processors: the kernel checks that."""
    try:
        with open("/sys/devices/system/clocksource/clocksource0/current_clocksource") as file:
            return cython.compiled and file.read().strip() == "tsc"
    except OSError:
        return False


def both_clocks(counter: bool) -> tuple[int, int]:
    """Return the time in ticks and in nanoseconds of CLOCK_MONOTONIC, read at once."""
    return ticks(counter), now_ns()


class Ring:
    """At most `size` records. When it is full, the oldest go if `wraps`, else new ones are counted and dropped."""

    __slots__ = ("_counter", "_data", "_next", "_records", "_size", "_wraps", "count", "dropped")

    def __init__(self, size: int, wraps: bool, counter: bool) -> None:
        if size < 1:
            raise ValueError(f"a ring needs room for 1 record or more, not {size!r}")
        self._size = size
        self._wraps = wraps
        self._counter = counter
        self._next = 0
        self.count: int = 0  # records that it holds
        self.dropped: int = 0
        if cython.compiled:
            self._records = new_records(size)
            if self._records == cython.NULL:
                raise MemoryError(f"no memory for {size} records of {RECORD_SIZE} bytes")
        else:
            self._data: list[bytes] = []

    def __dealloc__(self) -> None:
        if cython.compiled:
            free_records(self._records)

    def now(self) -> int:
        """The time now, in ticks."""
        return ticks(self._counter)

    def put(self, time: int, kind: int, who: int, argument: int, text: int, more: int) -> None:
        """Add a record."""
        if self.count == self._size:
            if not self._wraps:
                self.dropped += 1
                return
            self.dropped += 1
        else:
            self.count += 1
        if cython.compiled:
            set_record(self._records, self._next, time, kind, who, argument, text, more)
        else:
            self._data[self._next : self._next + 1] = [_RECORD.pack(time, who, argument, kind, text, more)]
        self._next += 1
        if self._next == self._size:
            self._next = 0

    def take(self) -> bytes:
        """Return the records, oldest first, as bytes. Any thread."""
        first = self._next if self.count == self._size else 0
        if not cython.compiled:
            return b"".join(self._data[first:] + self._data[:first])
        if first == 0:
            return records_as_bytes(self._records, 0, self.count)
        return records_as_bytes(self._records, first, self._size - first) + records_as_bytes(self._records, 0, first)

    def clear(self) -> None:
        """Forget all records. The hub's thread only."""
        self.count = self._next = self.dropped = 0
        if not cython.compiled:
            self._data.clear()
