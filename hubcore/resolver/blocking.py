"""The system's resolver, called directly: a look-up blocks the whole thread."""

from __future__ import annotations

import _socket

from hubcore.resolver import AbstractResolver

TYPE_CHECKING = False


class Resolver(AbstractResolver):
    """The socket module's own functions."""

    method: None = None  # gevent's attribute

    if not TYPE_CHECKING:  # the signatures are the base's
        getaddrinfo = staticmethod(_socket.getaddrinfo)
        gethostbyname = staticmethod(_socket.gethostbyname)
        gethostbyname_ex = staticmethod(_socket.gethostbyname_ex)
        gethostbyaddr = staticmethod(_socket.gethostbyaddr)
        getnameinfo = staticmethod(_socket.getnameinfo)
