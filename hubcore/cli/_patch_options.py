"""The options of the launchers that choose what is patched: `--no-patch`, `--no-thread`, `--thread`, `--strict`."""

from __future__ import annotations

import argparse

from hubcore._patching.patch_all import MODULES, chosen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAMES = (*MODULES, "dns", "Event")


def add(parser: argparse.ArgumentParser, no_patch: bool = True) -> None:
    """Add the options to `parser`."""
    if no_patch:
        parser.add_argument("--no-patch", action="store_true", help="leave the standard library unpatched")
    parser.add_argument(
        "--strict", action="store_true", help="refuse to start if a module holds references from before the patch"
    )
    group = parser.add_argument_group(
        "parts to patch", "--no-NAME leaves NAME out, --NAME patches only the parts named: " + ", ".join(NAMES)
    )
    for name in NAMES:
        group.add_argument(f"--no-{name}", action="append_const", dest="leave", const=name, help=argparse.SUPPRESS)
        group.add_argument(f"--{name}", action="append_const", dest="only", const=name, help=argparse.SUPPRESS)


def arguments(leave: list[str] | None, only: list[str] | None) -> dict[str, Any]:
    """Return the arguments for patch_all."""
    return chosen(NAMES, only or (), leave or ())


def patch(options: Any) -> None:
    """Patch as the parsed `options` ask. With --strict, raises StaleReferences if modules hold any."""
    if getattr(options, "no_patch", False):
        return
    from hubcore._patching.patch_all import patch_all

    patch_all(strict=options.strict, **arguments(options.leave, options.only))
