"""The start-up hook that `hubcore patch-hook install` sets up: it does what HUB_DROPIN and then HUB_PATCH ask for.

The hook runs in every Python of the environment, pip's among them, so it never ends the process: it reports an error on
stderr, and the program runs without what could not be done.
"""

from __future__ import annotations

import os
import sys

_ran = False


def run() -> None:
    """Put hubcore in gevent's place, and patch, if HUB_DROPIN and HUB_PATCH ask for it. Only the first call does.

    site.py reads the .pth files of a virtual environment twice: its venv() adds a folder that main() adds again.
    """
    global _ran
    if _ran:
        return
    _ran = True
    if os.environ.get("HUB_DROPIN"):
        try:
            from hubcore.dropin import install_as_asked

            install_as_asked()
        except Exception as error:
            print(f"hubcore: not in gevent's place: {error}", file=sys.stderr)
    if os.environ.get("HUB_PATCH"):
        _patch()


def _patch() -> None:
    from hubcore._patching import patch_all as _patch_all

    try:
        wanted = _patch_all.arguments_for(_patch_all.environment(), "HUB_PATCH")
        if wanted is not None:
            from hubcore._patching import environment as _environment

            _environment.check()
            _patch_all.patch_all(**wanted)
    except Exception as error:
        print(f"hubcore: not patched: {error}", file=sys.stderr)
