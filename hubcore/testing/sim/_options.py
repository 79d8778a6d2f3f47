"""Socket options: what Linux says of a socket that nobody has asked for anything, and what can be set.

Those that a simulated network acts on are read by it from the socket's `options`; the others are kept and told.
"""

from __future__ import annotations

import errno
import os
import socket as _socket
import struct
from operator import index
from socket import (
    AF_INET6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SO_ERROR,
    SO_LINGER,
    SOCK_STREAM,
    SOL_SOCKET,
)
from typing import Any

BUFFER = 65536  # bytes that a send buffer or a receive window holds unless it is set
DATAGRAM_BUFFER = 212992
_LEAST_SEND, _LEAST_RECEIVE, _MOST = 4608, 2304, 8388608


def _number(name: str) -> int:
    return int(getattr(_socket, name, -1))


_TYPE, _DOMAIN, _PROTOCOL, _ACCEPTS = map(_number, ("SO_TYPE", "SO_DOMAIN", "SO_PROTOCOL", "SO_ACCEPTCONN"))
SNDBUF, RCVBUF = _number("SO_SNDBUF"), _number("SO_RCVBUF")
_CONGESTION, _INFO = _number("TCP_CONGESTION"), _number("TCP_INFO")

#: What is there to be asked for, by level and option, and its value where nobody has set it.
_EVERYWHERE: dict[tuple[int, int], int] = {
    (SOL_SOCKET, _number(name)): value
    for name, value in {
        "SO_REUSEADDR": 0, "SO_REUSEPORT": 0, "SO_KEEPALIVE": 0, "SO_BROADCAST": 0, "SO_DEBUG": 0, "SO_DONTROUTE": 0,
        "SO_OOBINLINE": 0, "SO_PRIORITY": 0, "SO_MARK": 0, "SO_INCOMING_CPU": -1, "SO_RCVLOWAT": 1, "SO_SNDLOWAT": 1,
        "SO_RCVTIMEO": 0, "SO_SNDTIMEO": 0, "SO_BINDTODEVICE": 0, "SO_TIMESTAMP": 0,
    }.items()
}  # fmt: skip
_EVERYWHERE |= {
    (IPPROTO_IP, _number(name)): value
    for name, value in {
        "IP_TTL": 64, "IP_TOS": 0, "IP_MULTICAST_TTL": 1, "IP_MULTICAST_LOOP": 1, "IP_MULTICAST_IF": 0, "IP_HDRINCL": 0,
        "IP_RECVOPTS": 0, "IP_RECVTOS": 0, "IP_RETOPTS": 0, "IP_TRANSPARENT": 0, "IP_BIND_ADDRESS_NO_PORT": 0,
        "IP_FREEBIND": 0, "IP_MTU_DISCOVER": 1, "IP_PKTINFO": 0,
    }.items()
}  # fmt: skip
_TCP: dict[tuple[int, int], int] = {
    (IPPROTO_TCP, _number(name)): value
    for name, value in {
        "TCP_NODELAY": 0, "TCP_CORK": 0, "TCP_DEFER_ACCEPT": 0, "TCP_FASTOPEN": 0, "TCP_KEEPCNT": 9,
        "TCP_KEEPIDLE": 7200, "TCP_KEEPINTVL": 75, "TCP_LINGER2": 60, "TCP_MAXSEG": 536, "TCP_NOTSENT_LOWAT": 0,
        "TCP_QUICKACK": 1, "TCP_SYNCNT": 6, "TCP_USER_TIMEOUT": 0, "TCP_WINDOW_CLAMP": 0,
    }.items()
}  # fmt: skip
_SIX: dict[tuple[int, int], int] = {
    (IPPROTO_IPV6, _number(name)): value
    for name, value in {
        "IPV6_V6ONLY": 0, "IPV6_UNICAST_HOPS": 64, "IPV6_MULTICAST_HOPS": 1, "IPV6_MULTICAST_LOOP": 1,
        "IPV6_MULTICAST_IF": 0, "IPV6_TCLASS": 0, "IPV6_DONTFRAG": 0, "IPV6_RECVPKTINFO": 0, "IPV6_RECVTCLASS": 0,
    }.items()
}  # fmt: skip
_READ_ONLY = {(SOL_SOCKET, each) for each in (_TYPE, _DOMAIN, _PROTOCOL, _ACCEPTS, SO_ERROR)}


def refuse(code: int) -> OSError:
    """The system's error of that number."""
    return OSError(code, os.strerror(code))


