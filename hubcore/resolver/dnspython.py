"""The resolver on the package dnspython: its messages, over cooperative sockets."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, EAI_AGAIN, EAI_NONAME, SOCK_DGRAM

try:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.rcode
    import dns.rdatatype
    import dns.resolver
    import dns.reversename
except ImportError as _error:
    raise ImportError(
        "the resolver 'dnspython' needs the package dnspython; install it with: pip install dnspython"
    ) from _error

from hubcore import socket
from hubcore._base.hints import Any
from hubcore.hub import get_hub
from hubcore.resolver._dns import DnsResolver, failure, no_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub


class Resolver(DnsResolver):
    """Queries `nameservers`, by default the system's, up to `tries` times, and waits `timeout` seconds for each."""

    def __init__(
        self,
        hub: Hub | None = None,
        nameservers: list[str] | None = None,
        port: int = 53,
        timeout: float = 2.0,
        tries: int = 3,
    ) -> None:
        super().__init__(hub)
        try:
            configured = dns.resolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            configured = dns.resolver.Resolver(configure=False)
        self.nameservers: list[str] = nameservers or [
            server for server in map(str, configured.nameservers) if "//" not in server
        ]
        self.search: list[Any] = list(configured.search) if nameservers is None else []
        self.ndots: int = configured.ndots if configured.ndots is not None else 1
        self.port = port
        self.timeout = timeout
        self.tries = tries

    # The two queries.

    def _query_name(self, name: str, family: int) -> tuple[str, list[str], list[str]]:
        kind = dns.rdatatype.AAAA if family == AF_INET6 else dns.rdatatype.A
        try:
            answer = self._search(name, kind)
        except (dns.exception.DNSException, ValueError):  # a message cannot hold that name
            raise failure(EAI_NONAME) from None
        chain = answer.resolve_chaining()
        if chain.answer is None:
            raise failure(EAI_NONAME)
        canonical = chain.canonical_name.to_text(omit_final_dot=True)
        aliases = [rrset.name.to_text(omit_final_dot=True) for rrset in chain.cnames]
        return canonical, [one for one in aliases if one != canonical], [record.address for record in chain.answer]

    def _query_address(self, address: str) -> tuple[str, list[str]]:
        answer = self._query(dns.reversename.from_address(address), dns.rdatatype.PTR)
        try:
            found = answer.resolve_chaining().answer
        except dns.exception.DNSException:
            found = None
        if found is None:
            raise no_name()
        names = [record.target.to_text(omit_final_dot=True) for record in found]
        return names[0], names[1:]

    # Messages.

    def _search(self, name: str, kind: Any) -> Any:
        """Return the answer for `name`, as it is or in a search domain; the number of its dots decides the order."""
        candidates = [dns.name.from_text(name)]
        if not name.endswith("."):
            relative = dns.name.from_text(name, None)
            searched = [relative.concatenate(domain) for domain in self.search]
            candidates = searched + candidates if name.count(".") < self.ndots else candidates + searched
        for candidate in candidates:
            answer = self._query(candidate, kind)
            if answer.answer:
                break
        return answer

    def _query(self, name: Any, kind: Any) -> Any:
        """Return the first answer that says whether the name exists. gaierror if no server gives one. Switches."""
        message = dns.message.make_query(name, kind)
        for _ in range(self.tries):
            for server in self.nameservers:
                try:
                    answer = self._exchange(message, server)
                except (OSError, dns.exception.DNSException):
                    continue
                if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                    return answer
        raise failure(EAI_AGAIN)

    def _exchange(self, message: Any, server: str) -> Any:
        loop = get_hub().loop
        end = loop.update_now() + self.timeout
        with socket.socket(AF_INET6 if ":" in server else AF_INET, SOCK_DGRAM) as sock:
            sock.connect((server, self.port))
            sock.send(message.to_wire())
            while True:
                left = end - loop.update_now()
                if left <= 0.0:
                    raise TimeoutError("timed out")
                sock.settimeout(left)
                try:
                    answer = dns.message.from_wire(sock.recv(65535), ignore_trailing=True)
                except dns.exception.DNSException:
                    continue
                if message.is_response(answer):  # a late or forged answer fails this check
                    break
        if answer.flags & dns.flags.TC:
            return self._exchange_all(message, server)
        return answer

    def _exchange_all(self, message: Any, server: str) -> Any:
        """Ask by TCP, for an answer that is too long for a datagram. Switches."""
        wire = message.to_wire()
        with socket.create_connection((server, self.port), self.timeout) as sock:
            sock.sendall(len(wire).to_bytes(2, "big") + wire)
            with sock.makefile("rb") as file:
                size = int.from_bytes(file.read(2), "big")
                return dns.message.from_wire(file.read(size))
