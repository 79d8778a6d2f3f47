"""The package: where its files are, and that its public modules own what they export."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: What the file names of hubcore's own code begin with: its folder, with a slash at the end.
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/"


def publish_all(namespace: dict[str, Any]) -> None:
    """Let what a public module exports from private ones say that it is the public module's.

    `namespace` is the module's `globals()`. Reprs, pickles and help() then name the module that users import. Compiled
    classes do it where they are defined (`_capi/public_names.pxd`).
    """
    for name in namespace["__all__"]:
        thing = namespace.get(name)
        if str(getattr(thing, "__module__", "")).startswith("hubcore._"):
            try:
                thing.__module__ = namespace["__name__"]
            except (AttributeError, TypeError):
                pass  # a compiled class
