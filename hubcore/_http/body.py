"""The body of a request: `wsgi.input`.

It ends where the request's framing says so, for Content-Length and chunked alike, and gives b"" from then on. A body
that does not come to its end is an error to the reader, never a short body that looks whole.

Chunks are taken apart here, not by the parser: see there. What RFC 9112 does not allow in a chunk's line or in a
trailer is refused, and so is a line, or are trailers, longer than a head may have. Trailers are checked and dropped.
"""

from __future__ import annotations

import re

from hubcore._base import uncompiled as cython
from hubcore._http.errors import BadRequest, ClientGone
from hubcore._http.wire import is_time_out

if not cython.compiled:
    from hubcore._capi.fallback import publish

    DONE, LENGTH, SIZE, DATA, DATA_END, TRAILERS = range(6)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hubcore._http.request import Request

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# Without the white space that RFC 9112 would have a recipient put up with around ";" and "=": no client sends it, and
# other parsers refuse it.
_size = re.compile(
    rb"([0-9A-Fa-f]{1,15})((?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb'|"(?:[^"\\]|\\.)*"))?)*)'
).fullmatch
_trailer = re.compile(_TOKEN + rb":.*", re.DOTALL).fullmatch
_control = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search
_LONGEST_LINE = 1024  # of a chunk's size and extensions
_MOST_EXTENSIONS = 16384  # bytes of them in a body


