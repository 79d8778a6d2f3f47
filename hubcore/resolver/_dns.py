"""The base of resolvers that query name servers themselves.

A subclass makes only the queries. Everything that needs no query (addresses, ports and services, bad input) goes to the
system's own functions, with the flag that the host is an address, so neither results nor errors can differ. The
addresses that a query found go through these functions, too.
"""

from __future__ import annotations

import _socket
from _socket import AF_INET, AF_INET6, AF_UNSPEC, gaierror, herror

from greenlet import GreenletExit, getcurrent

from hubcore._base.hints import Any, Callable
from hubcore.greenlet import Greenlet
from hubcore.hub import get_hub
from hubcore.resolver import AbstractResolver, _hosts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from hubcore.hub import Hub

_NUMERIC = _socket.AI_NUMERICHOST
_TEXTS = {
    _socket.EAI_NONAME: "Name or service not known",
    _socket.EAI_AGAIN: "Temporary failure in name resolution",
    _socket.EAI_FAIL: "Non-recoverable failure in name resolution",
    getattr(_socket, "EAI_NODATA", -5): "No address associated with hostname",
}


def failure(code: int) -> gaierror:
    """Return the system's gaierror for `code`."""
    return gaierror(code, _TEXTS[code])


class DnsResolver(AbstractResolver):
    """The five look-ups, built on two queries that a subclass defines. Use it in its hub's thread only.

    Equal queries that run at the same time share one answer. A kill ends the wait of one greenlet, not the query.
    """

    def __init__(self, hub: Hub | None = None) -> None:
        super().__init__(hub if hub is not None else get_hub())
        self._under_way: dict[Hashable, Greenlet] = {}

    # The two queries.

    def _query_name(self, name: str, family: int) -> tuple[str, list[str], list[str]]:
        """Return the canonical name, the aliases and the addresses of `name`. Switches. gaierror if there are none."""
        raise NotImplementedError(f"{self!r} must define _query_name()")

    def _query_address(self, address: str) -> tuple[str, list[str]]:
        """Return the name and the aliases of `address`. Switches. herror if it has none."""
        raise NotImplementedError(f"{self!r} must define _query_address()")

    def close(self) -> None:
        """End the running queries. Never switches."""
        for query in list(self._under_way.values()):
            query.kill(block=False)
        self._under_way.clear()

    # Shared queries.

    def _shared(self, query: Callable[..., Any], *args: Any) -> Any:
        key = (query.__name__, args)
        job = self._under_way.get(key)
        if job is None:
            job = self._under_way[key] = Greenlet.spawn(self._ask, key, query, args)
        found = job.get()
        if isinstance(found, GreenletExit):
            raise failure(_socket.EAI_AGAIN)  # the resolver was closed meanwhile
        if isinstance(found, BaseException):
            # A new exception for each waiter: a traceback belongs to one stack.
            raise type(found)(*found.args)
        return found

    def _ask(self, key: Hashable, query: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        try:
            return query(*args)
        except Exception as error:
            return error.with_traceback(None)
        finally:
            if self._under_way.get(key) is getcurrent():
                del self._under_way[key]

    def _look_up(self, host: str, family: int) -> tuple[str, list[str], list[str]]:
        """Return the canonical name, the aliases and the addresses of `host`. AF_UNSPEC: both families. Switches."""
        families = (AF_INET, AF_INET6) if family == AF_UNSPEC else (family,)
        local = _hosts.by_name(host, families)
        if local is not None:
            return local
        found = []
        error: BaseException | None = None
        jobs = [Greenlet.spawn(self._try, host, one) for one in families]
        try:
            for job in jobs:
                answer = job.get()
                if isinstance(answer, BaseException):
                    # A query that failed in one family takes precedence over the other family's lack of an address.
                    if error is None or answer.args[0] == _socket.EAI_AGAIN:
                        error = answer
                else:
                    found.append(answer)
        finally:
            for job in jobs:
                job.kill(block=False)
        if not found:
            assert error is not None
            raise error
        addresses = [address for _, _, some in found for address in some]
        return found[0][0], found[0][1], _in_order_of_preference(addresses)

    def _try(self, host: str, family: int) -> Any:
        try:
            return self._shared(self._query_name, host, family)
        except OSError as error:
            return error.with_traceback(None)

    def _reverse(self, address: str) -> tuple[str, list[str]]:
        found = _hosts.by_address(address)
        if found is None:
            found = self._shared(self._query_address, address.partition("%")[0])
        return found

    # The look-ups.

    def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[int, int, int, str, Any]]:
        """Like socket.getaddrinfo."""
        if not isinstance(flags, int) or flags & _NUMERIC:
            return _socket.getaddrinfo(host, port, family, type, proto, flags)
        try:
            return _socket.getaddrinfo(host, port, family, type, proto, flags | _NUMERIC)
        except gaierror as error:
            if error.errno != _socket.EAI_NONAME or not host:
                raise
        canonical, _, addresses = self._look_up_mapped(_text(host), family, flags)
        found: list[tuple[int, int, int, str, Any]] = []
        refused = None
        for address in addresses:
            try:
                found += _socket.getaddrinfo(
                    address, port, family, type, proto, (flags | _NUMERIC) & ~_socket.AI_CANONNAME
                )
            except gaierror as error:
                refused = error
        if not found:
            raise refused or failure(_socket.EAI_NONAME)
        if flags & _socket.AI_CANONNAME:
            found[0] = (*found[0][:3], canonical, found[0][4])
        return found

    def _look_up_mapped(self, host: str, family: int, flags: int) -> tuple[str, list[str], list[str]]:
        try:
            return self._look_up(host, family)
        except gaierror:
            if family != AF_INET6 or not flags & _socket.AI_V4MAPPED:
                raise
        canonical, aliases, addresses = self._look_up(host, AF_INET)
        return canonical, aliases, [f"::ffff:{address}" for address in addresses]

    def gethostbyname(self, hostname: str) -> str:
        """Like socket.gethostbyname."""
        if not _is_name(hostname):
            return _socket.gethostbyname(hostname)
        return self._look_up(_text(hostname), AF_INET)[2][0]

    def gethostbyname_ex(self, hostname: str) -> tuple[str, list[str], list[str]]:
        """Like socket.gethostbyname_ex."""
        if not _is_name(hostname):
            return _socket.gethostbyname_ex(hostname)
        canonical, aliases, addresses = self._look_up(_text(hostname), AF_INET)
        return canonical, list(aliases), list(addresses)

    def gethostbyaddr(self, ip_address: str) -> tuple[str, list[str], list[str]]:
        """Like socket.gethostbyaddr."""
        if _is_name(ip_address):
            address = self._look_up(_text(ip_address), AF_UNSPEC)[2][0]
        elif _refused(ip_address):
            return _socket.gethostbyaddr(ip_address)
        elif ip_address in ("<broadcast>", b"<broadcast>"):
            address = "255.255.255.255"
        else:
            numeric = _socket.getaddrinfo(_text(ip_address), None, 0, _socket.SOCK_DGRAM, 0, _NUMERIC)
            address = str(numeric[0][4][0])
        name, aliases = self._reverse(address)
        return name, list(aliases), [address]

    def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
        """Like socket.getnameinfo."""
        if not isinstance(sockaddr, tuple) or not isinstance(flags, int) or flags & _socket.NI_NUMERICHOST:
            return _socket.getnameinfo(sockaddr, flags)
        plain = (flags | _socket.NI_NUMERICHOST) & ~_socket.NI_NAMEREQD
        address, service = _socket.getnameinfo(sockaddr, plain)
        try:
            name, _ = self._reverse(address)
        except OSError:
            if flags & _socket.NI_NAMEREQD:
                raise failure(_socket.EAI_NONAME) from None
            name = address
        return name, service


