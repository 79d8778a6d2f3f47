"""Who looks up names: one resolver for each hub, `hub.resolver`, of the class that the configuration names.

    thread       the system's, in worker threads (the default)
    cares        c-ares by the package pycares; `ares`, as in gevent, is the same
    dnspython    the package dnspython on cooperative sockets
    block        the system's, at once: everything else in the thread waits

`hubcore.config.resolver`, or else the environment variable HUB_RESOLVER, gives a name, names by preference (a list, or
separated by commas: the first whose package is installed), `package.module:Class`, a class, or a resolver itself.
`hub.resolver` and `hub.resolver_class` may be set and deleted.
"""

from __future__ import annotations

import _socket
import os

from hubcore import config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore.hub import Hub

BUILT_IN = {
    "thread": "hubcore.resolver.thread:Resolver",
    "cares": "hubcore.resolver.cares:Resolver",
    "ares": "hubcore.resolver.cares:Resolver",
    "dnspython": "hubcore.resolver.dnspython:Resolver",
    "block": "hubcore.resolver.blocking:Resolver",
}


class AbstractResolver:
    """The five look-ups of the socket module, with its answers and errors; families and types are plain ints.

    Any of them may switch. Greenlets share it; a look-up that is killed or times out ends for whoever waited.
    """

    def __init__(self, hub: Hub | None = None) -> None:
        self.hub = hub

    def close(self) -> None:
        """Release what it holds. It may be used again."""

    def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[int, int, int, str, Any]]:
        """As socket.getaddrinfo."""
        raise NotImplementedError(f"{self!r} has no getaddrinfo")

    def gethostbyname(self, hostname: str) -> str:
        """As socket.gethostbyname."""
        raise NotImplementedError(f"{self!r} has no gethostbyname")

    def gethostbyname_ex(self, hostname: str) -> tuple[str, list[str], list[str]]:
        """As socket.gethostbyname_ex."""
        raise NotImplementedError(f"{self!r} has no gethostbyname_ex")

    def gethostbyaddr(self, ip_address: str) -> tuple[str, list[str], list[str]]:
        """As socket.gethostbyaddr."""
        raise NotImplementedError(f"{self!r} has no gethostbyaddr")

    def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
        """As socket.getnameinfo."""
        raise NotImplementedError(f"{self!r} has no getnameinfo")

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} at {id(self):#x}>"


def is_address(host: object) -> bool:
    """Whether `host` is the text of an IPv4 or IPv6 address, so that there is nothing to look up."""
    if not isinstance(host, str) or not host:
        return False
    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


def resolver_class(chosen: Any = None) -> Any:
    """The class that `chosen`, or the configuration, stands for, or the resolver itself if it is one.

    ValueError for a name that there is not, ImportError if none of those named is installed.
    """
    if chosen is None:
        chosen = config.resolver or os.environ.get("HUB_RESOLVER", "").strip() or "thread"
    if isinstance(chosen, str):
        chosen = [name.strip() for name in chosen.split(",") if name.strip()]
    if not isinstance(chosen, (list, tuple)):
        return chosen
    if not chosen:
        raise ValueError("no resolver is named; take one of " + ", ".join(BUILT_IN))
    failure = None
    for one in chosen:
        if not isinstance(one, str):
            return one
        try:
            return _by_name(one)
        except ImportError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _by_name(name: str) -> Any:
    from importlib import import_module

    module, colon, attribute = BUILT_IN.get(name, name).partition(":")
    if not colon:
        raise ValueError(f"no resolver is called {name!r}; there are {', '.join(BUILT_IN)}, or package.module:Class")
    return getattr(import_module(module), attribute)


def class_for(hub: Hub) -> Any:
    """What `hub.resolver_class` is until it is set."""
    found = resolver_class()
    return found if isinstance(found, type) else type(found)


def resolver_for(hub: Hub) -> Any:
    """What `hub.resolver` is until it is set."""
    found = resolver_class()
    if not isinstance(found, type) and hub.resolver_class is type(found):
        return found
    return hub.resolver_class(hub=hub)
