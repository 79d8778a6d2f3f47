"""What a handler has for subclasses and programs beside serving: gevent's rarer attributes."""

from __future__ import annotations

import io
from email.parser import BytesParser
from http.client import HTTPMessage
from typing import Any

from hubcore._http.connection import Connection
from hubcore._http.upgrade import HandOver, Raw


class ApplicationError(AssertionError):
    """The application broke the rules of WSGI."""


class Handler(Connection):
    """A Connection that finds its rules with its server, and has the request's fields as a message."""

    __slots__ = ()

    protocol_version = "HTTP/1.1"
    MessageClass = HTTPMessage
    ApplicationError = ApplicationError
    ignored_socket_errors: tuple[int, ...] = ()

    def __init__(self, sock: Any, address: Any, server: Any, rfile: Any = None) -> None:
        super().__init__(sock if rfile is None else _FileSocket(sock, rfile), address, server, server._rules)

    @property
    def headers(self) -> Any:
        """The request's fields, as an HTTPMessage (`MessageClass`)."""
        fields = self._head_fields()
        return BytesParser(_class=self.MessageClass).parsebytes(fields, headersonly=True)

    @property
    def rfile(self) -> Any:
        """The connection as a file that is read: reading takes the connection over, as does its raw socket."""
        handover = self._handover_now()
        return io.BufferedReader(Raw(handover))


class _FileSocket:
    """A socket that is read through a buffered file."""

    def __init__(self, sock: Any, rfile: Any) -> None:
        self._sock = sock
        self._rfile = rfile

    def recv(self, size: int) -> bytes:
        data: bytes = self._rfile.read1(size) if hasattr(self._rfile, "read1") else self._rfile.readline(size)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


__all__ = ["ApplicationError", "HandOver", "Handler"]
