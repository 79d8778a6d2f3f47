"""What the connections of one server go by, in a form that costs nothing to ask."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore._http.limits import Limits

_NONE = 1 << 62  # of bytes or things: out of reach
DROP, REFUSE, DANGEROUS = range(3)  # what is done with a field that has an underscore in its name
HEADER_MAPS = {"drop": DROP, "refuse": REFUSE, "dangerous": DANGEROUS}


class Rules:
    """The limits, with those that are off made out of reach (times: negative), and what else all connections share.

    `stopping` is set when the server stops, `crowded` while a client waits for another's connection to end: connections
    end after the request that they are at. `requests`, `resets` and `refused` count requests that were begun, clients
    that went away, and bad requests.
    """

    __slots__ = (
        "application",
        "base",
        "body_timeout",
        "connections",
        "copies_base",
        "crowded",
        "discard_limit",
        "header_map",
        "header_timeout",
        "idle",
        "idle_grace",
        "keepalive",
        "limit_field_size",
        "limit_fields",
        "limit_head",
        "limit_line",
        "log",
        "max_body_size",
        "max_pipelined",
        "max_requests",
        "min_body_rate",
        "pool",
        "refused",
        "request_timeout",
        "requests",
        "resets",
        "server_line",
        "stopping",
        "trusted",
        "write_timeout",
    )

    def __init__(self, limits: Limits) -> None:
        self.limit_line: int = limits.limit_request_line or _NONE
        self.limit_fields: int = limits.limit_request_fields or _NONE
        self.limit_field_size: int = limits.limit_request_field_size or _NONE
        self.limit_head: int = limits.limit_request_head or _NONE
        self.max_body_size: int = limits.max_body_size or _NONE
        self.discard_limit: int = limits.discard_limit or _NONE
        self.max_pipelined: int = limits.max_pipelined or _NONE
        self.max_requests: int = limits.max_requests or _NONE
        self.min_body_rate: int = limits.min_body_rate or 0
        self.header_timeout: float = limits.header_timeout or -1.0
        self.keepalive: float = limits.keepalive or -1.0
        self.body_timeout: float = limits.body_timeout or -1.0
        self.write_timeout: float = limits.write_timeout or -1.0
        self.request_timeout: float = limits.request_timeout or -1.0
        self.application: Any = None
        self.base: dict[str, Any] = {}
        self.connections: dict[Any, None] = {}  # that are open
        self.copies_base: bool = True  # the environ is a plain copy of `base`; else the server is asked for one
        self.header_map: int = DROP
        self.trusted: Any = None  # the peers whose forwarded fields are believed
        self.log: Any = None
        self.pool: Any = None  # of requests that run
        self.idle: Any = None  # connections that wait for a request, the longest first, where that must be known
        self.idle_grace: float = 0.0
        self.server_line: bytes = b""
        self.stopping: bool = False
        self.crowded: bool = False
        self.requests: int = 0
        self.resets: int = 0
        self.refused: int = 0
