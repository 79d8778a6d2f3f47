"""One request: where its head ends, what the head says, and whether HTTP allows that.

What follows a request that is refused is never looked at, because two programs may disagree on where it begins: that is
what request smuggling is. So a head is refused for anything that HTTP does not allow in it (RFC 9112), even if the
parser accepts it, and the parser's idea of a request line has to be byte for byte what came.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from hubcore._base import uncompiled as cython
from hubcore._http.errors import BadRequest
from hubcore._http.fields import Head, is_token
from hubcore._http.parser import Malformed, Parser, UnknownMethod
from hubcore._http.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore._http.rules import Rules

_CR, _LF, _SPACE, _TAB, _DELETE, _SLASH = 13, 10, 32, 9, 127, 47
_VERSION_1 = b" HTTP/1."
_version = re.compile(rb"HTTP/[0-9]\.[0-9]").fullmatch
_absolute = re.compile(rb"(?i:https?)://([^/?#@]+)((?:/[^?]*)?)(\?.*)?").fullmatch
# An IP literal in brackets, or a name or an IPv4 address; no comma, of which two hosts in one field would be made.
_host = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+(?:%25[-\w.~]+)?\]|\[v[0-9A-Fa-f]+\.[-\w.~!$&'()*+;=:]+\]|[-\w.~!$&'()*+;=%]*)(?::[0-9]*)?"
).fullmatch
_LONGEST_LENGTH = 18  # digits of a Content-Length: fits 64 bits
# Parsers and their sinks that are not in use: a head is parsed without a switch, so all connections share them.
_spare: list[_Pair] = []


class _Pair:
    """A parser and its sink."""

    __slots__ = ("head", "parser")

    def __init__(self) -> None:
        self.head = Head()
        self.parser = Parser(self.head)


class Request(Wire):
    """A connection with the request that it is at."""

    __slots__ = (
        "_chunked",
        "_expect",
        "_fault",
        "_head",
        "_host",
        "_keep",
        "_line_end",
        "_line_start",
        "_lines",
        "_minor",
        "_remote",
        "_scanned",
        "_start",
        "_upgrade",
        "client_address",
        "command",
        "content_length",
        "environ",
        "path",
        "server",
    )

    def __init__(self, sock: Any, address: Any, server: Any, rules: Rules) -> None:
        Wire.__init__(self, sock, rules)
        self.client_address: Any = address
        self.server: Any = server
        self._host: bytes | None = None  # the last one, which was valid
        self._remote: tuple[str, str] = ("", "")
        if isinstance(address, tuple) and len(address) >= 2:
            self._remote = (str(address[0]), str(address[1]))
        self._forget()

    def _forget(self) -> None:
        """Be at no request."""
        self.environ: Any = None
        self.command: str = ""
        self.path: str = ""
        self.content_length: int | None = None
        self._head = b""
        self._minor = 1
        self._chunked = False
        self._expect = False
        self._keep = False
        self._upgrade = False
        self._fault: BadRequest | None = None  # what was wrong with the body, found while the application read it
        self._scan_from_the_start()

    # Where a head ends.

    def _scan_from_the_start(self) -> None:
        self._scanned = 0
        self._start = 0  # behind an empty line
        self._line_start = 0
        self._line_end = 0  # of the request line
        self._lines = 0

    @cython.boundscheck(False)
    @cython.wraparound(False)
    def _find_end(self) -> int:
        """Where the head at the beginning of the buffer ends; -1 while it has not. BadRequest as soon as it is none.

        Goes on where the last call stopped: a head that comes byte by byte is looked at once.
        """
        data = self._buffer
        size = len(data)
        at = self._scanned
        while at < size:
            byte = data[at]
            if byte == _CR:
                if at + 1 == size:
                    break
                if data[at + 1] != _LF:
                    raise BadRequest(400, "a carriage return without a line feed")
                if at == self._line_start:
                    if self._lines:
                        self._check_lengths(at)
                        return at + 2
                    if at:
                        raise BadRequest(400, "empty lines before a request")
                    self._start = 2  # some clients send one after a body
                else:
                    self._check_lengths(at)
                    if not self._lines:
                        self._line_end = at
                    self._lines += 1
                at += 2
                self._line_start = at
                continue
            if byte < _SPACE or byte == _DELETE:
                if byte != _TAB or not self._lines:
                    raise BadRequest(400, f"the byte {byte} in a head")
            if at == self._line_start and byte in (_SPACE, _TAB):
                raise BadRequest(400, "a line of a head begins with a space")
            at += 1
        self._scanned = at
        self._check_lengths(at)
        if self._lines:
            check_line(data[self._start : self._line_end])  # HTTP/0.9 would send no more
        return -1

    def _check_lengths(self, at: int) -> None:
        """Refuse a line that is too long, one too many, or too much in all; it has been looked at up to `at`."""
        rules = self.rules
        if not self._lines:
            if at - self._line_start > rules.limit_line:
                raise BadRequest(414, f"the request line is longer than {rules.limit_line} bytes")
        elif at - self._line_start > rules.limit_field_size:
            raise BadRequest(431, f"a field is longer than {rules.limit_field_size} bytes")
        if self._lines - (at == self._line_start) > rules.limit_fields:
            raise BadRequest(431, f"more than {rules.limit_fields} fields")
        if at > rules.limit_head:
            raise BadRequest(431, f"the head is longer than {rules.limit_head} bytes")

    # What it says.

    def _take_head(self, end: int) -> None:
        """Be at the request whose head is the buffer up to `end`; BadRequest where HTTP does not allow it."""
        data = self._buffer
        if end == len(data) and not self._start:
            self._head = data
            self._buffer = b""
        else:
            self._head = data[self._start : end]
            self._buffer = data[end:]
        line_end = self._line_end - self._start
        self._scan_from_the_start()
        self._parse(line_end)

    def _parse(self, line_end: int) -> None:
        """Make an environ of the head, whose first line ends at `line_end`."""
        rules = self.rules
        data = self._head
        environ: dict[str, Any] = rules.base.copy() if rules.copies_base else dict(self.server.get_environ())
        pair = _spare.pop() if _spare else _Pair()
        parser = pair.parser
        head = pair.head
        head.begin(environ, rules.header_map)
        clean = False  # whether the parser is where it was before
        try:
            try:
                method = parser.feed(data)
            except Malformed as error:
                raise self._refused(head, data[:line_end], error) from None
            # What the parser took for the request line is that line, and nothing else.
            size = len(method) + len(head.target) + 10
            if size != line_end or head.complete != 1 or head.status or not _is_version_1(data, line_end):
                raise self._refused(head, data[:line_end], None)
            self._minor = data[line_end - 1] - 48
            self._check(method, head, environ)
            clean = self._minor == 1 and not head._noted
        finally:
            if not clean:
                parser.reset()
            head.end()
            _spare.append(pair)
        remote = self._remote
        environ["REMOTE_ADDR"] = remote[0]
        environ["REMOTE_PORT"] = remote[1]
        if rules.trusted is not None and ("HTTP_X_FORWARDED_FOR" in environ or "HTTP_X_FORWARDED_PROTO" in environ):
            rules.trusted.apply(environ, self.client_address)
        self.environ = environ

    def _check(self, method: bytes, head: Head, environ: dict[str, Any]) -> None:
        environ["REQUEST_METHOD"] = self.command = method.decode("ascii")
        environ["SERVER_PROTOCOL"] = "HTTP/1.1" if self._minor else "HTTP/1.0"
        if method == b"CONNECT":
            raise BadRequest(501, "CONNECT, which is for proxies")
        self._set_target(head, environ)
        if head.host is None:
            if self._minor:
                raise BadRequest(400, "no Host")
        elif head.host != self._host:
            check_host(head.host)
            self._host = head.host
        if head.coding is not None:
            self._check_coding(head)
        elif head.length is not None:
            self._check_length(head.length)
        self._keep = self._minor == 1
        if head.connection is not None:
            self._set_connection(head.connection.lower(), head)
        if head.expect is not None and self._minor:
            if head.expect.lower() != "100-continue":
                raise BadRequest(417, f"the expectation {head.expect!r}")
            self._expect = self._chunked or bool(self.content_length)

    def _set_target(self, head: Head, environ: dict[str, Any]) -> None:
        target = head.target
        if not target.isascii() or b"#" in target:
            raise BadRequest(400, f"the target {target!r}")
        self.path = text = target.decode("ascii")
        environ["RAW_URI"] = environ["REQUEST_URI"] = text
        if target[0] != _SLASH:
            text = self._other_target(target, head, environ)
        mark = text.find("?")
        if mark >= 0:
            environ["QUERY_STRING"] = text[mark + 1 :]
            text = text[:mark]
        else:
            environ["QUERY_STRING"] = ""
        if "%" in text:
            text = unquote_to_bytes(text).decode("latin-1")
        environ["PATH_INFO"] = text

    def _other_target(self, target: bytes, head: Head, environ: dict[str, Any]) -> str:
        """The path and the query of a target that is no path."""
        if target == b"*":
            if self.command != "OPTIONS":
                raise BadRequest(400, f"the target * of {self.command}")
            return ""
        match = _absolute(target)
        if match is None:
            raise BadRequest(400, f"the target {target!r}")
        authority, path, query = match.groups(b"")
        if _host(authority) is None or authority.startswith(b":"):
            raise BadRequest(400, f"the authority {authority!r}")
        if head.host is not None:
            check_host(head.host)
        environ["HTTP_HOST"] = authority.decode("ascii")
        return ((path or b"/") + query).decode("ascii")

    def _check_coding(self, head: Head) -> None:
        assert head.coding is not None
        _check_coding(head.coding, head.length, self._minor)
        self._chunked = True

    def _check_length(self, length: bytes) -> None:
        if not length.isdigit() or len(length) > _LONGEST_LENGTH:
            raise BadRequest(400, f"the Content-Length {length!r}")
        size = int(length)
        if size > self.rules.max_body_size:
            raise BadRequest(413, f"a body of {size} bytes; the limit is {self.rules.max_body_size}")
        self.content_length = size

    def _set_connection(self, text: str, head: Head) -> None:
        if text == "keep-alive":
            self._keep = True
            return
        options = {option.strip(" \t") for option in text.split(",")}
        if "close" in options:
            self._keep = False
        elif "keep-alive" in options:
            self._keep = True
        self._upgrade = head.upgrade is not None and "upgrade" in options and self._minor == 1

    def _refused(self, head: Head, line: bytes, error: Malformed | None) -> BadRequest:
        """What is wrong with a head that the parser, or a look at it, refused."""
        try:
            check_line(line)
            self.command = line.partition(b" ")[0].decode("ascii")
            if isinstance(error, UnknownMethod):
                return BadRequest(501, f"the method {self.command}")
            if head.status:
                return BadRequest(head.status, head.reason)
            if head.coding is not None:
                _check_coding(head.coding, head.length, int(line.endswith(b"1")))
        except BadRequest as found:
            return found
        return BadRequest(400, "the head" if error is None else str(error))

    @property
    def remote_address(self) -> str:
        """The address of the peer; "" for a Unix socket."""
        return self._remote[0]

    @property
    def requestline(self) -> str:
        """The request line as it came."""
        return self._head.partition(b"\r\n")[0].decode("latin-1")

    @property
    def request_version(self) -> str:
        """The protocol of the request: HTTP/1.0 or HTTP/1.1."""
        return "HTTP/1.1" if self._minor else "HTTP/1.0"


def _is_version_1(data: bytes, line_end: int) -> bool:
    """Whether the request line, of ten bytes or more, ends with HTTP/1.1 or HTTP/1.0."""
    start = line_end - 9
    for i in range(8):
        if data[start + i] != _VERSION_1[i]:
            return False
    return 48 <= data[line_end - 1] <= 49


def check_line(line: bytes) -> None:
    """BadRequest where `line` is no request line, or one of another version of HTTP."""
    method, first, rest = line.partition(b" ")
    target, second, version = rest.partition(b" ")
    if not first or not second or not target or is_token(method) is None or _version(version) is None:
        raise BadRequest(400, f"the request line {line[:100]!r}; it is METHOD TARGET HTTP/1.1")
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise BadRequest(505, f"the version {version.decode()}; it takes HTTP/1.1 or HTTP/1.0")


def check_host(host: bytes) -> None:
    """BadRequest where `host` is no value of Host."""
    if _host(host) is None:
        raise BadRequest(400, f"the Host {host[:100]!r}")


def _check_coding(coding: bytes, length: bytes | None, minor: int) -> None:
    """BadRequest unless `coding` is just chunked, in a request that may have that."""
    if length is not None:
        raise BadRequest(400, "both Content-Length and Transfer-Encoding")
    if not minor:
        raise BadRequest(400, "Transfer-Encoding in HTTP/1.0")
    if coding.lower() == b"chunked":
        return
    codings = [each.strip(b" \t").lower() for each in coding.split(b",")]
    names = [each.partition(b";")[0].strip(b" \t") for each in codings]
    if all(is_token(name) for name in names) and codings[-1] == b"chunked" and codings.count(b"chunked") == 1:
        raise BadRequest(501, f"the Transfer-Encoding {coding[:100]!r}; it takes chunked")
    raise BadRequest(400, f"the Transfer-Encoding {coding[:100]!r}; it takes chunked")
