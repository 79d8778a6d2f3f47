"""TLS sockets that may hold what the kernel has given already: readable, though select(2) and the like cannot know.

Fact: an SSLSocket with a timeout other than 0 takes all ciphertext that is there, and hands out what was asked for.
Consequence: select, poll and epoll ask it before they believe the kernel. They know sockets by fd, so this does too.
"""

from __future__ import annotations

from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

sockets: dict[int, ref[Any]] = {}  # each SSLSocket that is open, by its fd


def enter(fd: int, sock: Any) -> None:
    """`sock` is an SSLSocket and has the number `fd` from now on."""
    sockets[fd] = ref(sock)


def leave(fd: int) -> None:
    """The number is, or will soon be, another's."""
    sockets.pop(fd, None)


def readable(fds: Collection[int]) -> set[int]:
    """Those of `fds` whose socket can be read without the kernel. Decrypts what has come in; never switches."""
    found = set()
    if sockets:
        for fd in sockets.keys() & fds:
            known = sockets.get(fd)
            sock = known() if known is not None else None
            if sock is None:
                sockets.pop(fd, None)  # dropped without close()
            elif sock.fileno() == fd and sock._readable_now():
                found.add(fd)
    return found


def added(events: list[tuple[int, int]], wanted: dict[int, int], mask: int) -> list[tuple[int, int]]:
    """`events`, pairs of an fd and what came, and `mask` for each that `wanted` asks for it and that is readable."""
    found = [fd for fd in readable(wanted.keys()) if wanted[fd] & mask] if sockets else None
    if not found:
        return events
    merged = dict(events)
    for fd in found:
        merged[fd] = merged.get(fd, 0) | mask
    return list(merged.items())
