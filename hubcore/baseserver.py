"""The base of all servers: listen, accept while there is room, stop."""

from __future__ import annotations

import errno
import sys

from greenlet import getcurrent

from hubcore._base.argument_checks import check_function
from hubcore._base.hints import Any, Callable, Self
from hubcore._diagnostics.describe import preload_reporting
from hubcore._sync.links import DirectLink
from hubcore.greenlet import Greenlet, spawn
from hubcore.hub import get_hub, sleep, spawn_raw

#: Errors of accept() that concern one connection only.
_PASSING = {errno.ECONNABORTED, errno.EPROTO, errno.EINTR, errno.EAGAIN, errno.EPERM}


class _Ended(DirectLink):
    """Removes a handler from a server's `handlers` as soon as it ends. A direct link costs less than a hub callback.

    One that was killed before it began has not closed what it was for, so that is done here.
    """

    __slots__ = ("handlers", "unstarted")

    def __init__(self, handlers: set[Any], unstarted: dict[Any, tuple[Callable[..., None], tuple[Any, ...]]]) -> None:
        self.handlers = handlers
        self.unstarted = unstarted

    def notify(self, source: Any) -> None:
        self.handlers.discard(source)
        if self.unstarted:
            close, args = self.unstarted.pop(source, (None, ()))
            if close is not None:
                close(*args)

    __call__ = notify


