"""TLS sockets that hold data which they have already read: readable, although select(2) and poll(2) cannot see it.

Fact: an SSLSocket with a timeout other than 0 reads all pending ciphertext, and returns only what the caller asked for.
Consequence: select, poll and epoll ask the sockets in this registry as well as the kernel. The registry is keyed by fd,
because those calls know a socket only by its fd.
"""

from __future__ import annotations

from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

sockets: dict[int, ref[Any]] = {}  # every open SSLSocket, by its fd


def enter(fd: int, sock: Any) -> None:
    """Register the SSLSocket `sock` under its number `fd`."""
    sockets[fd] = ref(sock)


def leave(fd: int) -> None:
    """Remove the entry of `fd`, before the number gets another owner."""
    sockets.pop(fd, None)


def readable(fds: Collection[int]) -> set[int]:
    """Return those of `fds` whose socket is readable without the kernel. Decrypts what is pending. Never switches."""
    found = set()
    if sockets:
        for fd in sockets.keys() & fds:
            known = sockets.get(fd)
            sock = known() if known is not None else None
            if sock is None:
                sockets.pop(fd, None)  # dropped without close()
            elif sock._fd_waits.fd == fd and sock._readable_now():
                found.add(fd)
    return found


def added(events: list[tuple[int, int]], wanted: dict[int, int], mask: int) -> list[tuple[int, int]]:
    """Return `events`, pairs of fd and events, plus `mask` for each readable fd for which `wanted` asks for it."""
    found = [fd for fd in readable(wanted.keys()) if wanted[fd] & mask] if sockets else None
    if not found:
        return events
    merged = dict(events)
    for fd in found:
        merged[fd] = merged.get(fd, 0) | mask
    return list(merged.items())
