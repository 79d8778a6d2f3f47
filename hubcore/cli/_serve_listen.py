"""The sockets that `hubcore serve` listens on, made before the workers, by plain means: there is no hub yet."""

from __future__ import annotations

import os
import socket
import stat
from errno import ECONNREFUSED

TYPE_CHECKING = False

DEFAULT = "127.0.0.1:8000"


class CannotListen(Exception):
    """An address cannot be listened on; the text names it and says why."""


class Listener:
    """One address: by SO_REUSEPORT a socket for each worker, else one for all."""

    def __init__(self, name: str, backlog: int, workers: int) -> None:
        self.name = name
        self._backlog = backlog
        self._path: str | None = None
        self.sockets = [self._make(workers > 1)]
        self._address = self.sockets[0].getsockname()
        if self._shares(workers):
            self.sockets += [self._again() for _ in range(workers - 1)]

    def of_worker(self, number: int) -> socket.socket:
        """The socket that worker `number` accepts on."""
        return self.sockets[number % len(self.sockets)]

    def _shares(self, workers: int) -> bool:
        internet = self.sockets[0].family in (socket.AF_INET, socket.AF_INET6)
        return workers > 1 and internet and not self.name.startswith("fd:") and hasattr(socket, "SO_REUSEPORT")

    def _make(self, several: bool) -> socket.socket:
        kind, _, rest = self.name.partition(":")
        try:
            if kind == "fd":
                return _of_fd(self.name, rest)
            if kind == "unix" or "/" in self.name:
                return self._unix(rest if kind == "unix" else self.name)
            return self._internet(_pair(self.name), several)
        except OSError as error:
            raise CannotListen(f"cannot listen on {self.name}: {error.strerror or error}") from None

    def _unix(self, path: str) -> socket.socket:
        if not path:
            raise CannotListen("unix: takes the path of a socket, such as unix:/run/app.sock")
        _remove_stale(path)
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.bind(path)
            sock.listen(self._backlog)
        except BaseException:
            sock.close()
            raise
        self._path = path
        return sock

    def _internet(self, address: tuple[str, int], several: bool) -> socket.socket:
        host, port = address
        infos = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, proto, _, found = infos[0]
        sock = socket.socket(family, kind, proto)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if several and hasattr(socket, "SO_REUSEPORT"):
                _refuse_foreign(sock, found)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(found)
            sock.listen(self._backlog)
        except BaseException:
            sock.close()
            raise
        return sock

    def _again(self) -> socket.socket:
        sock = socket.socket(self.sockets[0].family)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(self._address)
        sock.listen(self._backlog)
        return sock

    def url(self, secure: bool) -> str:
        """The address as one that a terminal makes a link of."""
        scheme = "https" if secure else "http"
        if self.sockets[0].family == socket.AF_UNIX:
            return f"unix:{self._address}"
        host, port = self._address[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        return f"{scheme}://{host}:{port}"

    def close(self) -> None:
        """Listen no more; a Unix socket's file is removed."""
        for sock in self.sockets:
            sock.close()
        if self._path is not None:
            try:
                os.unlink(self._path)
            except OSError:
                pass


def _refuse_foreign(sock: socket.socket, address: object) -> None:
    """OSError if another program listens there: by SO_REUSEPORT this one would only get some of the connections."""
    probe = socket.socket(sock.family)
    try:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)  # type: ignore[arg-type]
        if isinstance(address, tuple) and address[1]:
            probe.listen(1)
    finally:
        probe.close()


def _pair(name: str) -> tuple[str, int]:
    host, _, port = name.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise CannotListen(f"{name!r} is no address; it takes HOST:PORT, unix:PATH or fd:N")
    return host.strip("[]").replace("*", ""), int(port)


def _of_fd(name: str, number: str) -> socket.socket:
    if not number.isascii() or not number.isdigit():
        raise CannotListen(f"{name!r} is no file descriptor; it takes fd: and its number")
    sock = socket.socket(fileno=int(number))
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.detach()
        raise CannotListen(f"{name} is a socket that does not listen")
    return sock


def _remove_stale(path: str) -> None:
    """Remove the file of a Unix socket that no program listens on."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except OSError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        if probe.connect_ex(path) == ECONNREFUSED:
            os.unlink(path)


def activated() -> list[str]:
    """The names, fd:3 and so on, of the sockets that systemd has opened for this process."""
    pid, count = os.environ.get("LISTEN_PID"), os.environ.get("LISTEN_FDS", "")
    if pid != str(os.getpid()) or not count.isascii() or not count.isdigit():
        return []
    return [f"fd:{3 + number}" for number in range(int(count))]
