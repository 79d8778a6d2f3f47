"""Resolvers look up names. Each hub has one, `hub.resolver`, of the class that the configuration names.

    thread       the system's resolver, in worker threads (the default)
    cares        c-ares through the package pycares; `ares` is gevent's name for it
    dnspython    the package dnspython on cooperative sockets
    block        the system's resolver, called directly: a look-up blocks the thread

`hubcore.config.resolver`, or else the environment variable HUB_RESOLVER, holds a name, several names in order of
preference (a list, or separated by commas; the first whose package is installed is used), `package.module:Class`, a
class, or a resolver object. A program may set and delete `hub.resolver` and `hub.resolver_class`.
"""

from __future__ import annotations

import os

from hubcore import config
from hubcore._base.hints import Any, Late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub
else:
    Hub = Late("hubcore.hub:Hub")

BUILT_IN = {
    "thread": "hubcore.resolver.thread:Resolver",
    "cares": "hubcore.resolver.cares:Resolver",
    "ares": "hubcore.resolver.cares:Resolver",
    "dnspython": "hubcore.resolver.dnspython:Resolver",
    "block": "hubcore.resolver.blocking:Resolver",
}
_NEEDS = {"cares": "pycares", "ares": "pycares", "dnspython": "dns"}  # the package that each resolver imports


class AbstractResolver:
    """The five look-ups of the socket module, with its results and errors; families and types are plain ints.

    Each of them may switch. Greenlets share a resolver. A kill or a Timeout ends the wait of that one greenlet only.
    """

    def __init__(self, hub: Hub | None = None) -> None:
        self.hub = hub

    def close(self) -> None:
        """Release the resolver's resources. It can be used again afterwards."""

    def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[int, int, int, str, Any]]:
        """Like socket.getaddrinfo."""
        raise NotImplementedError(f"{self!r} must define getaddrinfo()")

    def gethostbyname(self, hostname: str) -> str:
        """Like socket.gethostbyname."""
        raise NotImplementedError(f"{self!r} must define gethostbyname()")

    def gethostbyname_ex(self, hostname: str) -> tuple[str, list[str], list[str]]:
        """Like socket.gethostbyname_ex."""
        raise NotImplementedError(f"{self!r} must define gethostbyname_ex()")

    def gethostbyaddr(self, ip_address: str) -> tuple[str, list[str], list[str]]:
        """Like socket.gethostbyaddr."""
        raise NotImplementedError(f"{self!r} must define gethostbyaddr()")

    def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
        """Like socket.getnameinfo."""
        raise NotImplementedError(f"{self!r} must define getnameinfo()")

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} at {id(self):#x}>"


def resolver_class(chosen: Any = None) -> Any:
    """Return the class that `chosen`, or else the configuration, names; a resolver object is returned itself.

    ValueError for an unknown name, ImportError if the package of none of the names is installed, TypeError for a value
    of another type.
    """
    source = "the chosen resolver"
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
    """Raise the error that a look-up would raise if the configuration names no usable resolver.

    If it names one, this imports nothing. Launchers and new hubs call it to report the error early.
    """
    chosen, source = _configured()
    for one in _preferences(chosen, source):
        if not isinstance(one, str) or _is_there(one):
            return
    resolver_class()


def _configured() -> tuple[Any, str]:
    """Return the configured resolver, and the name of the setting that holds it."""
    if config.resolver:
        return config.resolver, "hubcore.config.resolver"
    return os.environ.get("HUB_RESOLVER", "").strip() or "thread", "HUB_RESOLVER"


def _preferences(chosen: Any, source: str) -> list[Any]:
    """Return `chosen` as a list. ValueError for an unknown name, TypeError for a wrong type; both name `source`."""
    some = [name.strip() for name in chosen.split(",") if name.strip()] if isinstance(chosen, str) else chosen
    if not isinstance(some, (list, tuple)):
        some = [some]
    if not some:
        raise ValueError(f"{source} is {chosen!r}, which names no resolver; choose from {', '.join(BUILT_IN)}")
    for one in some:
        if isinstance(one, str):
            if one not in BUILT_IN and ":" not in one:
                raise ValueError(
                    f"{source} is {chosen!r}, but there is no resolver {one!r}; choose from {', '.join(BUILT_IN)} or "
                    "give package.module:Class"
                )
        elif not callable(getattr(one, "getaddrinfo", None)):
            raise TypeError(
                f"{source} must be a name ({', '.join(BUILT_IN)}, or package.module:Class), a class like "
                f"hubcore.resolver.AbstractResolver, or an object of such a class, not {chosen!r}"
            )
    return list(some)


def _is_there(name: str) -> bool:
    """Return whether the package that the resolver of that name needs is installed."""
    from importlib.util import find_spec

    package = _NEEDS.get(name) if name in BUILT_IN else name.partition(":")[0].partition(".")[0]
    try:
        return package is None or find_spec(package) is not None
    except (ImportError, ValueError):
        return False  # sys.modules holds None, or a module without a spec, under that name


def _by_name(name: str) -> Any:
    from importlib import import_module

    module, _, attribute = BUILT_IN.get(name, name).partition(":")
    if not all(part.isidentifier() for part in module.split(".")):
        raise ImportError(f"{module!r} is not a module name")
    try:
        return getattr(import_module(module), attribute)
    except AttributeError as error:
        raise ImportError(f"module {module!r} has no {attribute!r}") from error


def class_for(hub: Hub) -> Any:
    """Return the default of `hub.resolver_class`."""
    found = resolver_class()
    return found if isinstance(found, type) else type(found)


def resolver_for(hub: Hub) -> Any:
    """Return the default of `hub.resolver`."""
    found = resolver_class()
    if not isinstance(found, type) and hub.resolver_class is type(found):
        return found
    return hub.resolver_class(hub=hub)
