"""The options of the launchers that say what is patched: `--no-patch`, `--no-thread`, `--thread`, `--strict`."""

from __future__ import annotations

import argparse

from hubcore._patch_all import MODULES, chosen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAMES = (*MODULES, "dns", "Event")


def add(parser: argparse.ArgumentParser, no_patch: bool = True) -> None:
    """Add them to `parser`."""
    if no_patch:
        parser.add_argument("--no-patch", action="store_true", help="leave the standard library as it is")
    parser.add_argument(
        "--strict", action="store_true", help="refuse to start if something still refers to what was replaced"
    )
    group = parser.add_argument_group(
        "what is patched", "--no-NAME leaves it out, --NAME patches only those named: " + ", ".join(NAMES)
    )
    for name in NAMES:
        group.add_argument(f"--no-{name}", action="append_const", dest="leave", const=name, help=argparse.SUPPRESS)
        group.add_argument(f"--{name}", action="append_const", dest="only", const=name, help=argparse.SUPPRESS)


def arguments(leave: list[str] | None, only: list[str] | None) -> dict[str, Any]:
    """What patch_all is to be called with."""
    return chosen(NAMES, only or (), leave or ())


def patch(options: Any) -> None:
    """Patch as the parsed `options` say. StaleReferences with --strict if there are such."""
    if getattr(options, "no_patch", False):
        return
    from hubcore._patch_all import patch_all

    patch_all(strict=options.strict, **arguments(options.leave, options.only))
