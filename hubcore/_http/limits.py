"""Every limit of the HTTP server: its name, its default and its meaning. Server, command, worker and docs read it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

BYTES, SECONDS, COUNT = "bytes", "seconds", "count"


def _limit(default: float | None, unit: str, meaning: str, status: str = "") -> Any:
    return field(default=default, metadata={"unit": unit, "meaning": meaning, "status": status})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one server; 0 or None is no limit. Sizes and counts are whole numbers, times are seconds."""

    limit_request_line: int = _limit(8190, BYTES, "length of a request line", "414")
    limit_request_fields: int = _limit(100, COUNT, "fields of a request's head", "431")
    limit_request_field_size: int = _limit(8190, BYTES, "length of one field", "431")
    limit_request_head: int = _limit(65536, BYTES, "length of a whole head", "431")
    max_body_size: int | None = _limit(None, BYTES, "length of a body, declared or counted", "413")
    header_timeout: float | None = _limit(
        30.0, SECONDS, "from a request's first byte to the end of its head; a new connection's silence", "408"
    )
    keepalive: float | None = _limit(75.0, SECONDS, "between two requests of a connection", "closed")
    body_timeout: float | None = _limit(60.0, SECONDS, "without a byte of the body that is waited for", "408")
    min_body_rate: int = _limit(100, BYTES, "of a body per second of waiting, once body_timeout has passed", "408")
    write_timeout: float | None = _limit(60.0, SECONDS, "without the client taking a byte", "dropped")
    request_timeout: float | None = _limit(None, SECONDS, "the application's time for a request", "503")
    graceful_timeout: float | None = _limit(30.0, SECONDS, "for requests that run when the server stops", "killed")
    max_connections: int | None = _limit(None, COUNT, "connections at a time; then no more are accepted", "waits")
    max_requests: int = _limit(0, COUNT, "requests of a connection; with workers, of a worker before it is replaced")
    max_requests_jitter: int = _limit(0, COUNT, "by how much max_requests varies at most, by chance")
    discard_limit: int = _limit(262144, BYTES, "of an unread body that are read, to keep the connection", "closed")
    max_pipelined: int = _limit(16, COUNT, "requests that came at once, before other connections get their turn")
    backlog: int = _limit(2048, COUNT, "connections that wait in the kernel to be accepted")

    def __post_init__(self) -> None:
        for each in fields(self):
            _check(each.name, getattr(self, each.name), each.metadata["unit"])


NAMES = tuple(each.name for each in fields(Limits))


def _check(name: str, value: Any, unit: str) -> None:
    what = "seconds" if unit == SECONDS else "bytes" if unit == BYTES else "things"
    if value is None:
        return
    whole = isinstance(value, int) and not isinstance(value, bool)
    if unit != SECONDS and not whole:
        raise TypeError(f"{name} is a whole number of {what}, or None for no limit, not {value!r}")
    if not whole and not isinstance(value, float):
        raise TypeError(f"{name} is a number of {what}, or None for no limit, not {value!r}")
    if not value >= 0:
        raise ValueError(f"{name} is 0 (no limit) or more {what}, not {value!r}")


def take(given: dict[str, Any]) -> dict[str, Any]:
    """Take what belongs to Limits out of `given`."""
    return {name: given.pop(name) for name in NAMES if name in given}
