"""An HTTP/1.1 server for WSGI applications, safe to put on a network: `WSGIServer`, with gevent's names.

Each connection has a greenlet; its requests are answered one after the other. Every limit has a default: see
`hubcore._http.limits`, and docs/http.md. It needs the parser httptools: pip install 'hubcore[http]'.
"""

from __future__ import annotations

import signal
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from greenlet import getcurrent

from hubcore._base.originals import original
from hubcore._base.package import publish_all
from hubcore._http import forwarded, logs, proxyprotocol
from hubcore._http.body import Input
from hubcore._http.environs import (
    BaseEnviron,
    Environ,
    SecureEnviron,
    WSGISecureEnviron,
    base_environ,
    name_and_port,
)
from hubcore._http.errors import BadRequest, ClientGone
from hubcore._http.handler import Handler
from hubcore._http.limits import Limits, take
from hubcore._http.logs import LoggingLogAdapter
from hubcore._http.rules import HEADER_MAPS, Rules
from hubcore.event import Event
from hubcore.greenlet import Greenlet
from hubcore.hub import get_hub
from hubcore.server import StreamServer
from hubcore.socket import wait_read

__all__ = [
    "BadRequest",
    "ClientGone",
    "Environ",
    "Input",
    "Limits",
    "LoggingLogAdapter",
    "SecureEnviron",
    "WSGIHandler",
    "WSGISecureEnviron",
    "WSGIServer",
]

# Connections that wait in the kernel when the server stops, and are served all the same.
_MOST_TAKEN = 1000


class WSGIHandler(Handler):
    """Serves one connection, request after request. `handler_class` of a server is this or a subclass.

    A subclass may have its own of these methods, which are called as gevent calls them: handle, handle_one_request,
    read_requestline, read_request, get_environ, handle_one_response, run_application, start_response, write,
    finalize_headers, process_result, log_request, format_request, handle_error, log_error. A handler without any of its
    own is the fastest; start_response, handle, handle_error and log_error cost nothing, the others up to a fifth.
    """

    __slots__ = ()


