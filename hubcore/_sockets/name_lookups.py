"""The look-ups of the socket module, as functions. Each asks the resolver of the calling thread's hub."""

from __future__ import annotations

import socket as _stdlib

from hubcore._base.hints import Any
from hubcore._sockets.ip_literals import is_address
from hubcore.hub import get_hub

__all__ = [
    "getaddrinfo",
    "getfqdn",
    "gethostbyaddr",
    "gethostbyname",
    "gethostbyname_ex",
    "getnameinfo",
    "resolved",
    "resolved_for",
]

_INTERNET = (int(_stdlib.AF_INET), int(_stdlib.AF_INET6))


def getaddrinfo(
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[tuple[int, int, int, str, Any]]:
    """Like socket.getaddrinfo, but families and types are plain ints. Switches."""
    found: list[tuple[int, int, int, str, Any]] = get_hub().resolver.getaddrinfo(host, port, family, type, proto, flags)
    return found


def gethostbyname(hostname: str) -> str:
    """Like socket.gethostbyname. Switches."""
    found: str = get_hub().resolver.gethostbyname(hostname)
    return found


def gethostbyname_ex(hostname: str) -> tuple[str, list[str], list[str]]:
    """Like socket.gethostbyname_ex. Switches."""
    found: tuple[str, list[str], list[str]] = get_hub().resolver.gethostbyname_ex(hostname)
    return found


def gethostbyaddr(ip_address: str) -> tuple[str, list[str], list[str]]:
    """Like socket.gethostbyaddr. Switches."""
    found: tuple[str, list[str], list[str]] = get_hub().resolver.gethostbyaddr(ip_address)
    return found


def getnameinfo(sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
    """Like socket.getnameinfo. Switches."""
    found: tuple[str, str] = get_hub().resolver.getnameinfo(sockaddr, flags)
    return found


def getfqdn(name: str = "") -> str:
    """Like socket.getfqdn. Switches."""
    name = name.strip()
    if not name or name in ("0.0.0.0", "::"):
        name = _stdlib.gethostname()
    try:
        hostname, aliases, _ = gethostbyaddr(name)
    except OSError:
        return name
    for candidate in (hostname, *aliases):
        if "." in candidate:
            return candidate
    return hostname


def resolved(family: int, kind: int, proto: int, address: Any) -> Any:
    """Return `address`, of an Internet family, with its host looked up. Switches.

    An invalid address is returned unchanged: the C code raises the right error for it.
    """
    if not isinstance(address, tuple) or not address:
        return address
    host = address[0]
    if not isinstance(host, (str, bytes, bytearray)) or host in ("", "<broadcast>") or is_address(host):
        return address
    port = address[1] if len(address) > 1 else 0
    if not isinstance(port, int):
        return address  # the C code raises the right error for it
    if not 0 <= port <= 65535:
        port = 0  # the C code raises the error for the port, once the host is found
    if isinstance(host, str):
        if "\0" in host:
            return address
        if host.isascii():
            host = host.encode()  # like the C code: only a non-ASCII name goes through the idna codec
    elif isinstance(host, bytearray):
        host = bytes(host)
    found = getaddrinfo(host, port, family, kind, proto)
    resolved = found[0][4]
    return (resolved[0], *address[1:2], *(address[2:] or resolved[2:]))


def resolved_for(sock: Any, address: Any) -> Any:
    """Return `address` with its host looked up for `sock`, so that the C code makes no blocking look-up. Switches."""
    waits = sock._fd_waits
    if waits.family not in _INTERNET:
        return address
    return resolved(waits.family, waits.kind, waits.proto, address)


for _each in (getaddrinfo, getfqdn, gethostbyname, gethostbyname_ex, gethostbyaddr, getnameinfo):
    _each.__module__ = "hubcore.socket"
