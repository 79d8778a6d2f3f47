"""What the environment asks for, looked at before a program begins: a mistake there shows only at the first wait."""

from __future__ import annotations

from hubcore import _patch_all, backends, resolver


def check(backend: str | None = None) -> None:
    """Raise what is wrong with HUB_BACKEND, or `backend` in its place, with HUB_RESOLVER or with HUB_PATCH.

    An ImportError, ValueError or TypeError whose text names the value and what would be right. Never makes a hub.
    """
    backends.loop_class(backend)
    resolver.check()
    _patch_all.arguments_for(_patch_all.environment(), "HUB_PATCH")
