"""The client of a request, as a proxy reports it: X-Forwarded-For and X-Forwarded-Proto.

Any client can send these fields. The server believes them only from trusted peers, and of X-Forwarded-For only the part
that trusted peers wrote: from the right, up to the first address that is not one of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any


class Trusted:
    """Peers that are believed: IP addresses and networks, Unix sockets, or all."""

    def __init__(self, everybody: bool, unix: bool, networks: tuple[Any, ...]) -> None:
        self._everybody = everybody
        self._unix = unix
        self._networks = networks
        self._known: dict[str, bool] = {}

    def has(self, address: str) -> bool:
        """Whether the peer at `address`, "" for a Unix socket, is believed."""
        if self._everybody:
            return True
        if not address:
            return self._unix
        found = self._known.get(address)
        if found is None:
            try:
                parsed: Any = ip_address(address.partition("%")[0])
            except ValueError:
                return False
            parsed = getattr(parsed, "ipv4_mapped", None) or parsed
            found = any(parsed in network for network in self._networks)
            if len(self._known) >= 256:
                self._known.clear()
            self._known[address] = found
        return found

    def apply(self, environ: dict[str, Any], peer: Any) -> None:
        """Put what a believed peer says into `environ`."""
        if not self.has(str(peer[0]) if isinstance(peer, tuple) else ""):
            return
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        given = environ.get("HTTP_X_FORWARDED_FOR")
        if not given:
            return
        found = ""
        for each in reversed(given.split(",")):
            address = _address(each)
            if not address:
                break
            found = address
            if not self.has(address) or self._everybody:
                break
        if found:
            environ["REMOTE_ADDR"] = found
            environ["REMOTE_PORT"] = ""


def _address(text: str) -> str:
    """The IP address in one member of X-Forwarded-For, which may have a port; "" where there is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def trusted(peers: str | Iterable[str], name: str = "forwarded_allow_ips") -> Trusted | None:
    """The peers that `peers` names: addresses, networks, "unix", "*"; in one string, by commas. None for none.

    ValueError, of the setting `name`, where one of them is none of these.
    """
    given = peers.split(",") if isinstance(peers, str) else list(peers)
    names = [each.strip() for each in given if each.strip()]
    if not names:
        return None
    networks = []
    for each in names:
        if each in ("*", "unix"):
            continue
        try:
            networks.append(ip_network(each, strict=False))
        except ValueError:
            raise ValueError(f"{name} has IP addresses, networks, 'unix' or '*'; not {each!r}") from None
    return Trusted("*" in names, "unix" in names, tuple(networks))
