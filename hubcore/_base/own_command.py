"""Does this process run hubcore's own command?"""

from __future__ import annotations

import os
import sys


def is_own_command() -> bool:
    """Whether the process was started as `hubcore` or `python -m hubcore`, also before Python has found the module."""
    started = sys.argv[0] if sys.argv else ""
    if started == "-m":  # the value of sys.argv[0] until Python has found the module
        started = sys.orig_argv[sys.orig_argv.index("-m") + 1].partition(".")[0] if "-m" in sys.orig_argv else ""
    return os.path.basename(started) == "hubcore"
