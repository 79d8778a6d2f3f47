"""The PROXY protocol, versions 1 and 2: a proxy reports the client at the beginning of a connection.

https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt. The header is read to its last byte and no further: what
follows may be TLS.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from hubcore._http.forwarded import Trusted
from hubcore._http.forwarded import trusted as _trusted
from hubcore.timeout import Timeout

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LONGEST_LINE = 107  # of version 1, with its end
_log = logging.getLogger("hubcore.http")


class NoHeader(Exception):
    """The connection does not begin with a PROXY header."""


def trusted(peers: str | Iterable[str]) -> Trusted:
    """The peers that have to, and may, begin with a header. ValueError where one is no address."""
    found = _trusted(peers, "proxy_allow_ips")
    if found is None:
        raise ValueError("proxy_protocol=True needs proxy_allow_ips: the addresses of the proxies, or '*'")
    return found


def read(sock: Any, address: Any, proxies: Trusted, timeout: float | None) -> tuple[Any, ...]:
    """The socket and its client's address, once the header has been read; () where it has none. Switches."""
    peer = str(address[0]) if isinstance(address, tuple) else ""
    try:
        if not proxies.has(peer):
            raise NoHeader("it is no proxy's (proxy_allow_ips)")
        with Timeout(timeout, TimeoutError("it took too long for its PROXY header")):
            return sock, _header(sock) or address
    except (NoHeader, OSError) as error:
        _log.info("a connection from %s is refused: %s", peer or "a Unix socket", error)
    return ()


def _header(sock: Any) -> tuple[Any, ...] | None:
    start = _exactly(sock, len(_SIGNATURE))
    if start == _SIGNATURE:
        return _version_2(sock)
    if not start.startswith(b"PROXY "):
        raise NoHeader(f"it begins with {start!r}, and not with a PROXY header")
    line = start
    while not line.endswith(b"\r\n"):
        if len(line) >= _LONGEST_LINE:
            raise NoHeader("its PROXY header is too long")
        line += _exactly(sock, 1)
    return _version_1(line)


def _version_1(line: bytes) -> tuple[Any, ...] | None:
    parts = line[:-2].split(b" ")
    if parts[1] == b"UNKNOWN":
        return None
    try:
        _, family, source, target, source_port, target_port = parts
        version = {b"TCP4": 4, b"TCP6": 6}[family]
        found = ip_address(source.decode("ascii"))
        if found.version != version or ip_address(target.decode("ascii")).version != version:
            raise ValueError
        if not all(port.isdigit() and int(port) < 65536 for port in (source_port, target_port)):
            raise ValueError
    except (ValueError, KeyError):
        raise NoHeader(f"its PROXY header is {line!r}") from None
    return str(found), int(source_port)


def _version_2(sock: Any) -> tuple[Any, ...] | None:
    kind, family, size = struct.unpack("!BBH", _exactly(sock, 4))
    data = _exactly(sock, size) if size else b""
    if kind >> 4 != 2 or kind & 15 > 1:
        raise NoHeader(f"its PROXY header has the version and command {kind:#x}")
    if kind & 15 == 0:
        return None  # the proxy's own, such as a health check
    if family == 0x11 and size >= 12:
        return str(ip_address(data[:4])), struct.unpack("!H", data[8:10])[0]
    if family == 0x21 and size >= 36:
        return str(ip_address(data[:16])), struct.unpack("!H", data[32:34])[0]
    return None


def _exactly(sock: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise NoHeader("it ended before its PROXY header")
        data += part
    return data
