"""gevent's name for `hubcore.resolver.cares`."""

from __future__ import annotations

from hubcore.resolver.cares import Resolver

__all__ = ["Resolver"]
