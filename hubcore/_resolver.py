"""The look-ups of the socket module, as functions: each asks the resolver of the calling thread's hub."""

from __future__ import annotations

from hubcore.hub import get_hub
from hubcore.resolver import is_address as _is_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "_is_address",
    "getaddrinfo",
    "gethostbyaddr",
    "gethostbyname",
    "gethostbyname_ex",
    "getnameinfo",
    "resolved",
]


def getaddrinfo(
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[tuple[int, int, int, str, Any]]:
    """socket.getaddrinfo, cooperatively; with the numbers of families and types as plain ints. Switches."""
    found: list[tuple[int, int, int, str, Any]] = get_hub().resolver.getaddrinfo(host, port, family, type, proto, flags)
    return found


def gethostbyname(hostname: str) -> str:
    """socket.gethostbyname, cooperatively. Switches."""
    found: str = get_hub().resolver.gethostbyname(hostname)
    return found


def gethostbyname_ex(hostname: str) -> tuple[str, list[str], list[str]]:
    """socket.gethostbyname_ex, cooperatively. Switches."""
    found: tuple[str, list[str], list[str]] = get_hub().resolver.gethostbyname_ex(hostname)
    return found


def gethostbyaddr(ip_address: str) -> tuple[str, list[str], list[str]]:
    """socket.gethostbyaddr, cooperatively. Switches."""
    found: tuple[str, list[str], list[str]] = get_hub().resolver.gethostbyaddr(ip_address)
    return found


def getnameinfo(sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
    """socket.getnameinfo, cooperatively. Switches."""
    found: tuple[str, str] = get_hub().resolver.getnameinfo(sockaddr, flags)
    return found


def resolved(family: int, kind: int, proto: int, address: Any) -> Any:
    """`address`, of an internet family, with its host looked up; what is wrong is left to the C code. Switches."""
    if not isinstance(address, tuple) or not address:
        return address
    host = address[0]
    if not isinstance(host, (str, bytes, bytearray)) or host in ("", "<broadcast>") or _is_address(host):
        return address
    port = address[1] if len(address) > 1 else 0
    if not isinstance(port, int):
        return address  # the C code has the right error for that
    if not 0 <= port <= 65535:
        port = 0  # likewise, once the host is found
    if isinstance(host, str):
        if "\0" in host:
            return address
        if host.isascii():
            host = host.encode()  # as the C code has it: only what is not ASCII goes through the idna codec
    elif isinstance(host, bytearray):
        host = bytes(host)
    found = getaddrinfo(host, port, family, kind, proto)
    resolved = found[0][4]
    return (resolved[0], *address[1:2], *(address[2:] or resolved[2:]))
