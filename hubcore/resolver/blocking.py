"""The system's resolver, called directly: a look-up blocks the whole thread."""

from __future__ import annotations

import _socket

from hubcore.resolver import AbstractResolver


class Resolver(AbstractResolver):
    """The socket module's own functions."""

    method = None  # gevent's attribute

    getaddrinfo = staticmethod(_socket.getaddrinfo)
    gethostbyname = staticmethod(_socket.gethostbyname)  # type: ignore[assignment]
    gethostbyname_ex = staticmethod(_socket.gethostbyname_ex)  # type: ignore[assignment]
    gethostbyaddr = staticmethod(_socket.gethostbyaddr)  # type: ignore[assignment]
    getnameinfo = staticmethod(_socket.getnameinfo)  # type: ignore[assignment]
