"""Handing a connection over to an application that speaks something else on it, such as WebSocket.

The connection is the application's with the first use of what it finds in the environ, not with finding it: libraries
look at these keys for every request. From then on the server sends no response, and closes the socket when the
application has returned.
"""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class HandOver:
    """The socket of a request's connection, in the environ as "hubcore.socket" and "gunicorn.socket".

    Using it takes the connection over. What came in behind the request is read first. OSError once the request is over.
    """

    __slots__ = ("_connection", "_early", "_sock")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._sock: Any = None
        self._early = b""

    def _taken(self) -> Any:
        """The socket."""
        if self._sock is None:
            if self._connection is None:
                raise OSError("the request is over, and its connection no longer the application's")
            self._sock, self._early = self._connection._hand_over()
        return self._sock

    def _over(self) -> None:
        """The request is over."""
        self._connection = None

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """As socket.recv. Switches when nothing is there."""
        sock = self._taken()
        early = self._early
        if early and bufsize > 0 and not flags:
            self._early = early[bufsize:]
            return bytes(early[:bufsize])
        data: bytes = sock.recv(bufsize, flags) if flags else sock.recv(bufsize)
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """As socket.recv_into. Switches when nothing is there."""
        sock = self._taken()
        if not self._early or flags:
            n: int = sock.recv_into(buffer, nbytes, flags) if flags else sock.recv_into(buffer, nbytes)
            return n
        with memoryview(buffer).cast("B") as view:
            data = self.recv(min(nbytes or len(view), len(view)))
            view[: len(data)] = data
            return len(data)

    def makefile(self, mode: str = "r", buffering: int | None = None, **text: Any) -> Any:
        """As socket.makefile, for reading what came early, too."""
        sock = self._taken()
        if not self._early or mode != "rb":
            return sock.makefile(mode, buffering, **text)
        return io.BufferedReader(Raw(self)) if buffering != 0 else Raw(self)

    def __enter__(self) -> HandOver:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """As socket.close."""
        self._taken().close()

    def fileno(self) -> int:
        """As socket.fileno."""
        number: int = self._taken().fileno()
        return number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._taken(), name)

    def __repr__(self) -> str:
        state = "taken" if self._sock is not None else "not taken" if self._connection is not None else "over"
        return f"<{type(self).__name__} {state}>"


class Raw(io.RawIOBase):
    """The connection as a raw file. `_sock` is its socket, by the name that it has in the standard library's."""

    def __init__(self, handover: HandOver) -> None:
        super().__init__()
        self._handover = handover

    @property
    def _sock(self) -> Any:
        if not self._handover._early and self._handover._sock is None:
            self._handover._taken()
        return self._handover if self._handover._early else self._handover._sock

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What comes next. Switches."""
        return self._handover.recv_into(buffer)

    def fileno(self) -> int:
        """The socket's."""
        return self._handover.fileno()