def _known(endpoint: Any, key: tuple[int, int]) -> int:
    """The default value; OSError as the kernel has it where the socket has no such option."""
    if key in _EVERYWHERE:
        return _EVERYWHERE[key]
    if endpoint.kind == SOCK_STREAM and key in _TCP:
        return _TCP[key]
    if endpoint.family == AF_INET6 and key in _SIX:
        return _SIX[key]
    if key[0] == IPPROTO_IPV6 and endpoint.family != AF_INET6:
        raise refuse(errno.EOPNOTSUPP)
    if key[0] == IPPROTO_TCP and endpoint.kind != SOCK_STREAM:
        raise refuse(errno.ENOPROTOOPT if endpoint.family == AF_INET6 else errno.EOPNOTSUPP)
    raise refuse(errno.ENOPROTOOPT)


def get(endpoint: Any, level: int, option: int, size: int = 0) -> Any:
    """As getsockopt: a number, or with `size` that many bytes at most."""
    if not 0 <= size <= 1024:
        raise OSError("getsockopt buflen out of range")
    value = _value(endpoint, index(level), index(option))
    if isinstance(value, bytes):
        return value[:size] if size else int.from_bytes(value[:4].ljust(4, b"\0"), "little", signed=True)
    return struct.pack("i", value)[:size] if size else value


def _value(endpoint: Any, level: int, option: int) -> Any:
    if level == SOL_SOCKET:
        if option == SO_ERROR:
            return endpoint.take_error()
        if option == _TYPE:
            return endpoint.kind
        if option == _DOMAIN:
            return endpoint.family
        if option == _PROTOCOL:
            return IPPROTO_TCP if endpoint.kind == SOCK_STREAM else IPPROTO_UDP
        if option == _ACCEPTS:
            return int(endpoint.accepts)
        if option == SNDBUF:
            return endpoint.send_limit
        if option == RCVBUF:
            return endpoint.receive_limit
        if option == SO_LINGER:
            return struct.pack("ii", *endpoint.linger)
    if level == IPPROTO_TCP and endpoint.kind == SOCK_STREAM:
        if option == _CONGESTION:
            return endpoint.options.get((level, option), b"cubic".ljust(16, b"\0"))
        if option == _INFO:
            return bytes([endpoint.tcp_state]) + bytes(231)
    return endpoint.options.get((level, option), _known(endpoint, (level, option)))


def put(endpoint: Any, level: int, option: int, value: Any, size: int | None = None) -> None:
    """As setsockopt."""
    key = (index(level), index(option))
    if value is None:
        value = bytes(index(size) if size is not None else 0)
    if key == (SOL_SOCKET, SO_LINGER):
        if isinstance(value, int) or len(value) < 8:
            raise refuse(errno.EINVAL)
        on, seconds = struct.unpack("ii", bytes(value)[:8])
        endpoint.linger = (int(on != 0), seconds if on else 0)
        return
    if key in _READ_ONLY:
        raise refuse(errno.ENOPROTOOPT)
    if key == (IPPROTO_TCP, _CONGESTION) and endpoint.kind == SOCK_STREAM:
        endpoint.options[key] = bytes(value).ljust(16, b"\0")
        return
    if key[0] == IPPROTO_IP and key[1] in (_number("IP_ADD_MEMBERSHIP"), _number("IP_DROP_MEMBERSHIP")):
        endpoint.join(key[1] == _number("IP_ADD_MEMBERSHIP"), value)
        return
    if key not in ((SOL_SOCKET, SNDBUF), (SOL_SOCKET, RCVBUF)):
        _known(endpoint, key)
    if isinstance(value, int):
        number = value
    else:
        data = bytes(value)
        if len(data) < 4 and key[0] != IPPROTO_IP:
            raise refuse(errno.EINVAL)
        number = int.from_bytes(data[:4], "little", signed=True)
    if not -(1 << 31) <= number < 1 << 31:
        raise OverflowError("signed integer is greater than maximum")
    if key == (SOL_SOCKET, SNDBUF):
        endpoint.send_limit = max(min(number * 2 if number >= 0 else _MOST, _MOST), _LEAST_SEND)
        endpoint.changed()
        return
    if key == (SOL_SOCKET, RCVBUF):
        endpoint.receive_limit = max(min(number * 2 if number >= 0 else _MOST, _MOST), _LEAST_RECEIVE)
        return
    flags = (_socket.SO_REUSEADDR, _number("SO_REUSEPORT"), _socket.SO_KEEPALIVE, _socket.SO_BROADCAST)
    if (key[0] == SOL_SOCKET and key[1] in flags) or key == (IPPROTO_TCP, _socket.TCP_NODELAY):
        number = int(number != 0)
    endpoint.options[key] = number
    endpoint.option_changed(key, number)