class BaseServer:
    """A server on `listener`, an address or a socket, that calls `handle(*args)` for each connection or datagram.

    `spawn` selects where the handler runs. "default": in a new Greenlet. "raw": in a new raw greenlet. None: in the
    accepting greenlet itself. A callable: it is called with the handler and its arguments. An object with `spawn`,
    `full` and `wait_available` (a Pool): it spawns the handlers and limits their number. A number: a Pool of that size.
    """

    #: Seconds before the next attempt after an error such as EMFILE; doubled after each further error.
    min_delay: float = 0.01
    max_delay: float = 1.0
    #: How many connections or datagrams the server takes without a wait before it yields.
    max_accept = 100
    #: Seconds that stop() gives handlers to finish before it kills them.
    stop_timeout: float | None = 1
    #: Seconds that stop() waits for handlers that it has killed.
    kill_timeout = 1
    #: The handler: the argument of that name, or a method of a subclass.
    handle: Callable[..., object] | None = None
    #: Errors of accept() after which the server stops.
    fatal_errors: tuple[int, ...] = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK)

    def __init__(self, listener: Any, handle: Callable[..., object] | None = None, spawn: Any = "default") -> None:
        self._acceptor: Greenlet | None = None
        self._handlers: set[Any] = set()
        self._unstarted: dict[Any, tuple[Callable[..., None], tuple[Any, ...]]] = {}
        self._handler_ended = _Ended(self._handlers, self._unstarted)
        self._stopped_waiters: list[Any] = []
        if handle is not None:
            self.set_handle(handle)
        self.set_listener(listener)
        self.set_spawn(spawn)

    # For subclasses.

    def make_listener(self, address: Any) -> Any:
        """Return a listening socket for `address`."""
        raise NotImplementedError(f"{type(self).__name__} must define make_listener()")

    def do_read(self) -> tuple[Any, ...] | None:
        """Return the arguments for the next call of `handle`, or None if nothing came after all. May switch."""
        raise NotImplementedError(f"{type(self).__name__} must define do_read()")

    def do_close(self, *args: Any) -> None:
        """Release what `do_read` returned. Called when its handler has ended or could not be started."""

    # Setting up.

    def set_listener(self, listener: Any) -> None:
        """Listen on `listener`: a listening socket, or an address that `start` binds. Never switches."""
        if hasattr(listener, "accept") or hasattr(listener, "recvfrom"):
            self.socket: Any = listener
            self.address: Any = listener.getsockname()
        elif isinstance(listener, (tuple, str, bytes, int)):
            self.socket = None
            self.address = parse_address(listener)
        else:
            raise TypeError(f"listener must be an address or a socket, not {listener!r}")

    def set_handle(self, handle: Callable[..., object]) -> None:
        """Set the handler for later connections or datagrams.

        TypeError if `handle` is not callable, or a coroutine function.
        """
        check_function(handle, "a server's handle")
        self.handle = handle

    def set_spawn(self, spawn: Any) -> None:
        """Set where handlers run; the class's docstring lists the values of `spawn`."""
        self.pool: Any = None
        if spawn == "default":
            self._spawn: Callable[..., Any] | None = Greenlet.spawn
        elif spawn == "raw":
            self._spawn = spawn_raw
        elif isinstance(spawn, int) and not isinstance(spawn, bool):
            from hubcore.pool import Pool

            self.pool = Pool(spawn)
            self._spawn = self.pool.spawn
        elif spawn is None or callable(spawn):
            self._spawn = spawn
        elif hasattr(spawn, "spawn"):
            self.pool = spawn
            self._spawn = spawn.spawn
        else:
            raise TypeError(f"spawn must be 'default', 'raw', None, a callable, a pool or its size, not {spawn!r}")

    @property
    def started(self) -> bool:
        """Whether the server accepts connections or datagrams."""
        return self._acceptor is not None

    @property
    def closed(self) -> bool:
        """Whether the server neither listens nor accepts."""
        return self.socket is None

    @property
    def server_host(self) -> str | None:
        """The host that the server listens on; None if its address is not an Internet address."""
        return self.address[0] if isinstance(self.address, tuple) else None

    @property
    def server_port(self) -> int | None:
        """The port that the server listens on; None if its address is not an Internet address."""
        return self.address[1] if isinstance(self.address, tuple) else None

    def full(self) -> bool:
        """Return whether the server's pool is full, so that the server does not accept."""
        return bool(self.pool is not None and self.pool.full())

    # Running.

    def start(self) -> None:
        """Listen, and accept in a background greenlet. Never switches. Does nothing if the server is started."""
        if self.started:
            return
        # accept() fails when file descriptors run out, and an import needs one: import the reporting code now.
        preload_reporting()
        self.init_socket()
        self.start_accepting()

    def init_socket(self) -> None:
        """Bind and listen, unless the server listens already. `start` does this first."""
        if self.socket is None:
            self.socket = self.make_listener(self.address)
            self.address = self.socket.getsockname()

    def is_fatal_error(self, ex: BaseException) -> bool:
        """Return whether the server stops after the error `ex` of `do_read`."""
        return isinstance(ex, OSError) and ex.errno in self.fatal_errors

    def start_accepting(self) -> None:
        """Start to accept on the socket that the server listens on. Never switches."""
        if self._acceptor is None:
            self._acceptor = spawn(self._accept_forever)

    def stop_accepting(self) -> None:
        """Stop accepting, but keep listening. Never switches."""
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is not None:
            acceptor.kill(block=False)

    def close(self) -> None:
        """Stop accepting and listening; handlers go on. Never switches."""
        self.stop_accepting()
        socket, self.socket = self.socket, None
        if socket is not None:
            socket.close()
        waiters, self._stopped_waiters = self._stopped_waiters, []
        for waiter in waiters:
            waiter.wake()

    def stop(self, timeout: float | None = None) -> None:
        """Close, wait up to `timeout` seconds (default `stop_timeout`) for the handlers, then kill the rest. Switches.

        This concerns only this server's own handlers, also when servers share a pool. The server cannot wait for
        handlers of spawn="raw", nor for those of a callable that does not return a Greenlet.
        """
        self.close()
        if timeout is None:
            timeout = self.stop_timeout
        from hubcore._sync.wait import joinall, killall

        handlers = [each for each in self._handlers if isinstance(each, Greenlet) and each is not getcurrent()]
        joinall(handlers, timeout)
        killall([each for each in handlers if not each.ready()], timeout=self.kill_timeout)

    def serve_forever(self, stop_timeout: float | None = None) -> None:
        """Start, wait until the server is stopped or the calling greenlet is interrupted, then stop. Switches."""
        if not self.started:
            self.start()
        hub = get_hub()
        waiter = hub.new_waiter(self)
        self._stopped_waiters.append(waiter)
        try:
            hub.park(waiter)
        finally:
            self.stop(stop_timeout)

    def _accept_forever(self) -> None:
        delay = self.min_delay
        taken = 0
        while True:
            self._wait_for_room()
            try:
                args = self.do_read()
            except OSError as error:
                if self._acceptor is not getcurrent():
                    return  # it was stopped, and the listener closed, after something had come
                if error.errno in _PASSING:
                    continue
                if self.is_fatal_error(error):
                    get_hub().handle_error(self, *sys.exc_info())
                    self._acceptor = None
                    self.close()
                    return
                # Such as EMFILE: room returns when other connections end. Report only the first error of a series.
                if delay == self.min_delay:
                    get_hub().handle_error(self, *sys.exc_info())
                sleep(delay)
                delay = min(self.max_delay, delay * 2)
                continue
            delay = self.min_delay
            if args is None:
                continue
            try:
                self.do_handle(*args)
            except Exception:
                # A handler failed in this greenlet, or could not be spawned. The next one may succeed.
                get_hub().handle_error(self, *sys.exc_info())
            taken += 1
            if taken >= self.max_accept:
                taken = 0
                sleep(0)

    def _wait_for_room(self) -> None:
        """Wait until one more may be accepted. Switches unless it may."""
        if self.pool is not None and self.pool.full():
            self.pool.wait_available()

    def do_handle(self, *args: Any) -> None:
        """Run `handle(*args)` where `spawn` says. May switch."""
        if self._spawn is None:
            self._run_handler(*args)
            return
        try:
            handler = self._spawn(self._run_handler, *args)
        except BaseException:
            self.do_close(*args)
            raise
        if isinstance(handler, Greenlet):
            self._handlers.add(handler)
            self._unstarted[handler] = (self.do_close, args)
            handler.rawlink(self._handler_ended)

    def _run_handler(self, *args: Any) -> None:
        self._unstarted.pop(getcurrent(), None)
        try:
            self._call_handle(*args)
        finally:
            self.do_close(*args)

    def _call_handle(self, *args: Any) -> None:
        if self.handle is None:
            raise TypeError(f"{self!r} has no handler; pass handle= or call set_handle()")
        self.handle(*args)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "accepting" if self.started else "listening" if self.socket is not None else "closed"
        return f"<{type(self).__name__} {state} on {self.address!r}, {len(self._handlers)} handlers>"


def parse_address(address: Any) -> Any:
    """Return `address` in bind()'s form: "host:port", ":port" and a bare port become tuples; a path is unchanged."""
    if isinstance(address, int):
        address = ("", address)
    if isinstance(address, str) and "/" not in address and not address.startswith("\0"):
        host, _, port = address.rpartition(":")
        if port.isascii() and port.isdigit():
            return parse_address(("" if host == "*" else host.strip("[]"), int(port)))
        # bind() would create a Unix socket of that name in the current folder; "localhost" does not mean that.
        raise ValueError(f"{address!r} is neither host:port nor a path with a '/'")
    if isinstance(address, tuple):
        _check_pair(address)
    return address


def _check_pair(address: tuple[Any, ...]) -> None:
    right = "a server's address must be (host, port) with a port from 0 to 65535"
    if len(address) < 2 or not isinstance(address[0], (str, bytes)) or not isinstance(address[1], int):
        raise TypeError(f"{right}, not {address!r}")
    if not 0 <= address[1] <= 65535:
        raise OverflowError(f"{right}, not {address!r}")  # bind() raises the same class


__all__ = ["BaseServer", "parse_address"]
