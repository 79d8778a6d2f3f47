"""One connection: request after request, each within its time, until one side ends it.

A connection that waits for a request holds a greenlet and no buffer. It counts as idle until the first byte of one has
come, and may be ended any time before.
"""

from __future__ import annotations

import logging

from greenlet import getcurrent

from hubcore._base import uncompiled as cython
from hubcore._http.errors import BadRequest, ClientGone
from hubcore._http.exchange import BITS, Exchange
from hubcore._http.response import as_bytes
from hubcore._http.upgrade import HandOver
from hubcore._http.wire import is_time_out
from hubcore.hub import get_hub

if not cython.compiled:
    from hubcore._capi.fallback import recv_ready
    from hubcore._http.body import EMPTY
    from hubcore._http.exchange import LOG, ONE_REQUEST, READ_REQUEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore._http.rules import Rules

_AT_ONCE = 65536
_LINGER = 2.0  # seconds in which the client may go on sending, so that it gets its response
_MOMENT = 1e-3  # seconds: just long enough to see what is there
_log = logging.getLogger("hubcore.http")
_hooks_of: dict[type, int] = {}


class Connection(Exchange):
    """Serves one connection: `handle` is all of it."""

    __slots__ = ("_idle", "_idle_since", "_in_a_row", "_tls_waits")

    def __init__(self, sock: Any, address: Any, server: Any, rules: Rules) -> None:
        Exchange.__init__(self, sock, address, server, rules)
        self._idle = False
        self._idle_since = 0.0
        self._in_a_row = 0  # requests that were there when the one before was answered
        # Of a socket that is used by its methods: what it waits for, so that the wait can be ended.
        self._tls_waits = getattr(sock, "_fd_waits", None) if self._waits is None else None
        kind = type(self)
        hooks = _hooks_of.get(kind, -1)
        self._hooks = hooks if hooks >= 0 else _find_hooks(kind)

    def handle(self) -> None:
        """Serve the connection to its end, and close it. Switches."""
        connections = self.rules.connections
        connections[self] = None
        hooked = self._hooks & ONE_REQUEST
        try:
            while self._hooked_request() if hooked else self._one_request():
                pass
        finally:
            connections.pop(self, None)
            self._end()

    def _hooked_request(self) -> bool:
        """Serve one request where a subclass does so; whether another may follow."""
        outcome: Any = self.handle_one_request()
        if isinstance(outcome, tuple):
            self.status, data = outcome
            self._send(as_bytes(data))
            self.log_request()
            return False
        return bool(outcome)

    def handle_one_request(self) -> Any:
        """Wait for a request and answer it: True if another may follow, else None. Switches.

        A subclass may also return a tuple, of a status and a whole response, which is then sent as the last one.
        """
        return True if self._one_request() else None

    def _one_request(self) -> bool:
        try:
            end = self._await_head()
            if end < 0:
                return False
            if self._hooks & READ_REQUEST:
                self._hooked_read(end)
            else:
                self._take_head(end)
        except BadRequest as error:
            self._refuse(error)
            return False
        except ClientGone:
            return False
        self._served += 1
        rules = self.rules
        rules.requests += 1
        pool = rules.pool
        if pool is None:
            self._run_request()
        else:
            current = getcurrent()
            pool.add(current)
            try:
                self._run_request()
            finally:
                pool.discard(current)
        return self._after_request()

    # Waiting for a request.

    def _await_head(self) -> int:
        """Wait for the head of a request; where it ends in the buffer, or -1 if there is none to come. Switches."""
        end_of_time = -1.0
        while True:
            if self._buffer:
                end = self._find_end()
                if end >= 0:
                    return end
            if not self._lines and self._line_start == len(self._buffer):
                # Nothing has come yet, or the empty line that some clients send after a body.
                data = self._await_bytes()
                if not data:
                    return -1
            else:
                if end_of_time < 0.0:
                    end_of_time = self._now() + self.rules.header_timeout
                data = self._await_rest(end_of_time)
            self._buffer = self._buffer + data if self._buffer else data

    def _await_rest(self, end_of_time: float) -> bytes:
        """More of a head that has begun to come, by `end_of_time` on the loop's clock."""
        timeout = self.rules.header_timeout
        left = -1.0
        if timeout > 0.0:
            left = end_of_time - self._now()
        try:
            if timeout > 0.0 and left <= 0.0:
                raise TimeoutError("timed out")
            data = self._receive(left)
        except TimeoutError as error:
            if not is_time_out(error):
                raise
            raise BadRequest(408, f"the head took more than {timeout:g} seconds") from None
        if not data:
            raise BadRequest(400, "the connection was ended in the middle of a head")
        return data

    def _await_bytes(self) -> bytes:
        """Wait, with nothing in the buffer, for what comes next; b"" where the connection has to end. Switches."""
        rules = self.rules
        waits = self._waits
        if waits is not None and not self._served and not waits.short_read:
            data = recv_ready(waits, _AT_ONCE)  # most clients send their first request at once
            if data is not None:
                if 0 < len(data) < _AT_ONCE:
                    waits.short_read = True
                return data
        self._idle = not rules.crowded
        self._idle_since = get_hub().loop.now()
        if rules.idle is not None:
            rules.idle[self] = None
        try:
            timeout = rules.keepalive if self._served else rules.header_timeout
            if not self._idle and self._served:
                timeout = _MOMENT
            return self._await_idle(timeout) if waits is not None else self._await_idle_any(timeout)
        except TimeoutError as error:
            if not is_time_out(error):
                raise
        except ConnectionError:
            pass  # a client may reset a connection that is idle
        finally:
            self._idle = False
            if rules.idle is not None:
                rules.idle.pop(self, None)
        return b""

    def _await_idle(self, timeout: float) -> bytes:
        waits = self._waits
        assert waits is not None
        waits.short_read = False
        while True:
            if self.rules.stopping:
                timeout = self._grace()
                if timeout <= 0.0:
                    return recv_ready(waits, _AT_ONCE) or b""
            waits.wait_read(timeout)
            data = recv_ready(waits, _AT_ONCE)
            if data is not None:
                if 0 < len(data) < _AT_ONCE:
                    waits.short_read = True
                return data
            if not self._idle:
                return b""  # another connection needs its place

    def _await_idle_any(self, timeout: float) -> bytes:
        """As `_await_idle`, for a socket that is used by its methods."""
        sock = self.socket
        waits = self._tls_waits
        if waits is None:
            return self._receive(timeout)
        readable_now = getattr(sock, "_readable_now", None)
        while True:
            if self.rules.stopping:
                timeout = self._grace()
            if timeout != 0.0 and (readable_now is None or not readable_now()):
                waits.wait_read(timeout)
            sock.settimeout(0.0)
            try:
                data: bytes = sock.recv(_AT_ONCE)
                return data
            except OSError as error:
                if not _would_block(error):
                    raise ConnectionError(str(error)) from error
            if timeout == 0.0 or not self._idle:
                return b""

    def _grace(self) -> float:
        """How long a connection that is idle may still stay so when the server stops.

        A client that has just got a response may have sent its next request by now: closing would lose that.
        """
        return max(0.0, self._idle_since + self.rules.idle_grace - self._now())

    def look_again(self) -> None:
        """The server stops: if the connection is idle, have it end soon. Hub's thread only; never switches."""
        if self._idle:
            waits = self._waits if self._waits is not None else self._tls_waits
            if waits is not None:
                waits.wake_reader()

    @property
    def idle_since(self) -> float | None:
        """The loop's time since which it waits for a request; None while it is at one."""
        return self._idle_since if self._idle else None

    def end_idle(self) -> bool:
        """End the connection if it is idle, to make room; whether it is. Hub's thread only; never switches."""
        if not self._idle:
            return False
        self._idle = False
        waits = self._waits if self._waits is not None else self._tls_waits
        if waits is not None:
            waits.wake_reader()
        return True

    # Reading a request, where a subclass does so.

    def _hooked_read(self, end: int) -> None:
        self._head = self._buffer[self._start : end]
        self._buffer = self._buffer[end:]
        self._scan_from_the_start()
        line = self.read_requestline()
        if not line or not self.read_request(line):
            raise BadRequest(400, "the handler refused it")

    def read_requestline(self) -> str:
        """The line that begins the request that has come, with its end."""
        return self._head[: self._head.find(b"\n") + 1].decode("latin-1")

    def read_request(self, raw_requestline: str) -> bool:
        """Be at the request that has come, with this as its first line. BadRequest (an OSError) if it is none."""
        first = raw_requestline.encode("latin-1").rstrip(b"\r\n")
        rest = self._head[self._head.find(b"\n") + 1 :]
        self._head = b"".join((first, b"\r\n", rest))
        self._parse(len(first))
        return True

    def _head_fields(self) -> bytes:
        """The lines of the head behind the request line."""
        return self._head.partition(b"\r\n")[2]

    def _handover_now(self) -> HandOver:
        """What takes the connection over."""
        if self._handover is None:
            self._handover = HandOver(self)
        return self._handover

    # The end of a request, and of the connection.

    def _refuse(self, error: BadRequest) -> None:
        """Answer what is no request, and end. Switches."""
        self.rules.refused += 1
        _log.info("%s from %s", error, self._remote[0] or "a Unix socket")
        if not self._head:
            self._head = self._buffer[:1024]
        self._keep = False
        self._say(error.status)
        self._complete = True
        self.time_start = 0.0
        if self.rules.log is not None or self._hooks & LOG:
            self._note_request()
        self._linger()

    def _after_request(self) -> bool:
        """Clear up after a request; whether another may follow on the connection. Switches where a body is left."""
        handover = self._handover
        if handover is not None:
            handover._over()
            self._handover = None
        body = self.wsgi_input
        if body is not EMPTY:
            self.wsgi_input = EMPTY
            if not self._finish_input(body):
                return False
        elif self.connection_upgraded or self._gone:
            return False
        if self.close_connection:
            if self._buffer:
                self._linger()
            return False
        self._forget()
        self._no_response()
        if not self._buffer:
            self._in_a_row = 0
            get_hub().spend()
            return True
        # The next one is there already. Others get their turn now and then.
        self._in_a_row += 1
        if self._in_a_row >= self.rules.max_pipelined:
            self._in_a_row = 0
            get_hub().yield_now()
        return True

    def _finish_input(self, body: Any) -> bool:
        """Read what the application has left of the body; False where the connection ends with that."""
        if self.connection_upgraded or self._gone:
            body._over()
            return False
        whole = False
        if self._fault is None:
            try:
                whole = body._discard(0 if self.close_connection else self.rules.discard_limit)
            except OSError:
                pass
        body._over()
        if not whole:
            self._linger()
        return whole

    def _linger(self) -> None:
        """Half-close and read on for a little: closed at once, the kernel would reset, and the response be lost."""
        if self._gone:
            return
        self._end_tls()
        try:
            self.socket.shutdown(1)  # SHUT_WR
            end_of_time = self._now() + _LINGER
            left = self.rules.discard_limit
            while left > 0:
                time_left = end_of_time - self._now()
                if time_left <= 0.0:
                    break
                data = self._receive(time_left)
                if not data:
                    break
                left -= len(data)
        except (OSError, AttributeError):
            pass  # the client has gone, or it is no socket
        self._gone = True

    def _hand_over(self) -> tuple[Any, bytes]:
        """The connection is the application's: its socket, and what came in behind the request."""
        if self._status_line is not None and not self.headers_sent:
            self._send_first(b"", -1)
        if not self.code:
            self.code = 101
        self.connection_upgraded = True
        early = self._buffer
        self._buffer = b""
        if self._waits is None and hasattr(self.socket, "settimeout"):
            self.socket.settimeout(None)
        return self.socket, early

    def _end(self) -> None:
        """Close the connection, and forget what belonged to it. Never switches."""
        if self._handover is not None:
            self._handover._over()
            self._handover = None
        if not self.connection_upgraded:
            self._end_tls()
        close = getattr(self.socket, "close", None)
        if close is not None:
            close()
        self._buffer = b""
        self._forget()
        self._no_response()
        self.wsgi_input = EMPTY


def _find_hooks(kind: type) -> int:
    """Which methods of `kind` are not Connection's own."""
    hooks = 0
    for name, bit in BITS.items():
        if getattr(kind, name) is not getattr(Connection, name):
            hooks |= bit
    _hooks_of[kind] = hooks
    return hooks


def _would_block(error: OSError) -> bool:
    """Whether a read that must not wait found nothing, by TLS or without."""
    import ssl

    return isinstance(error, BlockingIOError | ssl.SSLWantReadError | ssl.SSLWantWriteError)
