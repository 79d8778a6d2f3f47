"""The system's resolver, asked at once: until it answers, everything in this thread waits."""

from __future__ import annotations

import _socket

from hubcore.resolver import AbstractResolver


class Resolver(AbstractResolver):
    """The socket module's own functions."""

    method = None  # gevent's

    getaddrinfo = staticmethod(_socket.getaddrinfo)
    gethostbyname = staticmethod(_socket.gethostbyname)  # type: ignore[assignment]
    gethostbyname_ex = staticmethod(_socket.gethostbyname_ex)  # type: ignore[assignment]
    gethostbyaddr = staticmethod(_socket.gethostbyaddr)  # type: ignore[assignment]
    getnameinfo = staticmethod(_socket.getnameinfo)  # type: ignore[assignment]
