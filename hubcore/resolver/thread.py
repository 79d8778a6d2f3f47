"""The default resolver: the system's, each look-up in a worker thread, without the other greenlets waiting.

Look-ups for the same thing that are under way at the same time share one call. Addresses that need no look-up are
answered at once. A greenlet that is killed or times out stops waiting; the thread finishes the call for nobody.
"""

from __future__ import annotations

import _socket
import os
from operator import index

from hubcore import config
from hubcore._originals import allocate_lock
from hubcore._workers import Workers
from hubcore.hub import get_hub
from hubcore.resolver import AbstractResolver, is_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

    from hubcore._park import Waiter

_lock = allocate_lock()  # held for moments only, never across a wait
_under_way: dict[Hashable, LookUp] = {}
_workers: Workers | None = None


class LookUp:
    """One call of the system's resolver and those who wait for it."""

    cross_thread = True

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name = name
        self.arguments = arguments
        self.waiters: list[Waiter] = []
        self.result: Any = None
        self.error: BaseException | None = None

    def done(self, result: object, error: BaseException | None) -> None:
        """Called by the worker: wake everybody."""
        with _lock:
            self.result = result
            self.error = error
            if _under_way.get((self.name, self.arguments)) is self:
                del _under_way[(self.name, self.arguments)]
            waiters = self.waiters
        for waiter in waiters:
            waiter.wake(self)

    def __repr__(self) -> str:
        return f"<look-up {self.name}{self.arguments!r}>"


def _look_up(call: Callable[..., object], *arguments: Any) -> Any:
    global _workers
    hub = get_hub()
    key = (call.__name__, arguments)
    with _lock:
        if _workers is None:
            _workers = Workers(config.resolver_threads)
        look_up = _under_way.get(key)
        new = look_up is None
        if look_up is None:
            look_up = _under_way[key] = LookUp(*key)
        waiter = hub.new_waiter(look_up)
        look_up.waiters.append(waiter)
    if new:
        try:
            _workers.submit(lambda: call(*arguments), look_up.done)
        except RuntimeError as error:
            look_up.done(None, error)
    hub.loop.begin_external()
    try:
        hub.park(waiter)
    finally:
        hub.loop.end_external()
    if look_up.error is not None:
        # One of its own for each that waits: a traceback belongs to one stack.
        raise type(look_up.error)(*look_up.error.args)
    return look_up.result


def _hashable(host: object) -> object:
    return bytes(host) if isinstance(host, (bytearray, memoryview)) else host


class Resolver(AbstractResolver):
    """The system's resolver in threads, which are shared by all hubs."""

    def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[int, int, int, str, Any]]:
        """socket.getaddrinfo, cooperatively; with the numbers of families and types as plain ints. Switches."""
        needs_no_look_up = host is None or is_address(host) or flags & _socket.AI_NUMERICHOST
        if needs_no_look_up and (port is None or isinstance(port, int)):
            return _socket.getaddrinfo(host, port, family, type, proto, flags)
        if not (isinstance(host, (str, bytes)) or host is None) or not (
            isinstance(port, (str, bytes, int)) or port is None
        ):
            return _socket.getaddrinfo(host, port, family, type, proto, flags)  # it has the right error for that
        found: list[tuple[int, int, int, str, Any]] = _look_up(
            _socket.getaddrinfo, host, port, index(family), index(type), index(proto), index(flags)
        )
        return list(found)

    def gethostbyname(self, hostname: str) -> str:
        """socket.gethostbyname, cooperatively. Switches."""
        if is_address(hostname) and ":" not in hostname:
            return hostname
        found: str = _look_up(_socket.gethostbyname, _hashable(hostname))
        return found

    def gethostbyname_ex(self, hostname: str) -> tuple[str, list[str], list[str]]:
        """socket.gethostbyname_ex, cooperatively. Switches."""
        name, aliases, addresses = _look_up(_socket.gethostbyname_ex, _hashable(hostname))
        return name, list(aliases), list(addresses)

    def gethostbyaddr(self, ip_address: str) -> tuple[str, list[str], list[str]]:
        """socket.gethostbyaddr, cooperatively. Switches."""
        name, aliases, addresses = _look_up(_socket.gethostbyaddr, _hashable(ip_address))
        return name, list(aliases), list(addresses)

    def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
        """socket.getnameinfo, cooperatively. Switches."""
        if not isinstance(sockaddr, tuple):
            raise TypeError(f"getnameinfo takes an address tuple, not {sockaddr!r}")
        found: tuple[str, str] = _look_up(_socket.getnameinfo, sockaddr, flags)
        return found


def _after_fork_in_child() -> None:
    # The threads that work on what is under way are not in the child; a look-up for the same must start anew there.
    global _lock
    _lock = allocate_lock()
    _under_way.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
