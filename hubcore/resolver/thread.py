"""The default resolver: the system's. Each look-up runs in a worker thread, while other greenlets go on.

Equal look-ups that run at the same time share one call. Addresses that need no look-up are answered at once. A killed
or timed-out greenlet stops waiting; the thread finishes the call, and its result is dropped.
"""

from __future__ import annotations

import _socket
import os
from operator import index

from hubcore import config
from hubcore._base.hints import Any, Callable
from hubcore._base.originals import allocate_lock
from hubcore._base.worker_threads import Workers
from hubcore._sockets.ip_literals import is_address
from hubcore.hub import get_hub
from hubcore.resolver import AbstractResolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from hubcore._core.waiter import Waiter

_lock = allocate_lock()  # held only briefly, never across a wait
_under_way: dict[Hashable, LookUp] = {}
_workers: Workers | None = None


class LookUp:
    """One call of the system's resolver, and its waiters."""

    cross_thread = True

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name = name
        self.arguments = arguments
        self.waiters: list[Waiter] = []
        self.result: Any = None
        self.error: BaseException | None = None

    def done(self, result: object, error: BaseException | None) -> None:
        """Store the outcome and wake all waiters. The worker calls this."""
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
        # A new exception for each waiter: a traceback belongs to one stack.
        raise type(look_up.error)(*look_up.error.args)
    return look_up.result


def _hashable(host: object) -> object:
    return bytes(host) if isinstance(host, (bytearray, memoryview)) else host


class Resolver(AbstractResolver):
    """The system's resolver, in threads that all hubs share."""

    def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[int, int, int, str, Any]]:
        """Like socket.getaddrinfo, but families and types are plain ints. Switches."""
        needs_no_look_up = host is None or is_address(host) or flags & _socket.AI_NUMERICHOST
        if needs_no_look_up and (port is None or isinstance(port, int)):
            return _socket.getaddrinfo(host, port, family, type, proto, flags)
        if not (isinstance(host, (str, bytes)) or host is None) or not (
            isinstance(port, (str, bytes, int)) or port is None
        ):
            return _socket.getaddrinfo(host, port, family, type, proto, flags)  # raises the right error
        found: list[tuple[int, int, int, str, Any]] = _look_up(
            _socket.getaddrinfo, host, port, index(family), index(type), index(proto), index(flags)
        )
        return list(found)

    def gethostbyname(self, hostname: str) -> str:
        """Like socket.gethostbyname. Switches."""
        if is_address(hostname) and ":" not in hostname:
            return hostname
        found: str = _look_up(_socket.gethostbyname, _hashable(hostname))
        return found

    def gethostbyname_ex(self, hostname: str) -> tuple[str, list[str], list[str]]:
        """Like socket.gethostbyname_ex. Switches."""
        name, aliases, addresses = _look_up(_socket.gethostbyname_ex, _hashable(hostname))
        return name, list(aliases), list(addresses)

    def gethostbyaddr(self, ip_address: str) -> tuple[str, list[str], list[str]]:
        """Like socket.gethostbyaddr. Switches."""
        name, aliases, addresses = _look_up(_socket.gethostbyaddr, _hashable(ip_address))
        return name, list(aliases), list(addresses)

    def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
        """Like socket.getnameinfo. Switches."""
        if not isinstance(sockaddr, tuple):
            raise TypeError(f"getnameinfo(): sockaddr must be a tuple, not {sockaddr!r}")
        found: tuple[str, str] = _look_up(_socket.getnameinfo, sockaddr, flags)
        return found


def _after_fork_in_child() -> None:
    # The child has none of the threads that run the current look-ups, so an equal look-up must start anew there.
    global _lock
    _lock = allocate_lock()
    _under_way.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