class Input:
    """What the application reads the body from. One greenlet at a time.

    Reading waits for as much as was asked for, or the end. It raises BadRequest where the client breaks HTTP's rules or
    the server's limits, and ClientGone where it goes away: both are OSErrors.
    """

    __slots__ = (
        "_at",
        "_counted",
        "_extra",
        "_failure",
        "_left",
        "_ready",
        "_request",
        "_state",
        "_trailers",
        "_waited",
    )

    def __init__(self, request: Request | None) -> None:
        self._begin(request)

    def _begin(self, request: Request | None) -> None:
        self._request = request
        self._state = DONE
        self._left = 0
        self._counted = 0
        if request is not None:
            if request._chunked:
                self._state = SIZE
            elif request.content_length:
                self._state = LENGTH
                self._left = request.content_length
        self._ready = b""  # what has come and was not asked for yet, from _at on
        self._at = 0
        self._extra = 0
        self._trailers = 0
        self._waited = 0.0
        self._failure: OSError | None = None

    # For applications.

    def read(self, size: int | None = -1) -> bytes:
        """`size` bytes, fewer at the end only; without a size, or with a negative one, all that is left. Switches."""
        wanted = -1 if size is None else size
        found = len(self._ready) - self._at
        if 0 <= wanted <= found:
            return self._take(wanted)
        parts = [self._take(found)]
        while wanted < 0 or found < wanted:
            piece = self._more()
            if not piece:
                break
            found += len(piece)
            if 0 <= wanted < found:
                rest = found - wanted
                self._ready = piece
                self._at = len(piece) - rest
                piece = piece[: self._at]
            parts.append(piece)
        return parts[1] if len(parts) == 2 and not parts[0] else b"".join(parts)

    def read1(self, size: int | None = -1) -> bytes:
        """What is there, `size` bytes at most; b"" at the end only. Switches while nothing is there."""
        if self._at >= len(self._ready):
            self._ready = self._more()
            self._at = 0
        found = len(self._ready) - self._at
        return self._take(found if size is None or size < 0 or size > found else size)

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; how many bytes that were, fewer than it takes at the end only. Switches."""
        with memoryview(buffer).cast("B") as view:
            data = self.read(len(view))
            view[: len(data)] = data
            return len(data)

    def readline(self, size: int | None = -1) -> bytes:
        """The next line with its line feed, of `size` bytes at most; b"" at the end. Switches."""
        wanted = -1 if size is None else size
        if wanted == 0:
            return b""
        parts: list[bytes] = []
        found = 0
        while True:
            if self._at >= len(self._ready):
                self._ready = self._more()
                self._at = 0
                if not self._ready:
                    break
            end = self._ready.find(b"\n", self._at) + 1
            if end <= 0:
                end = len(self._ready)
            if 0 <= wanted < found + end - self._at:
                end = self._at + wanted - found
            part = self._take(end - self._at)
            parts.append(part)
            found += len(part)
            if found == wanted or part.endswith(b"\n"):
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readlines(self, hint: int | None = None) -> list[bytes]:
        """The lines that are left; with `hint`, no more once they have that many bytes. Switches."""
        lines: list[bytes] = []
        found = 0
        while True:
            line = self.readline()
            if not line:
                return lines
            lines.append(line)
            found += len(line)
            if hint is not None and 0 < hint <= found:
                return lines

    def readable(self) -> bool:
        """True, as for any file that is read."""
        return True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    @property
    def rfile(self) -> Any:
        """The connection as a file, for what takes it over: see WSGIHandler."""
        if self._request is None:
            raise AttributeError("the connection of a request without a body is in environ['hubcore.socket']")
        request: Any = self._request
        return request.rfile

    # Piece by piece.

    def _take(self, size: int) -> bytes:
        """The next `size` bytes of what is ready."""
        at = self._at
        if at == 0 and size == len(self._ready):
            data = self._ready
            self._ready = b""
            return data
        self._at = at + size
        data = self._ready[at : at + size]
        if self._at == len(self._ready):
            self._ready = b""
            self._at = 0
        return data

    def _more(self) -> bytes:
        """The next piece of the body, b"" at its end. Switches."""
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        while self._state != DONE:
            if self._state == LENGTH or self._state == DATA:
                return self._data()
            if self._state == SIZE:
                self._read_size()
            elif self._state == DATA_END:
                self._read_data_end()
            else:
                self._read_trailer()
        return b""

    def _data(self) -> bytes:
        request = self._request
        assert request is not None
        if not request._buffer:
            request._buffer = self._come()
        piece = request._buffer
        if len(piece) <= self._left:
            request._buffer = b""
        else:
            request._buffer = piece[self._left :]
            piece = piece[: self._left]
        self._left -= len(piece)
        if self._left == 0:
            self._state = DONE if self._state == LENGTH else DATA_END
        return piece

    def _read_size(self) -> None:
        line = self._line(_LONGEST_LINE, "the line of a chunk's size")
        match = _size(line)
        if match is None:
            raise self._fail(400, f"the chunk size {line[:100]!r}")
        self._left = int(match[1], 16)
        self._extra += len(match[2])
        if self._extra > _MOST_EXTENSIONS:
            raise self._fail(400, f"more than {_MOST_EXTENSIONS} bytes of chunk extensions")
        self._counted += self._left
        request = self._request
        assert request is not None
        if self._counted > request.rules.max_body_size:
            raise self._fail(413, f"a body of more than {request.rules.max_body_size} bytes")
        self._state = DATA if self._left else TRAILERS

    def _read_data_end(self) -> None:
        request = self._request
        assert request is not None
        while len(request._buffer) < 2 and b"\r\n".startswith(request._buffer):
            request._buffer += self._come()
        if not request._buffer.startswith(b"\r\n"):
            raise self._fail(400, "a chunk's data does not end where its size says")
        request._buffer = request._buffer[2:]
        self._state = SIZE

    def _read_trailer(self) -> None:
        request = self._request
        assert request is not None
        line = self._line(request.rules.limit_field_size, "a trailer")
        if not line:
            self._state = DONE
            return
        self._trailers += 1
        self._extra += len(line)
        if self._trailers > request.rules.limit_fields or self._extra > request.rules.limit_head:
            raise self._fail(400, "too many trailers")
        if _trailer(line) is None:
            raise self._fail(400, f"the trailer {line[:100]!r}")

    def _line(self, longest: int, what: str) -> bytes:
        """The next line of the framing, without its end."""
        request = self._request
        assert request is not None
        looked = 0
        while True:
            data = request._buffer
            end = data.find(b"\n", looked)
            if end >= 0 or len(data) > longest + 1:
                break
            looked = len(data)
            request._buffer = data + self._come()
        if end < 0 or end > longest + 1:
            raise self._fail(400, f"{what} is longer than {longest} bytes")
        line = data[: end - 1]
        if end == 0 or data[end - 1] != 13 or _control(line) is not None:
            raise self._fail(400, f"{what} is {data[: end + 1][:100]!r}")
        request._buffer = data[end + 1 :]
        return line

    def _come(self) -> bytes:
        """What the client sends next: at least a byte, in time. Switches."""
        request = self._request
        assert request is not None
        rules = request.rules
        if request._expect:
            request._expect = False
            request._send(b"HTTP/1.1 100 Continue\r\n\r\n")
        start = request._now()
        try:
            data = request._receive(rules.body_timeout)
        except ClientGone as gone:
            self._failure = gone
            raise
        except TimeoutError as error:
            if not is_time_out(error):
                raise
            raise self._fail(408, f"nothing of the body for {rules.body_timeout:g} seconds") from None
        if not data:
            request._gone = True
            rules.resets += 1
            self._failure = ClientGone("the client has ended the connection in the middle of a body")
            raise self._failure
        if rules.min_body_rate and rules.body_timeout > 0.0:
            self._waited += request._now() - start
            self._received(len(data))
        return data

    def _received(self, size: int) -> None:
        """Count what came for the lowest rate: time that was not spent waiting does not count."""
        request = self._request
        assert request is not None
        rules = request.rules
        # The time that `size` bytes buy is taken off what has passed.
        self._waited = max(0.0, self._waited - size / rules.min_body_rate)
        if self._waited > rules.body_timeout:
            raise self._fail(408, f"the body comes with less than {rules.min_body_rate} bytes per second")

    def _fail(self, status: int, reason: str) -> BadRequest:
        """The body is not to be read any further, nor is what follows it."""
        request = self._request
        assert request is not None
        self._failure = error = BadRequest(status, reason)
        request._fault = error
        return error

    # For the connection.

    def _discard(self, limit: int) -> bool:
        """Read what the application has not, `limit` bytes at most; whether that was the end. Switches."""
        self._ready = b""
        self._at = 0
        if self._state == LENGTH and self._left > limit:
            return False
        while self._state != DONE:
            if limit < 0 or self._failure is not None:
                return False
            limit -= len(self._more())
        return True

    def _over(self) -> None:
        """The request is over: later reads raise OSError."""
        self._failure = OSError("the request that this was the body of is over")
        self._state = LENGTH
        self._ready = b""
        self._at = 0
        self._request = None


publish("hubcore.pywsgi", Input)
EMPTY = Input(None)
