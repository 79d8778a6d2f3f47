"""What goes wrong with a request, as exceptions that the application may see."""

from __future__ import annotations

from http import HTTPStatus


class BadRequest(OSError):
    """The client broke HTTP's rules, or one of the server's limits: `status` is the response's, `reason` says why.

    An application meets it when it reads a body whose framing is broken. It is an OSError, as is all that may come of
    reading from a client. Unless the application has begun a response of its own, the client gets `status`.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.status} {phrase(self.status)}: {self.reason}"


class ClientGone(ConnectionError):
    """The client has closed or reset the connection, or takes no more data: it gets no response any more."""


def phrase(status: int) -> str:
    """The standard reason phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
