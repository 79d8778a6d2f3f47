"""How servers come by the sockets that they listen on."""

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
    """A socket of `kind` bound to `address`, listening if a `backlog` is given.

    A path makes a Unix socket, where one that nobody listens on any more is replaced; an empty host means every address
    of this machine, of both families. Errors name the address.
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
            # With no host it serves both families; a host of this one means this one.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address[0] in ("", b"") else 1)
        sock.bind(address)
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
    """Remove the Unix socket at `path` that nobody listens on, such as a server that was killed leaves. Never switches.

    Anything else there stays, for bind to complain about. Two servers that start at the same moment may both take a
    third one's leftover for stale; the later one then has the path.
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
            return  # somebody listens, or it is no stream socket, or not ours to look at
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
    """The file of a Unix socket that a server has made and is to remove when it closes. A forked child leaves it."""

    def __init__(self, path: str | bytes) -> None:
        self._path = path
        self._pid = os.getpid()
        self._made = self._identity()

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except (OSError, ValueError):
            return None  # abstract, which has no file
        return found.st_dev, found.st_ino

    def remove(self) -> None:
        """Remove it, if it is still the one that was made."""
        if self._made is not None and os.getpid() == self._pid and self._identity() == self._made:
            try:
                os.unlink(self._path)
            except OSError:
                pass  # not allowed, or somebody was faster


def from_fd(fd: int) -> socket.socket:
    """The socket that is open as `fd`, which is the result's from now on."""
    if fd < 0:
        raise ValueError(f"fd://{fd} names no file descriptor")
    try:
        return socket.socket(fileno=fd)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}: fd {fd} is no open socket") from error


def activated(name: str | None = None, *, unset_environment: bool = True) -> list[socket.socket]:
    """The sockets that systemd, or whoever activates services as it does, has opened for this process; often none.

    `name` picks those of that FileDescriptorName=. They are not inherited by children. With `unset_environment` this
    works once, and children do not take the variables for theirs. ValueError where the variables make no sense.
    """
    environment = os.environ
    pid, count = environment.get("LISTEN_PID"), environment.get("LISTEN_FDS")
    names = environment.get("LISTEN_FDNAMES", "")
    if not pid or not count or pid != str(os.getpid()):
        return []
    if not count.isascii() or not count.isdigit():
        raise ValueError(f"LISTEN_FDS is {count!r}; it takes the number of sockets")
    labels = names.split(":") if names else []
    labels += ["unknown"] * (int(count) - len(labels))  # what systemd calls a socket without a name
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