class WSGIServer(StreamServer):
    """Serves the WSGI `application` on `listener`, which is as for StreamServer, as are `spawn` and `ssl_args`.

    `log` and `error_log` are "default" (stderr), None, a logger, or a stream; `log_format` is combined, common, json, a
    string of gunicorn's atoms, or a function of the finished WSGIHandler. `environ` is added to each request's environ.

    With a pool for `spawn`, its size limits the requests that run, not the connections, unless `pool_counts` is
    "connections". Limits are named as in `Limits`, and given one by one, or all by `limits`.

    Forwarded fields are believed only from `forwarded_allow_ips`: addresses, networks, "unix" or "*". `header_map` says
    what happens to a field with an underscore in its name: drop, refuse, or dangerous (keep). `server_header` is the
    Server field, None for none. With `proxy_protocol` each connection has to begin with a PROXY header.
    """

    #: What serves a connection.
    handler_class: type[Handler] = WSGIHandler
    #: What an environ is; a subclass of dict, if it is not dict, makes each request slower.
    environ_class: type[dict[str, Any]] = dict
    secure_environ_class = WSGISecureEnviron
    alpn_protocols: tuple[str, ...] = ("http/1.1",)
    #: Seconds within which a client that has just got a response may still send a request when the server stops.
    idle_grace: float = 0.25
    #: Whether to accept, when the server stops, the connections that wait in the kernel.
    takes_waiting = True
    base_env: dict[str, Any] = {}
    log: Any = None
    error_log: Any = None

    def __init__(
        self,
        listener: Any,
        application: Callable[..., Any] | None = None,
        backlog: int | None = None,
        spawn: Any = "default",
        log: Any = "default",
        error_log: Any = "default",
        handler_class: type[Handler] | None = None,
        environ: dict[str, Any] | None = None,
        *,
        limits: Limits | None = None,
        log_format: str | Callable[[Any], str] = "combined",
        pool_counts: str = "requests",
        forwarded_allow_ips: Any = (),
        header_map: str = "drop",
        server_header: str | None = "hubcore",
        proxy_protocol: bool = False,
        proxy_allow_ips: Any = "*",
        reuse_port: bool | None = None,
        **more: Any,
    ) -> None:
        self.limits: Limits = replace(limits or Limits(), **take(more))
        if backlog is None and not hasattr(listener, "accept"):
            backlog = self.limits.backlog
        if application is not None and not callable(application):
            raise TypeError(f"a WSGI application is callable, not {application!r}")
        if handler_class is not None:
            self.handler_class = handler_class
        self.application = application
        self.stopping: Event = Event()
        self.pool_counts = pool_counts
        self._open = 0
        self._room = Event()
        self._rules = rules = Rules(self.limits)
        rules.header_map = _choice("header_map", header_map, HEADER_MAPS)
        _choice("pool_counts", pool_counts, {"requests": 0, "connections": 1})
        rules.trusted = forwarded.trusted(forwarded_allow_ips)
        rules.server_line = _server_line(server_header)
        self._proxies = proxyprotocol.trusted(proxy_allow_ips) if proxy_protocol else None
        if more and "ssl_context" not in more and "certfile" not in more and "keyfile" not in more:
            raise TypeError(f"a WSGIServer has no argument {', '.join(sorted(more))}")
        super().__init__(listener, None, backlog, spawn, reuse_port=reuse_port, **more)
        self.handshake_timeout: float | None = self.limits.header_timeout or None
        self.stop_timeout = self.limits.graceful_timeout or None
        if self.limits.max_connections or pool_counts == "connections":
            rules.idle = OrderedDict()
        self.log = logs.as_stream(log, 20)
        self.error_log = logs.as_stream(error_log, 40)
        if self.log is not None:
            rules.log = logs.AccessLog(self.log, log_format)
        self.set_environ(environ)
        self.set_max_accept()

    # The environ.

    def set_environ(self, environ: dict[str, Any] | None = None) -> None:
        """Have `environ` be added to each request's environ."""
        self._given = dict(environ or {})
        base = base_environ(self.error_log, self.ssl_enabled) | self._given
        self.base_env = BaseEnviron(base, self._take_base)
        self.update_environ()

    def update_environ(self) -> None:
        """Put the address into the environ; called once it is known."""
        name, port = name_and_port(self.address, self.ssl_enabled)
        self.base_env["SERVER_NAME"] = self._given.get("SERVER_NAME", name)
        self.base_env["SERVER_PORT"] = self._given.get("SERVER_PORT", port)
        own = self.environ_class is not dict or type(self).get_environ is not WSGIServer.get_environ
        self._rules.copies_base = not own and type(self.base_env) is BaseEnviron

    def _take_base(self, template: dict[str, Any]) -> None:
        self._rules.base = template

    def get_environ(self) -> dict[str, Any]:
        """A new environ, without what belongs to a request."""
        return self.environ_class(self.base_env)

    def set_max_accept(self) -> None:
        """Have several processes that share a listener take one connection at a time."""
        if self.base_env.get("wsgi.multiprocess"):
            self.max_accept = 1

    # Listening and accepting.

    @property
    def loop(self) -> Any:
        """The loop of the hub that it runs in."""
        return get_hub().loop

    @property
    def statistics(self) -> dict[str, int]:
        """How many connections are open, how many requests have begun, were refused, and how many clients went away."""
        rules = self._rules
        return {
            "connections": self._open,
            "requests": rules.requests,
            "refused": rules.refused,
            "resets": rules.resets,
        }

    def set_spawn(self, spawn: Any) -> None:
        """See the class."""
        super().set_spawn(spawn)
        pool = self.pool
        if self.pool_counts == "requests" and hasattr(pool, "add") and hasattr(pool, "discard"):
            self._rules.pool = pool
            self._spawn = Greenlet.spawn

    def init_socket(self) -> None:
        """Listen, unless it does already."""
        super().init_socket()
        if self.socket is not None and self.socket.family in (2, 10, 30):  # of the Internet, on Linux and macOS
            # What is accepted inherits it: a response in parts must not wait for the peer's acknowledgements.
            import socket

            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.update_environ()

    def start(self) -> None:
        """Listen and accept, in the background. Never switches. Harmless when started."""
        if self.application is None and type(self).handle is WSGIServer.handle:
            raise TypeError(f"{self!r} was given no application")
        self._rules.application = self.application
        self._rules.stopping = False
        self._rules.idle_grace = self.idle_grace
        self.stopping.clear()
        super().start()

    def handle(self, sock: Any, address: Any) -> None:
        """Serve a connection to its end. Switches."""
        self.handler_class(sock, address, self).handle()

    # As the base class has them, but with the arguments one by one: calls with * take C stack, of which each idle
    # connection would hold a copy.

    def _run_handler(self, sock: Any, address: Any) -> None:
        self._unstarted.pop(getcurrent(), None)
        try:
            self._call_handle(sock, address)
        finally:
            self.do_close(sock, address)

    def _call_handle(self, sock: Any, address: Any) -> None:
        if self._proxies is not None:
            found = proxyprotocol.read(sock, address, self._proxies, self.limits.header_timeout)
            if not found:
                return
            sock, address = found
        if self._wrap is not None:
            self.wrap_socket_and_handle(sock, address)
        else:
            self.handle(sock, address)

    def do_handle(self, *args: Any) -> None:
        """Have a connection served."""
        self._open += 1
        super().do_handle(*args)

    def do_close(self, sock: Any, *args: Any) -> None:
        """Close a connection that has been served."""
        self._open -= 1
        super().do_close(sock, *args)
        self._room.set()

    def _lacks_room(self) -> Any:
        """What to call to wait for room for one more connection; None where there is room."""
        most = self.limits.max_connections
        if most and self._open >= most:
            return self._room.wait
        if self.pool is not None and self._rules.pool is None and self.pool.full():
            return self.pool.wait_available
        return None

    def _wait_for_room(self) -> None:
        rules = self._rules
        while self._lacks_room() is not None and self.socket is not None:
            try:
                wait_read(self.socket.fileno())
            except OSError:
                return  # it is closed; accepting says so
            wait = self._lacks_room()
            if wait is None:
                return
            # A client waits: the connection that has been idle longest makes room, or the next one that becomes idle.
            rules.crowded = True
            try:
                if rules.idle:
                    next(iter(rules.idle)).end_idle()
                self._room.clear()
                wait()
            finally:
                rules.crowded = False

    # Stopping.

    def stop(self, timeout: float | None = None) -> None:
        """Listen no more, end idle connections, wait for requests that run; kill what is left. Switches.

        `timeout` is in seconds, graceful_timeout by default. Responses from now on end their connections. What has been
        handed over, such as a WebSocket, learns of it by `stopping`, an Event, and is killed at the end of the time.
        """
        rules = self._rules
        if self.started and self.takes_waiting:
            self._take_waiting()
        rules.stopping = True
        self.stopping.set()
        self.close()
        for connection in list(rules.connections):
            connection.look_again()
        try:
            super().stop(timeout)
        finally:
            if rules.log is not None:
                rules.log.flush()

    def _take_waiting(self) -> None:
        """Accept what waits in the kernel: closing the listener would reset it."""
        listener = self.socket
        self.stop_accepting()
        if listener is None or not hasattr(listener, "settimeout"):
            return
        before = listener.gettimeout()
        try:
            listener.settimeout(0.0)
            for _ in range(_MOST_TAKEN):
                self.do_handle(*listener.accept())
        except OSError:
            pass  # there is none left
        finally:
            try:
                listener.settimeout(before)
            except OSError:
                pass

    def serve_forever(self, stop_timeout: float | None = None) -> None:
        """Start, wait until the server is stopped or interrupted, and stop. Returns when the last request is over.

        In the main greenlet SIGTERM and Ctrl-C stop it; a second Ctrl-C is a KeyboardInterrupt at once. Switches.
        """
        self.start()
        hub = get_hub()
        signals = _Signals(self._wake_server) if getcurrent() is hub.main else None
        waiter = hub.new_waiter(self)
        self._stopped_waiters.append(waiter)
        try:
            try:
                hub.park(waiter)
            finally:
                try:
                    self.stop(stop_timeout)
                except KeyboardInterrupt:
                    self.stop(0)
                    raise
        finally:
            if signals is not None:
                signals.close()

    def _wake_server(self) -> None:
        waiters, self._stopped_waiters = self._stopped_waiters, []
        for waiter in waiters:
            waiter.wake()


