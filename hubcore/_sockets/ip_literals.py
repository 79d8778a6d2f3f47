"""Is this text an IP address?"""

from __future__ import annotations

import _socket


def is_address(host: object) -> bool:
    """Return whether `host` is the text of an IPv4 or IPv6 address, which needs no look-up."""
    if not isinstance(host, str) or not host:
        return False
    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False