def _is_name(host: Any) -> bool:
    """Return whether the system would look up `host`, rather than treat it as an address or refuse it."""
    if _refused(host) or host in ("<broadcast>", b"<broadcast>"):
        return False
    try:
        _socket.getaddrinfo(bytes(host) if isinstance(host, bytearray) else host, None, 0, 0, 0, _NUMERIC)
    except gaierror as error:
        return error.errno == _socket.EAI_NONAME
    except (ValueError, TypeError):
        return False  # the system refuses it
    return False


def _refused(host: object) -> bool:
    """Return whether the system answers `host` without a look-up, mostly with an error."""
    if isinstance(host, str):
        return not host or "\0" in host
    return not isinstance(host, (bytes, bytearray)) or not host or b"\0" in host


def _text(host: Any) -> str:
    """Return the name in the form in which a query sends it."""
    if isinstance(host, str):
        return host if host.isascii() else host.encode("idna").decode("ascii")
    return bytes(host).decode("latin-1")


def _in_order_of_preference(addresses: list[str]) -> list[str]:
    """Sort addresses that this machine can reach first, then IPv6 before IPv4: the essence of the system's order."""
    if len({":" in address for address in addresses}) < 2:
        return addresses
    return sorted(addresses, key=lambda address: (not _reachable(address), ":" not in address))


def _reachable(address: str) -> bool:
    family = AF_INET6 if ":" in address else AF_INET
    try:
        sock = _socket.socket(family, _socket.SOCK_DGRAM, 0)
    except OSError:
        return False
    try:
        sock.connect((address, 53))  # UDP: connect only looks for a route
        return True
    except OSError:
        return False
    finally:
        sock.close()


def no_name() -> herror:
    """Return the system's error for an address without a name."""
    return herror(1, "Unknown host")
