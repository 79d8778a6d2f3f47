"""A request's fields: their names as the environ has them, and the sink that puts a parsed head into an environ."""

from __future__ import annotations

import re

from hubcore._base import uncompiled as cython

if not cython.compiled:
    # What a field is, besides text for the application.
    ORDINARY, HOST, LENGTH, CODING, CONNECTION, EXPECT, UPGRADE, UNDERSCORE, DROPPED = range(9)
    DROP, REFUSE, DANGEROUS = range(3)  # header_map, as in rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KINDS = {
    b"host": HOST,
    b"content-length": LENGTH,
    b"transfer-encoding": CODING,
    b"connection": CONNECTION,
    b"expect": EXPECT,
    b"upgrade": UPGRADE,
    b"proxy": DROPPED,  # HTTP_PROXY tells CGI programs which proxy they are to use themselves
}
_COMMON = """
    Accept Accept-Charset Accept-Encoding Accept-Language Authorization Cache-Control Connection Content-Encoding
    Content-Length Content-Type Cookie Date DNT Expect Forwarded Host If-Match If-Modified-Since If-None-Match If-Range
    If-Unmodified-Since Keep-Alive Origin Pragma Priority Proxy Range Referer Sec-Fetch-Dest Sec-Fetch-Mode
    Sec-Fetch-Site Sec-Fetch-User Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol
    Sec-WebSocket-Version TE Trailer Transfer-Encoding Upgrade Upgrade-Insecure-Requests User-Agent Via
    X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Real-IP X-Request-ID X-Requested-With
"""
_MOST = 1024  # names that are remembered
_LONGEST = 64  # of a name that is remembered
is_token = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch


class Field:
    """What is known of a field's name: its key in an environ, and what kind of field it is."""

    __slots__ = ("key", "kind")

    def __init__(self, key: str, kind: int) -> None:
        self.key = key
        self.kind = kind


def _describe(name: bytes) -> Field:
    """What is known of `name`; ValueError where it is no token."""
    if is_token(name) is None:
        raise ValueError(f"{name!r} is no name of a field")
    lower = name.lower()
    kind = UNDERSCORE if b"_" in name else _KINDS.get(lower, ORDINARY)
    key = lower.upper().replace(b"-", b"_").decode("ascii")
    if kind == UNDERSCORE or key not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
        key = f"HTTP_{key}"
    return Field(key, kind)


def _common() -> dict[bytes, Field]:
    names = [name.encode() for name in _COMMON.split()]
    return {spelt: _describe(spelt) for name in names for spelt in (name, name.lower())}


_known: dict[bytes, Field] = _common()
_nothing: dict[str, Any] = {}


def _learn(name: bytes) -> Field:
    """The Field of a name that is met for the first time."""
    global _known
    field = _describe(name)
    if len(name) <= _LONGEST:
        if len(_known) >= _MOST:
            _known = _common()  # filled with names that a client made up
        _known[name] = field
    return field


class Head:
    """The sink of one head: puts the fields into `environ`, and keeps those that HTTP itself is about.

    What is wrong with a field is kept as `status` and `reason`, the first of such; the parser goes on.
    """

    __slots__ = (
        "_noted",
        "coding",
        "complete",
        "connection",
        "environ",
        "expect",
        "header_map",
        "host",
        "length",
        "reason",
        "status",
        "target",
        "upgrade",
    )

    def __init__(self) -> None:
        self.environ: dict[str, Any] = {}
        self.header_map = DROP
        self.complete = 0
        self.target = b""
        self.host: bytes | None = None
        self.reason = ""
        self._noted = True
        self.end()

    def begin(self, environ: dict[str, Any], header_map: int) -> None:
        """Take another head, into `environ`."""
        self.environ = environ
        self.header_map = header_map

    def end(self) -> None:
        """Forget the head that was taken."""
        self.environ = _nothing
        self.complete = 0
        self.host = None
        if self._noted:
            self._noted = False
            self.length: bytes | None = None
            self.coding: bytes | None = None
            self.connection: str | None = None
            self.expect: str | None = None
            self.upgrade: str | None = None
            self.status = 0

    def on_url(self, target: bytes) -> None:
        """The request's target."""
        self.target = target

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self.complete += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field."""
        found = _known.get(name)
        if found is None:
            try:
                found = _learn(name)
            except ValueError as error:
                self._refuse(400, str(error))
                return
        field = found
        size = len(value)
        if size and (value[0] <= 32 or value[size - 1] <= 32):
            value = value.strip(b" \t")
        text = value.decode("latin-1")
        if field.kind and not self._note(field.kind, name, value, text):
            return
        environ = self.environ
        earlier = environ.setdefault(field.key, text)
        if earlier is not text:
            environ[field.key] = f"{earlier}; {text}" if field.key == "HTTP_COOKIE" else f"{earlier},{text}"

    def _note(self, kind: int, name: bytes, value: bytes, text: str) -> bool:
        """Keep what HTTP is about; whether the field is for the application, too."""
        if kind == HOST:
            if self.host is not None:
                self._refuse(400, "more than one Host")
            self.host = value
            return True
        self._noted = True
        if kind == CONNECTION:
            self.connection = text if self.connection is None else f"{self.connection},{text}"
        elif kind == LENGTH:
            if self.length is not None:
                self._refuse(400, "more than one Content-Length")
            self.length = value
        elif kind == CODING:
            self.coding = value if self.coding is None else self.coding + b"," + value
        elif kind == EXPECT:
            self.expect = text if self.expect is None else f"{self.expect},{text}"
        elif kind == UPGRADE:
            self.upgrade = text if self.upgrade is None else f"{self.upgrade},{text}"
        elif kind == UNDERSCORE:
            if self.header_map == REFUSE:
                self._refuse(400, f"the field name {name!r} has an underscore")
            return self.header_map == DANGEROUS
        else:
            return False
        return True

    def _refuse(self, status: int, reason: str) -> None:
        self._noted = True
        if not self.status:
            self.status = status
            self.reason = reason
