"""The timeout of a single call, `socket.send(data, timeout=...)`: gevent's parameter."""

from __future__ import annotations

from hubcore._base.hints import Any


class _TimeoutDefault:
    __module__ = "hubcore.socket"  # where its one instance is public

    def __reduce__(self) -> str:
        return "timeout_default"

    def __repr__(self) -> str:
        return "timeout_default"


#: Stands for the socket's own timeout.
timeout_default: Any = _TimeoutDefault()


def seconds_of(timeout: Any) -> float:
    """Return `timeout`, as settimeout takes it, in seconds; -1.0 for None. TypeError and ValueError as settimeout's."""
    if timeout is None:
        return -1.0
    if not hasattr(timeout, "__float__"):
        raise TypeError(f"timeout must be a number of seconds or None, not {timeout!r}")
    seconds = float(timeout)
    if not seconds >= 0.0:
        raise ValueError(f"timeout must be 0 or more seconds, not {timeout!r}")
    return seconds