class _Signals:
    """Has SIGTERM and Ctrl-C call `stop`, where the program has no handlers of its own; once, then they are as before.

    Ctrl-C is a handler of Python's: a second one ends the greenlet that runs, even if the hub never gets its turn.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._loop = get_hub().loop
        self._watcher: Any = None
        self._set: Callable[..., Any] = original("signal", "signal")
        self._before: Any = None
        try:
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                self._before = self._set(signal.SIGINT, self._interrupted)
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                self._watcher = self._loop.signal(signal.SIGTERM, False)
                self._watcher.start(stop)
        except ValueError:
            pass  # not in the main thread

    def _interrupted(self, *args: object) -> None:
        self._set(signal.SIGINT, self._before)
        self._loop.run_callback_threadsafe(self._stop)

    def close(self) -> None:
        """Have them be as before."""
        if self._watcher is not None:
            self._watcher.close()
        if self._before is not None and signal.getsignal(signal.SIGINT) == self._interrupted:
            self._set(signal.SIGINT, self._before)


def _choice(name: str, value: str, choices: dict[str, int]) -> int:
    if value not in choices:
        raise ValueError(f"{name} is {' or '.join(map(repr, choices))}, not {value!r}")
    return choices[value]


def _server_line(value: str | None) -> bytes:
    if not value:
        return b""
    from hubcore._http.headlines import checked_line

    return checked_line("Server", value)


publish_all(globals())
