"""SimResolver: the names of the simulated hosts, and nothing else."""

from __future__ import annotations

import errno
import socket as _stdlib
from socket import AF_INET, AF_INET6, AF_UNSPEC, EAI_AGAIN, EAI_FAMILY, EAI_NONAME, EAI_SERVICE, SOCK_DGRAM, SOCK_STREAM
from typing import Any

from hubcore._sockets.ip_literals import is_address
from hubcore.hub import get_hub
from hubcore.resolver import AbstractResolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub

_TAKES = (1e-4, 2e-3)  # seconds of a look-up
_GIVES_UP = 10.0  # seconds, where the host "dns" does not answer
_SERVICES = {
    "http": 80, "https": 443, "ftp": 21, "ssh": 22, "smtp": 25, "domain": 53, "pop3": 110, "imap2": 143, "imap": 143,
    "imaps": 993, "postgresql": 5432, "mysql": 3306, "redis": 6379, "mongodb": 27017, "amqp": 5672,
}  # fmt: skip
_KINDS = ((SOCK_STREAM, _stdlib.IPPROTO_TCP), (SOCK_DGRAM, _stdlib.IPPROTO_UDP))


class SimResolver(AbstractResolver):
    """The look-ups of one host. Each takes a drawn time; from a host that is cut off from one called "dns", in vain."""

    def __init__(self, hub: Hub | None, host: Any) -> None:
        super().__init__(hub)
        self._host = host
        self._random = host.world.chance.stream("dns", host.name)

    def _look_up(self, name: Any) -> list[str]:
        """The addresses of a host's name."""
        text = name.decode("ascii", "replace") if isinstance(name, (bytes, bytearray)) else str(name)
        text = text.rstrip(".").lower()
        if text in ("localhost", "localhost.localdomain", "ip6-localhost"):
            return ["127.0.0.1", "::1"]
        hub = get_hub()
        network = self._host.network
        server = network.by_name.get("dns")
        if server is not None and server is not self._host:
            ways = (network.link(self._host.name, "dns"), network.link("dns", self._host.name))
            if not server.kernel.up or any(way.cuts for way in ways):
                hub.park(hub.new_waiter(f"the address of {text}"), _GIVES_UP)
                raise _stdlib.gaierror(EAI_AGAIN, "Temporary failure in name resolution")
        hub.park(hub.new_waiter(f"the address of {text}"), self._random.uniform(*_TAKES))
        for each in network.by_name.values():
            if each.name.lower() == text:
                ips: list[str] = list(each.ips)
                return ips
        raise _stdlib.gaierror(EAI_NONAME, "Name or service not known")

    def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[int, int, int, str, Any]]:
        """As socket.getaddrinfo."""
        if family not in (AF_UNSPEC, AF_INET, AF_INET6):
            raise _stdlib.gaierror(EAI_FAMILY, "ai_family not supported")
        number = _port(port)
        if isinstance(host, str) and "%" in host:
            host = host.partition("%")[0]
        text = host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else host
        if text is None or text == "":
            passive = flags & _stdlib.AI_PASSIVE
            ips = ["0.0.0.0", "::"] if passive else ["::1", "127.0.0.1"]
        elif is_address(text):
            ips = [text]
        elif flags & _stdlib.AI_NUMERICHOST:
            raise _stdlib.gaierror(EAI_NONAME, "Name or service not known")
        else:
            ips = self._look_up(text)
        found: list[tuple[int, int, int, str, Any]] = []
        for ip in ips:
            own = AF_INET6 if ":" in ip else AF_INET
            if family not in (AF_UNSPEC, own):
                continue
            for kind, number_of in _KINDS:
                if type not in (0, kind) or proto not in (0, number_of):
                    continue
                address = (ip, number, 0, 0) if own == AF_INET6 else (ip, number)
                name = text or "" if flags & _stdlib.AI_CANONNAME and not found else ""
                found.append((int(own), int(kind), int(number_of), name, address))
        if not found:
            raise _stdlib.gaierror(EAI_NONAME, "Name or service not known")
        return found

    def gethostbyname(self, hostname: str) -> str:
        """As socket.gethostbyname."""
        return self.gethostbyname_ex(hostname)[2][0]

    def gethostbyname_ex(self, hostname: str) -> tuple[str, list[str], list[str]]:
        """As socket.gethostbyname_ex."""
        if hostname == "":
            return "", [], ["0.0.0.0"]
        if is_address(hostname):
            return hostname, [], [hostname]
        ips = [ip for ip in self._look_up(hostname) if ":" not in ip]
        if not ips:
            raise _stdlib.gaierror(EAI_NONAME, "Name or service not known")
        return hostname, [], ips

    def gethostbyaddr(self, ip_address: str) -> tuple[str, list[str], list[str]]:
        """As socket.gethostbyaddr."""
        ip = ip_address if is_address(ip_address) else self.gethostbyname(ip_address)
        name = self._name_of(ip)
        if name is None:
            raise _stdlib.herror(1, "Unknown host")
        return name, [], [ip]

    def _name_of(self, ip: str) -> str | None:
        if ip.startswith("127.") or ip == "::1":
            return "localhost"
        host = self._host.network.by_ip.get(ip)
        name: str | None = None if host is None else host.name
        return name

    def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
        """As socket.getnameinfo."""
        if not isinstance(sockaddr, tuple):
            raise TypeError("getnameinfo() argument 1 must be a tuple")
        ip, port = sockaddr[:2]
        if not is_address(ip):
            ips = self._look_up(ip)
            if len(ips) > 1:
                raise OSError("sockaddr resolved to multiple addresses")
            ip = ips[0]
        name = None if flags & _stdlib.NI_NUMERICHOST else self._name_of(ip)
        if name is None:
            if flags & _stdlib.NI_NAMEREQD:
                raise _stdlib.gaierror(EAI_NONAME, "Name or service not known")
            name = ip
        service = next((known for known, number in _SERVICES.items() if number == port), None)
        return name, str(port) if flags & _stdlib.NI_NUMERICSERV or service is None else service


def _port(port: Any) -> int:
    if port is None:
        return 0
    if isinstance(port, (bytes, bytearray)):
        port = port.decode("ascii", "replace")
    if isinstance(port, str):
        if port.isdigit():
            return int(port) & 0xFFFF
        if not port:
            return 0
        if port not in _SERVICES:
            raise _stdlib.gaierror(EAI_SERVICE, "Servname not supported for ai_socktype")
        return _SERVICES[port]
    if not isinstance(port, int):
        raise OSError(errno.EINVAL, "Int or String expected")
    return port & 0xFFFF
