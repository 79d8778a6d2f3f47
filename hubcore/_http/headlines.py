"""The lines of a response's head, as bytes: checked once, and remembered, because responses repeat them."""

from __future__ import annotations

import re
from email.utils import formatdate
from time import time

from hubcore._base import uncompiled as cython

if not cython.compiled:
    # What a line is, besides something to send.
    ORDINARY, LENGTH, CODING, CONNECTION, DATE, SERVER, UPGRADE, IGNORED = range(8)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KINDS = {
    "content-length": LENGTH,
    "transfer-encoding": CODING,  # hop by hop, so the server's own
    "connection": CONNECTION,
    "date": DATE,
    "server": SERVER,
    "upgrade": UPGRADE,
    "keep-alive": IGNORED,
    "proxy-connection": IGNORED,
}
_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_value = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch
_status = re.compile(r"([1-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?").fullmatch
_MOST = 512  # lines and status lines that are remembered
_LONGEST = 128  # of a value that is


class Line:
    """One line of a head: its bytes, what kind it is, and for Content-Length the number."""

    __slots__ = ("data", "kind", "number", "value")

    def __init__(self, data: bytes, kind: int, value: str, number: int) -> None:
        self.data = data
        self.kind = kind
        self.value = value
        self.number = number


class StatusLine:
    """A status line's bytes and its code."""

    __slots__ = ("code", "data")

    def __init__(self, data: bytes, code: int) -> None:
        self.data = data
        self.code = code


_lines: dict[tuple[str, str], Line] = {}
_statuses: dict[str, StatusLine] = {}
_lengths: dict[int, bytes] = {}
_date = b""
_date_second = 0


def line_of(pair: Any) -> Line:
    """The line of (name, value). TypeError or ValueError where it is none that may be sent."""
    if type(pair) is tuple:
        try:
            found = _lines.get(pair)
        except TypeError:  # something in it has no hash, so it is no str
            found = None
        if found is not None:
            return found
    return _new_line(pair)


def _new_line(pair: Any) -> Line:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError(f"a header is a tuple of a name and a value, not {pair!r}")
    name, value = pair
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"the name and the value of a header are str, not {pair!r}")
    if _token(name) is None:
        raise ValueError(f"{name!r} is no name of a header")
    if _value(value) is None:
        raise ValueError(f"the value of the header {name} has a control character, or one beyond Latin-1: {value!r}")
    kind = _KINDS.get(name.lower(), ORDINARY)
    number = -1
    if kind == LENGTH:
        if not value.isascii() or not value.isdigit() or len(value) > 18:
            raise ValueError(f"Content-Length is a number of bytes, not {value!r}")
        number = int(value)
    line = Line(f"{name}: {value}\r\n".encode("latin-1"), kind, value, number)
    if len(value) <= _LONGEST and type(pair) is tuple and type(name) is str and type(value) is str:
        if len(_lines) >= _MOST:
            _lines.clear()
        _lines[pair] = line
    return line


def checked_line(name: str, value: str) -> bytes:
    """The line of a header; TypeError or ValueError where it is none that may be sent."""
    return line_of((name, value)).data


def status_line_of(status: Any) -> StatusLine:
    """The status line of "200 OK". TypeError or ValueError where it is none."""
    if type(status) is str:
        found = _statuses.get(status)
        if found is not None:
            return found
    if not isinstance(status, str):
        raise TypeError(f"a status is a str such as '200 OK', not {status!r}")
    match = _status(status)
    if match is None:
        raise ValueError(f"a status is three digits, a space and a reason, such as '200 OK', not {status!r}")
    code, _, reason = status.partition(" ")
    new = StatusLine(f"HTTP/1.1 {code} {reason}\r\n".encode("latin-1"), int(code))
    if len(_statuses) >= _MOST:
        _statuses.clear()
    if len(status) <= _LONGEST and type(status) is str:
        _statuses[status] = new
    return new


def length_line(size: int) -> bytes:
    """The line Content-Length: size."""
    found = _lengths.get(size)
    if found is None:
        found = b"Content-Length: %d\r\n" % size
        if len(_lengths) >= _MOST:
            _lengths.clear()
        _lengths[size] = found
    return found


def date_line() -> bytes:
    """The line Date: now, which changes once a second."""
    global _date, _date_second
    moment = time()
    second = int(moment)
    if second != _date_second:
        _date = f"Date: {formatdate(second, usegmt=True)}\r\n".encode("ascii")
        _date_second = second
    return _date
