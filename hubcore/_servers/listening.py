"""Sockets for servers to listen on: bound to an address, passed by fd number, or passed by systemd."""

from __future__ import annotations

import os
import stat
from _socket import socket as _native
from errno import EADDRINUSE, ECONNREFUSED, ENOENT

from hubcore import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def bound(
    address: Any,
    kind: int,
    family: int | None = None,
    *,
    reuse_addr: bool = True,
    reuse_port: bool = False,
    backlog: int | None = None,
) -> socket.socket:
    """Return a socket of `kind` bound to `address`, listening if a `backlog` is given.

    A path makes a Unix socket and replaces a stale one, on which no process listens any more. An empty host means every
    address of this machine, of both families. Errors name the address. Never switches: the system looks a host name up,
    which blocks the thread.
    """
    if family is None:
        family = _family(address)
    sock = socket.socket(family, kind)
    try:
        if family == getattr(socket, "AF_UNIX", None):
            remove_stale(address)
        elif reuse_addr:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            if not hasattr(socket, "SO_REUSEPORT"):
                raise ValueError("reuse_port=True, but this platform has no SO_REUSEPORT")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # Without a host the socket serves both families; an IPv6 host means IPv6 only.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address[0] in ("", b"") else 1)
        # The sockets of a simulation are of a class of their own, and know nothing of the system's call.
        (_native.bind if type(sock) is socket.socket else type(sock).bind)(sock, address)
        if backlog is not None:
            sock.listen(backlog)
    except OSError as error:
        sock.close()
        kind_of_error = socket.gaierror if isinstance(error, socket.gaierror) else OSError
        raise kind_of_error(error.errno, f"{error.strerror}: cannot listen on {address!r}") from error
    except BaseException:
        sock.close()
        raise
    return sock


def _family(address: Any) -> int:
    if isinstance(address, (str, bytes)):
        family = socket.AF_UNIX
    elif address[0] in ("", b"") and socket.has_dualstack_ipv6():
        family = socket.AF_INET6
    else:
        family = socket.AF_INET6 if ":" in str(address[0]) else socket.AF_INET
    return int(family)


def remove_stale(path: str | bytes) -> None:
    """Remove the Unix socket at `path` if no process listens on it; a killed server leaves one. Never switches.

    Any other file stays, and bind raises its error. Two servers that start at the same moment may both find a third
    one's left-over socket stale; the later server then has the path.
    """
    if path[:1] in ("", b"", "\0", b"\0"):
        return
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except OSError:
        return
    with _closing(_native(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        probe.setblocking(False)
        if probe.connect_ex(path) != ECONNREFUSED:
            return  # a process listens on it, or it is no stream socket, or this process may not connect
    try:
        os.unlink(path)
    except OSError as error:
        if error.errno != ENOENT:
            raise OSError(EADDRINUSE, os.strerror(EADDRINUSE)) from error


class _closing:
    def __init__(self, sock: _native) -> None:
        self.sock = sock

    def __enter__(self) -> _native:
        return self.sock

    def __exit__(self, *exc: object) -> None:
        self.sock.close()


class OwnPath:
    """The file of a Unix socket that a server has made and removes when it closes. A forked child leaves it alone."""

    def __init__(self, path: str | bytes) -> None:
        self._path = path
        self._pid = os.getpid()
        self._made = self._identity()

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except (OSError, ValueError):
            return None  # an abstract address has no file
        return found.st_dev, found.st_ino

    def remove(self) -> None:
        """Remove the file, if it is still the one that the server made."""
        if self._made is not None and os.getpid() == self._pid and self._identity() == self._made:
            try:
                os.unlink(self._path)
            except OSError:
                pass  # not permitted, or another process was faster


def from_fd(fd: int) -> socket.socket:
    """Return a socket for the open socket `fd`, which it owns from then on."""
    if fd < 0:
        raise ValueError(f"fd://{fd} names no file descriptor; the number must be 0 or more")
    try:
        return socket.socket(fileno=fd)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}: fd {fd} is not an open socket") from error


def activated(name: str | None = None, *, unset_environment: bool = True) -> list[socket.socket]:
    """Return the sockets that systemd, or another service manager with its protocol, has opened for this process.

    The list is empty if there are none. `name` selects those of that FileDescriptorName=. Children do not inherit the
    sockets. With `unset_environment` the call removes the environment variables, so it works once and children do not
    take them for their own. ValueError if LISTEN_FDS is not a number. Never switches.
    """
    environment = os.environ
    pid, count = environment.get("LISTEN_PID"), environment.get("LISTEN_FDS")
    names = environment.get("LISTEN_FDNAMES", "")
    if not pid or not count or pid != str(os.getpid()):
        return []
    if not count.isascii() or not count.isdigit():
        raise ValueError(f"LISTEN_FDS must be the number of sockets, not {count!r}")
    labels = names.split(":") if names else []
    labels += ["unknown"] * (int(count) - len(labels))  # systemd's label for a socket without a name
    found = []
    for fd, label in enumerate(labels[: int(count)], 3):
        if name is not None and label != name:
            continue
        sock = from_fd(fd)
        sock.set_inheritable(False)
        found.append(sock)
    if unset_environment and name is None:
        for variable in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
            environment.pop(variable, None)
    return found
