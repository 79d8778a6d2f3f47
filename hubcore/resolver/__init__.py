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
_NEEDS = {"cares": "pycares", "ares": "pycares", "dnspython": "dns"}  # the package that it imports


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

    ValueError for a name that there is not, ImportError if none of those named is installed, TypeError for what is
    neither.
    """
    source = "the resolver asked for"
    if chosen is None:
        chosen, source = _configured()
    failures = []
    for one in _preferences(chosen, source):
        if not isinstance(one, str):
            return one
        try:
            return _by_name(one)
        except ImportError as error:
            failures.append(str(error))
    raise ImportError(f"{source} is {chosen!r}, but " + "; ".join(failures))


def check() -> None:
    """Raise what a look-up would for a configuration that names no resolver there is. Imports nothing where it does.

    For those who can say so early: the launchers, and a hub that is made.
    """
    chosen, source = _configured()
    for one in _preferences(chosen, source):
        if not isinstance(one, str) or _is_there(one):
            return
    resolver_class()


def _configured() -> tuple[Any, str]:
    """What the configuration names, and by what."""
    if config.resolver:
        return config.resolver, "hubcore.config.resolver"
    return os.environ.get("HUB_RESOLVER", "").strip() or "thread", "HUB_RESOLVER"


def _preferences(chosen: Any, source: str) -> list[Any]:
    """`chosen` as a list; ValueError or TypeError, of `source`, for a name that there is not and for what is none."""
    some = [name.strip() for name in chosen.split(",") if name.strip()] if isinstance(chosen, str) else chosen
    if not isinstance(some, (list, tuple)):
        some = [some]
    if not some:
        raise ValueError(f"{source} is {chosen!r}: no resolver is named; it takes {', '.join(BUILT_IN)}")
    for one in some:
        if isinstance(one, str):
            if one not in BUILT_IN and ":" not in one:
                raise ValueError(
                    f"{source} is {chosen!r}, but no resolver is called {one!r}; it takes {', '.join(BUILT_IN)}, or "
                    "package.module:Class"
                )
        elif not callable(getattr(one, "getaddrinfo", None)):
            raise TypeError(
                f"{source} is {chosen!r}; it takes a name ({', '.join(BUILT_IN)}, or package.module:Class), a class as "
                "hubcore.resolver.AbstractResolver, or one of its objects"
            )
    return list(some)


def _is_there(name: str) -> bool:
    """Whether what the resolver of that name takes is installed."""
    from importlib.util import find_spec

    package = _NEEDS.get(name) if name in BUILT_IN else name.partition(":")[0].partition(".")[0]
    try:
        return package is None or find_spec(package) is not None
    except (ImportError, ValueError):
        return False  # somebody has put None, or something without a spec, into sys.modules


def _by_name(name: str) -> Any:
    from importlib import import_module

    module, _, attribute = BUILT_IN.get(name, name).partition(":")
    if not all(part.isidentifier() for part in module.split(".")):
        raise ImportError(f"{module!r} is no module's name")
    try:
        return getattr(import_module(module), attribute)
    except AttributeError as error:
        raise ImportError(f"module {module!r} has no {attribute!r}") from error


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
