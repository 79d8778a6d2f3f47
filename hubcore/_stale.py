"""What still refers to the standard library as it was before the patch."""

from __future__ import annotations


def settle(strict: bool = False, rebind: bool = False) -> None:
    """Find it, replace what can be with `rebind`, and raise for the rest with `strict`."""
