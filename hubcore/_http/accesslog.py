"""What is written for each request: the formats, and their fields."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Callable
from time import localtime, strftime
from typing import Any

from hubcore._http.text import escape

COMMON = '%(h)s - %(u)s %(t)s "%(r)s" %(s)s %(b)s'
#: Apache's combined format, and the seconds that the request took.
COMBINED = COMMON + ' "%(f)s" "%(a)s" %(L)s'
_NAMED = {"common": COMMON, "combined": COMBINED}
_atom = re.compile(r"%(?:\(([^)]*)\)s|(%)|(.))", re.DOTALL)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def formatter(log_format: str | Callable[[Any], str]) -> Callable[[Any], str]:
    """The function of a finished request that makes its line; ValueError where `log_format` names none.

    A name (combined, common, json), a string of gunicorn's atoms such as %(h)s, or a function of the WSGIHandler.
    """
    if callable(log_format):
        return log_format
    if log_format == "json":
        return json_line
    if log_format == "combined":
        return combined_line
    return Format(_NAMED.get(log_format, log_format)).line


class Format:
    """A string of gunicorn's atoms, %(h)s and so on, taken apart once."""

    def __init__(self, text: str) -> None:
        parts: list[str] = []
        self._fields: list[Callable[[Any], str]] = []
        at = 0
        for match in _atom.finditer(text):
            parts.append(text[at : match.start()].replace("%", "%%"))
            at = match.end()
            if match[2]:
                parts.append("%%")
                continue
            if match[1] is None:
                raise ValueError(f"a log format has atoms such as %(h)s, and %% for a %; not %{match[3]}: {text!r}")
            self._fields.append(_field(match[1], text))
            parts.append("%s")
        parts.append(text[at:].replace("%", "%%"))
        if not self._fields:
            raise ValueError(f"a log format is combined, common, json, or has atoms such as %(h)s; not {text!r}")
        self._text = "".join(parts)

    def line(self, request: Any) -> str:
        """The line of a finished request."""
        return self._text % tuple([field(request) for field in self._fields])


def combined_line(request: Any) -> str:
    """COMBINED, written out: it is what most servers log."""
    environ = request.environ or {}
    sent = request.response_length
    return (
        f'{_remote(request)} - {_user(request)} {_time(request)} "{escape(request.requestline)}" '
        f'{request.code or "-"} {sent or "-"} "{escape(environ.get("HTTP_REFERER", "-"))}" '
        f'"{escape(environ.get("HTTP_USER_AGENT", "-"))}" {_seconds(request):.6f}'
    )


def fields(request: Any) -> dict[str, Any]:
    """What a line of JSON has, and `extra` of a logger's record."""
    environ = request.environ or {}
    path, _, query = request.path.partition("?")
    found = {
        "time": _iso(request.time_finish),
        "remote": environ.get("REMOTE_ADDR", request.remote_address),
        "method": request.command,
        "path": path,
        "query": query,
        "protocol": request.request_version,
        "status": request.code,
        "bytes": request.response_length,
        "duration_ms": round(_seconds(request) * 1000, 3),
        "referer": environ.get("HTTP_REFERER", ""),
        "user_agent": environ.get("HTTP_USER_AGENT", ""),
    }
    if "HTTP_X_REQUEST_ID" in environ:
        found["request_id"] = environ["HTTP_X_REQUEST_ID"]
    if request.aborted:
        found["aborted"] = True
    return found


def json_line(request: Any) -> str:
    """One JSON object."""
    return json.dumps(fields(request))


# The atoms, by gunicorn's letters.


def _remote(request: Any) -> str:
    return escape(str((request.environ or {}).get("REMOTE_ADDR", request.remote_address))) or "-"


def _user(request: Any) -> str:
    """The name of Basic authentication, as far as the client says it."""
    environ = request.environ or {}
    given = environ.get("REMOTE_USER")
    if given:
        return escape(str(given))
    kind, _, secret = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind.lower() != "basic":
        return "-"
    try:
        name = base64.b64decode(secret.strip(), validate=True).partition(b":")[0].decode("utf-8")
    except (binascii.Error, ValueError):
        return "-"
    return escape(name).replace(" ", "\\x20") or "-"


_second = 0
_second_text = ""


def _time(request: Any) -> str:
    """[10/Oct/2026:13:55:36 +0200], which changes once a second."""
    global _second, _second_text
    second = int(request.time_finish)
    if second != _second:
        now = localtime(second)
        # Not by %b, which speaks the language of the locale.
        _second_text = f"[{now.tm_mday:02}/{_MONTHS[now.tm_mon - 1]}/{strftime('%Y:%H:%M:%S %z', now)}]"
        _second = second
    return _second_text


def _iso(moment: float) -> str:
    now = localtime(moment)
    zone = strftime("%z", now)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', now)}.{int(moment % 1 * 1000):03}{zone[:3]}:{zone[3:]}"


def _seconds(request: Any) -> float:
    taken: float = request.time_finish - request.time_start
    return taken if request.time_start and taken > 0 else 0.0


_ATOMS: dict[str, Callable[[Any], str]] = {
    "h": _remote,
    "l": lambda request: "-",
    "u": _user,
    "t": _time,
    "r": lambda request: escape(request.requestline),
    "m": lambda request: escape(request.command) or "-",
    "U": lambda request: escape(request.path.partition("?")[0]) or "-",
    "q": lambda request: escape(request.path.partition("?")[2]),
    "H": lambda request: request.request_version,
    "s": lambda request: str(request.code or "-"),
    "st": lambda request: escape(request.status or "-"),
    "B": lambda request: str(request.response_length),
    "b": lambda request: str(request.response_length or "-"),
    "f": lambda request: escape((request.environ or {}).get("HTTP_REFERER", "-")),
    "a": lambda request: escape((request.environ or {}).get("HTTP_USER_AGENT", "-")),
    "T": lambda request: str(int(_seconds(request))),
    "M": lambda request: str(int(_seconds(request) * 1000)),
    "D": lambda request: str(int(_seconds(request) * 1_000_000)),
    "L": lambda request: f"{_seconds(request):.6f}",
    "p": lambda request: f"<{os.getpid()}>",
}


def _field(name: str, text: str) -> Callable[[Any], str]:
    """The function of an atom: of a letter, or of a {header}i, {header}o or {variable}e."""
    if name in _ATOMS:
        return _ATOMS[name]
    match = re.fullmatch(r"\{([^}]+)\}([ioe])", name)
    if match is None:
        raise ValueError(f"a log format has no atom %({name})s: {text!r}")
    wanted, kind = match[1], match[2]
    key = wanted.upper().replace("-", "_")
    if kind == "i":
        key = key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{key}"
    if kind == "e":
        key = wanted
    if kind == "o":
        lower = wanted.lower()
        return lambda request: escape(_sent(request, lower))
    return lambda request: escape(str((request.environ or {}).get(key, "-")))


def _sent(request: Any, name: str) -> str:
    for key, value in request.response_headers or ():
        if key.lower() == name:
            return str(value)
    return "-"
