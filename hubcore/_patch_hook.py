"""The start-up hook that `hubcore patch-hook install` sets up: it patches as HUB_PATCH asks.

The hook runs in every Python of the environment, pip's among them, so it never ends the process: it reports an error on
stderr, and the program runs unpatched.
"""

from __future__ import annotations

import sys

from hubcore._patching import patch_all as _patch_all

_ran = False


def run() -> None:
    """Patch if HUB_PATCH asks for it. Only the first call has an effect.

    site.py reads the .pth files of a virtual environment twice: its venv() adds a folder that main() adds again.
    """
    global _ran
    if _ran:
        return
    _ran = True
    try:
        wanted = _patch_all.arguments_for(_patch_all.environment(), "HUB_PATCH")
        if wanted is not None:
            from hubcore._patching import environment as _environment

            _environment.check()
            _patch_all.patch_all(**wanted)
    except Exception as error:
        print(f"hubcore: not patched: {error}", file=sys.stderr)
