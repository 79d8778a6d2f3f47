"""The resolver on c-ares, through the package pycares: the hub watches its sockets and timeouts; it needs no thread.

When a channel is closed, pycares itself starts a thread and keeps it. From then on no hub of the process raises
LoopExit, because that thread might still wake a greenlet.
"""

from __future__ import annotations

from _socket import EAI_AGAIN, EAI_FAIL, EAI_NONAME, SOCK_STREAM
from functools import partial

try:
    import pycares
except ImportError as _error:
    raise ImportError(
        "the resolver 'cares' needs the package pycares; install it with: pip install pycares"
    ) from _error

from hubcore._base.hints import Any
from hubcore.hub import get_hub
from hubcore.resolver._dns import DnsResolver, failure, no_name
from hubcore.watchers import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub
    from hubcore.watchers import Io, Timer

_BAD = pycares.ARES_SOCKET_BAD
_NO_NAME = {pycares.errno.ARES_ENOTFOUND, pycares.errno.ARES_ENODATA, pycares.errno.ARES_EBADNAME}
_FOR_NOW = {
    pycares.errno.ARES_ESERVFAIL,
    pycares.errno.ARES_ETIMEOUT,
    pycares.errno.ARES_ECONNREFUSED,
    pycares.errno.ARES_EREFUSED,
}


class Resolver(DnsResolver):
    """A resolver on c-ares. `options` are those of pycares.Channel: servers, timeout, tries, udp_port and others.

    `use_environ` is accepted for compatibility with gevent.
    """

    def __init__(self, hub: Hub | None = None, use_environ: bool = True, **options: Any) -> None:
        super().__init__(hub)
        self._options = options
        self._channel: Any = None
        self._ios: dict[int, Io] = {}
        self._timer: Timer | None = None
        self._asking = 0

    def close(self) -> None:
        """End the running queries and release the sockets."""
        super().close()
        channel, self._channel = self._channel, None
        self._stop()
        if channel is not None:
            channel.close()

    def _stop(self) -> None:
        ios, self._ios = self._ios, {}
        for io in ios.values():
            io.close()
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    # The hub's side of c-ares.

    def _watch(self, ios: dict[int, Io], fd: int, readable: bool, writable: bool) -> None:
        """Watch one of c-ares' sockets as c-ares now requests. c-ares calls this."""
        if ios is not self._ios:
            return  # the socket of a closed channel: pycares ends that channel in its own thread
        io = self._ios.pop(fd, None)
        if io is not None:
            io.close()
        mask = (READ if readable else 0) | (WRITE if writable else 0)
        if mask:
            io = self._ios[fd] = get_hub().loop.io(fd, mask)
            io.start(self._process, fd, pass_events=True)

    def _process(self, events: int, fd: int) -> None:
        if self._channel is not None:
            self._channel.process_fd(fd if events & READ else _BAD, fd if events & WRITE else _BAD)
            self._set_timer()

    def _tick(self) -> None:
        self._process(0, _BAD)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        if self._asking and self._channel is not None:
            self._timer = get_hub().loop.timer(max(self._channel.timeout(), 0.001))
            self._timer.start(self._tick)

    def _ask_cares(self, method: str, *args: Any, **options: Any) -> Any:
        if self._channel is None:
            self._channel = pycares.Channel(sock_state_cb=partial(self._watch, self._ios), **self._options)
        hub = get_hub()
        waiter = hub.new_waiter(self)
        answers: list[tuple[Any, int | None]] = []

        def answered(result: Any, error: int | None) -> None:
            answers.append((result, error))
            waiter.wake()

        self._asking += 1
        hub.loop.begin_external()  # c-ares uses the real clock
        try:
            getattr(self._channel, method)(*args, callback=answered, **options)
            self._set_timer()
            hub.park(waiter)
        finally:
            hub.loop.end_external()
            self._asking -= 1
            self._set_timer()
        result, error = answers[0]
        if error:
            raise LookupError(error)
        return result

    # The two queries.

    def _query_name(self, name: str, family: int) -> tuple[str, list[str], list[str]]:
        try:
            found = self._ask_cares("getaddrinfo", name, None, family=family, type=SOCK_STREAM)
        except LookupError as error:
            raise _gaierror(error.args[0]) from None
        addresses = [_str(node.addr[0]) for node in found.nodes if node.family == family]
        if not addresses:
            raise failure(EAI_NONAME)
        links = [(_str(link.alias), _str(link.name)) for link in found.cnames or ()]
        canonical = links[-1][1] if links else name
        return canonical, [alias for alias, _ in links if alias != canonical], addresses

    def _query_address(self, address: str) -> tuple[str, list[str]]:
        try:
            found = self._ask_cares("gethostbyaddr", address)
        except LookupError as error:
            if error.args[0] in _NO_NAME:
                raise no_name() from None
            raise _gaierror(error.args[0]) from None
        name = _str(found.name)
        return name, [alias for alias in map(_str, found.aliases or ()) if alias != name]


def _gaierror(code: int) -> Any:
    if code in _NO_NAME:
        return failure(EAI_NONAME)
    return failure(EAI_AGAIN if code in _FOR_NOW else EAI_FAIL)


def _str(text: bytes | str) -> str:
    return text.decode("ascii", "replace") if isinstance(text, bytes) else text
