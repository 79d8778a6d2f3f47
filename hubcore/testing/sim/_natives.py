"""Sockets of the real kernel that a program has opened by C code of its own, which no exchange of built-ins sees.

They cannot be stopped, so a run looks for them at its end: what passes there neither comes from the seed nor replays.
Fact: Linux lists the fds of a process in /proc/self/fd. Elsewhere nothing is found.
"""

from __future__ import annotations

import _socket
import os
from socket import AF_UNIX, SO_DOMAIN, SOL_SOCKET

from hubcore._base.originals import original
from hubcore.testing.sim import _mirror
from hubcore.testing.sim._errors import Unsimulated

_FOLDER = "/proc/self/fd"


def sockets() -> dict[str, int]:
    """The fds that are sockets and no mirrors, by the name that the kernel has for the socket."""
    ours = _mirror.numbers()
    found: dict[str, int] = {}
    try:
        names = os.listdir(_FOLDER)
    except OSError:
        return found
    for name in names:
        number = int(name)
        if number in ours:
            continue
        try:
            target = os.readlink(f"{_FOLDER}/{name}")
        except OSError:
            continue  # the fd of the list itself
        if target.startswith("socket:"):
            found[target] = number
    return found


def check(before: dict[str, int]) -> Unsimulated | None:
    """The error of a run that began with the sockets `before`; None if it has opened none that it still has."""
    told = [_told(number) for target, number in sorted(sockets().items(), key=_second) if target not in before]
    told = [text for text in told if text]
    if not told:
        return None
    return Unsimulated(
        f"the program has opened {' and '.join(told)}: C code did, which a simulation cannot see, and what passes "
        "there does not replay; write a stand-in for the other side, and use a client in Python"
    )


def _second(pair: tuple[str, int]) -> int:
    return pair[1]


def _told(number: int) -> str:
    """What the socket is; "" for one of a pair, whose other end is in the same program."""
    try:
        sock = _socket.socket(fileno=original("os", "dup")(number))
    except OSError:
        return ""
    try:
        family = sock.getsockopt(SOL_SOCKET, SO_DOMAIN)
        own = sock.getsockname()
        try:
            peer = sock.getpeername()
        except OSError:
            peer = None
    finally:
        sock.close()
    if family == AF_UNIX and not own and not peer:
        return ""
    to = f" to {peer!r}" if peer else ""
    return f"fd {number}, a socket of the real kernel from {own!r}{to}"
