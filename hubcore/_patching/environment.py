"""Checks the environment variables before a program begins: a mistake would otherwise show only at the first wait."""

from __future__ import annotations

from hubcore import backends, resolver
from hubcore._patching import patch_all as _patch_all


def check(backend: str | None = None) -> None:
    """Raise an error if HUB_BACKEND (or `backend` in its place), HUB_RESOLVER or HUB_PATCH is wrong.

    The error is an ImportError, ValueError or TypeError; its text has the value and what would be right. Makes no hub.
    """
    backends.loop_class(backend)
    resolver.check()
    _patch_all.arguments_for(_patch_all.environment(), "HUB_PATCH")
