"""What the calls of a socket are given, made fit for being tried again."""

from __future__ import annotations

from hubcore._base.hints import Any


def reiterable(values: Any) -> Any:
    """Return `values` as a sequence, so that each attempt can iterate over it; a non-iterable is returned as it is."""
    return values if isinstance(values, (list, tuple)) or not hasattr(values, "__iter__") else list(values)


def octets(view: memoryview) -> memoryview:
    """Return a view of the same memory as bytes; BufferError if it is not contiguous."""
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    return view.cast("B")
