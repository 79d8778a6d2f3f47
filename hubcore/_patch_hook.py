"""What the start-up hook runs (`hubcore patch-hook install`), where HUB_PATCH is set: it patches as that says.

It never ends the process: this runs in every Python of the environment, pip's among them. What is wrong is said on
stderr, and the program goes on as it is.
"""

from __future__ import annotations

import sys

from hubcore import _patch_all

_ran = False


def run() -> None:
    """Patch, if HUB_PATCH says so. Only the first call does anything.

    site.py reads the .pth files of a virtual environment twice: its venv() adds a folder that main() adds anew.
    """
    global _ran
    if _ran:
        return
    _ran = True
    try:
        wanted = _patch_all.arguments_for(_patch_all.environment(), "HUB_PATCH")
        if wanted is not None:
            from hubcore import _environment

            _environment.check()
            _patch_all.patch_all(**wanted)
    except Exception as error:
        print(f"hubcore: not patched: {error}", file=sys.stderr)
