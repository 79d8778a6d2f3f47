"""The response to a request: what an application may say (PEP 3333), and how that goes over the wire (RFC 9112).

The head goes out with the first of the body in one send. How the body is framed is settled then: by Content-Length
where its size is declared or known, in chunks for HTTP/1.1, by the end of the connection for HTTP/1.0; some responses
never have one. What an application gets wrong reaches the log, and nothing of it the wire.
"""

from __future__ import annotations

from hubcore._base import uncompiled as cython
from hubcore._http.request import Request

if not cython.compiled:
    from hubcore._http.headlines import (
        CODING,
        CONNECTION,
        DATE,
        IGNORED,
        LENGTH,
        SERVER,
        UPGRADE,
        date_line,
        length_line,
        line_of,
        status_line_of,
    )

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hubcore._http.headlines import Line
    from hubcore._http.rules import Rules

_AT_ONCE = 65536  # of a body that is joined with what goes before it


class Response(Request):
    """A connection with the response to its request. The names without an underscore are gevent's.

    `response_length` counts bytes of the body that were sent. `close_connection` says that the connection ends after
    this response; `connection_upgraded` that it is no HTTP connection any more.
    """

    __slots__ = (
        "_complete",
        "_declared",
        "_has_body",
        "_head_lines",
        "_hooks",
        "_left",
        "_served",
        "_status_line",
        "close_connection",
        "code",
        "connection_upgraded",
        "headers_sent",
        "provided_content_length",
        "provided_date",
        "provided_server",
        "response_headers",
        "response_length",
        "response_use_chunked",
        "result",
        "status",
    )

    def __init__(self, sock: Any, address: Any, server: Any, rules: Rules) -> None:
        Request.__init__(self, sock, address, server, rules)
        self._hooks = 0
        self._served = 0  # requests of this connection
        self._no_response()

    def _no_response(self) -> None:
        """Have no response yet."""
        self.result: Any = None
        self.response_length: int = 0
        self.headers_sent: bool = False
        self.close_connection: bool = False
        self.connection_upgraded: bool = False
        self._complete = False
        self._no_head()

    def _no_head(self) -> None:
        self.status: str | None = None
        self.code: int = 0
        self.response_headers: list[tuple[str, str]] | None = None
        self.response_use_chunked: bool = False
        self.provided_date: bool = False
        self.provided_server: bool = False
        self.provided_content_length: int | None = None
        self._status_line: bytes | None = None
        self._head_lines: list[bytes] = []
        self._declared = -1
        self._left = -1  # of the body, where it is declared
        self._has_body = True

    # What the application calls.

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., None]:
        """PEP 3333's: begin the response; the `write` that is returned is for applications which cannot return a body.

        Nothing is sent before the body begins, or `write` is called. Never switches.
        """
        if exc_info is not None and exc_info:
            try:
                if self.headers_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
            self._no_head()
        elif self._status_line is not None:
            raise AssertionError(f"start_response was called before, with {self.status!r}; call it again with exc_info")
        self._begin(status, headers)
        return self.write

    def write(self, data: bytes) -> None:
        """Send `data` as the next part of the body, at the first call with the head before it. May switch."""
        self._write(data)

    # The head.

    def _begin(self, status: str, headers: list[tuple[str, str]]) -> None:
        if not isinstance(headers, list | tuple):
            raise TypeError(f"the headers of a response are a list of tuples, not {headers!r}")
        line = status_line_of(status)
        lines: list[bytes] = []
        for pair in headers:
            found = line_of(pair)
            if found.kind:
                self._note(found, line.code, lines)
            else:
                lines.append(found.data)
        self._head_lines = lines
        self._status_line = line.data
        self.status = status
        self.code = line.code
        self.response_headers = headers if isinstance(headers, list) else list(headers)

    def _note(self, line: Line, code: int, lines: list[bytes]) -> None:
        """Keep what is not just a line of the head."""
        kind = line.kind
        if kind == LENGTH:
            if self._declared >= 0 and self._declared != line.number:
                raise ValueError(f"two Content-Lengths, {self._declared} and {line.number}")
            self._declared = line.number
            self.provided_content_length = line.number
            return
        if kind in (CODING, IGNORED):
            return
        if kind == CONNECTION:
            options = [option.strip(" \t").lower() for option in line.value.split(",")]
            if "close" in options:
                self.close_connection = True
            if code != 101 and not (code == 426 and "upgrade" in options):
                return
        elif kind == UPGRADE:
            if code != 101 and code != 426:
                return
        elif kind == DATE:
            if self.provided_date:
                return
            self.provided_date = True
        elif kind == SERVER:
            self.provided_server = True
        lines.append(line.data)

    def _settle(self, total: int) -> bytes:
        """Settle how a body of `total` bytes, or negative for any number, is framed; the lines that say so."""
        code = self.code
        self.headers_sent = True
        if self._expect:
            # The client may send the body or not, now that it has a response instead of leave to do so.
            self._expect = False
            self.close_connection = True
        rules = self.rules
        if code == 101:
            self.connection_upgraded = True
            return b""
        ends = rules.stopping or rules.crowded or self._served >= rules.max_requests
        if ends or not self._keep or self._fault is not None:
            self.close_connection = True
        head_only = self.command == "HEAD"
        self._has_body = not (head_only or code < 200 or code == 204 or code == 304)
        framing = b""
        if code < 200:
            self.close_connection = True  # the client still waits for a final response, and there will be none
        elif code != 204:
            if self._declared < 0 and total >= 0 and (self._has_body or total > 0) and code != 304:
                self._declared = total
            if self._declared >= 0:
                framing = length_line(self._declared)
                if self._has_body:
                    self._left = self._declared
            elif self._has_body:
                if self._minor:
                    self.response_use_chunked = True
                    framing = b"Transfer-Encoding: chunked\r\n"
                else:
                    self.close_connection = True
        if self.close_connection:
            return framing + b"Connection: close\r\n"
        if not self._minor:
            return framing + b"Connection: keep-alive\r\n"
        return framing

    def _head_bytes(self, total: int) -> bytes:
        """The whole head, for a body of `total` bytes."""
        if self._status_line is None:
            raise AssertionError("the application sent a body, or ended, without having called start_response")
        if self._hooks & 1:
            return self._hooked_head(total)
        framing = self._settle(total)
        lines = self._head_lines
        lines.insert(0, self._status_line)
        if self.code != 101:
            if not self.provided_server:
                lines.append(self.rules.server_line)
            if not self.provided_date:
                lines.append(date_line())
            lines.append(framing)
        lines.append(b"\r\n")
        return b"".join(lines)

    def _hooked_head(self, total: int) -> bytes:
        """The head where a subclass has a finalize_headers: it sees, and may change, all of `response_headers`."""
        headers = [pair for pair in self.response_headers or () if pair[0].lower() not in _SETTLED or self.code == 101]
        if self.code != 101 and not self.provided_server and self.rules.server_line:
            name, _, value = self.rules.server_line.decode("latin-1").strip().partition(": ")
            headers.append((name, value))
        for raw in self._settle(total).split(b"\r\n")[:-1]:
            name, _, value = raw.decode("latin-1").partition(": ")
            headers.append((name, value))
        self.response_headers = headers
        self.finalize_headers()
        parts = [self._status_line or b""]
        for pair in self.response_headers or ():
            parts.append(line_of(pair).data)
        parts.append(b"\r\n")
        return b"".join(parts)

    def finalize_headers(self) -> None:
        """Called just before the head is sent: `response_headers` is all of it. Adds the Date."""
        if self.response_headers is not None and self.code != 101:
            if not any(name.lower() == "date" for name, _ in self.response_headers):
                self.response_headers.append(("Date", date_line()[6:-2].decode("ascii")))

    # The body.

    def _write(self, data: Any) -> None:
        """Send `data` as a part of the body; the head before it, where that was not sent."""
        if type(data) is not bytes:
            data = as_bytes(data)
        if not self.headers_sent:
            self._send_first(data, -1)
        elif data:
            self._send_more(data)

    def _send_first(self, data: bytes, total: int) -> None:
        """Send the head and `data`, the first of a body of `total` bytes, or of any number where that is negative."""
        head = self._head_bytes(total)
        if not data or not (self._has_body or self.connection_upgraded):
            self._send(head)
            return
        if self._left >= 0:
            data = self._cut(data)
        self.response_length += len(data)
        if self.response_use_chunked:
            self._send_joined(head, data)
        elif len(data) <= _AT_ONCE:
            self._send(head + data)
        else:
            self._send_parts((head, data))

    def _send_more(self, data: bytes) -> None:
        """Send a part of a body that has begun."""
        if not (self._has_body or self.connection_upgraded):
            return
        if self._left >= 0:
            data = self._cut(data)
            if not data:
                return
        self.response_length += len(data)
        if self.response_use_chunked:
            self._send_joined(b"", data)
        else:
            self._send(data)

    def _send_joined(self, head: bytes, data: bytes) -> None:
        """Send `data` as a chunk."""
        size = b"%x\r\n" % len(data)
        if len(data) <= _AT_ONCE:
            self._send(b"".join((head, size, data, b"\r\n")))
        else:
            self._send_parts((head + size, data, b"\r\n"))

    def _cut(self, data: bytes) -> bytes:
        """`data`, as far as it is within the declared length."""
        if len(data) <= self._left:
            self._left -= len(data)
            return data
        if not self.close_connection or self._left > 0:
            self.log_error(
                "%s %s: the application sent more than its Content-Length of %d bytes; the rest is dropped",
                self.command,
                self.path,
                self._declared,
            )
        self.close_connection = True
        data = data[: self._left]
        self._left = 0
        return data

    def _end_body(self) -> None:
        """The application has given all of the body: send what is left to send."""
        if not self.headers_sent:
            self._send_first(b"", 0)
        if self.response_use_chunked:
            self._send(b"0\r\n\r\n")
        elif self._left > 0 and not self.connection_upgraded:
            self.close_connection = True
            self.log_error(
                "%s %s: the application sent %d bytes less than its Content-Length of %d",
                self.command,
                self.path,
                self._left,
                self._declared,
            )
            return
        self._complete = True

    @property
    def aborted(self) -> bool:
        """Whether the response has not been sent to its end."""
        return not self._complete

    def log_error(self, msg: str, *args: object) -> None:
        """Write a line to the server's error log."""
        raise NotImplementedError


# What a head says of framing and of the connection is the server's own to say.
_SETTLED = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection"})


def as_bytes(data: Any) -> bytes:
    """A part of a body as bytes; TypeError where it is none."""
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if isinstance(data, str) and not data:
        return b""
    raise TypeError(f"the body of a response is made of bytes, not of {type(data).__name__}: {data!r:.100}")
