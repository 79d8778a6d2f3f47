"""`hubcore patch-hook`: whether HUB_PATCH=1 patches any Python of this environment when it starts.

The hook is a file of one line in site-packages, which Python runs at its start (see the site module's documentation of
.pth files). Without HUB_PATCH in the environment that line does nothing and imports nothing.
"""

from __future__ import annotations

import os
import sysconfig

from hubcore.cli._output import complain

NAME = "hubcore_patch.pth"
LINE = (
    "import os; os.environ.get('HUB_PATCH') and "
    'exec("try:\\n from hubcore import _patch_hook\\nexcept ModuleNotFoundError: pass\\nelse: _patch_hook.run()")\n'
)


def main(action: str) -> int:
    """install, remove or status; returns the exit status. status is 1 where it is not installed."""
    path = os.path.join(sysconfig.get_path("purelib"), NAME)
    there = os.path.exists(path)
    try:
        if action == "install":
            with open(path, "w", encoding="utf-8") as file:
                file.write(LINE)
            print(f"installed: {path}\nHUB_PATCH=1 now patches any Python of this environment when it starts.")
        elif action == "remove":
            if there:
                os.remove(path)
            print(f"removed: {path}" if there else f"it is not installed: there is no {path}")
        else:
            print(f"installed: {path}" if there else f"not installed; `hubcore patch-hook install` makes {path}")
            return 0 if there else 1
    except OSError as error:
        complain(f"cannot {action} {path}: {error.strerror}")
        return 1
    return 0
