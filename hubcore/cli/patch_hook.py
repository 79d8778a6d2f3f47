"""`hubcore patch-hook`: installs or removes the hook by which HUB_PATCH=1 patches every Python of this environment.

With HUB_DROPIN=gevent the hook puts hubcore in gevent's place. It is a .pth file of one line in site-packages, which
Python executes when it starts (see the documentation of the site module). Without one of these variables in the
environment that line imports nothing of hubcore and has no effect.
"""

from __future__ import annotations

import os
import sysconfig

from hubcore.cli._output import complain

NAME = "hubcore_patch.pth"
LINE = (
    "import os; (os.environ.get('HUB_PATCH') or os.environ.get('HUB_DROPIN')) and "
    'exec("try:\\n from hubcore import _patch_hook\\n'
    # It runs in other interpreters of the process as well, in which greenlet does not load: they stay unpatched.
    "except ImportError as error:\\n"
    " if not isinstance(error, ModuleNotFoundError) and 'subinterpreter' not in str(error): raise\\n"
    'else: _patch_hook.run()")\n'
)


def main(action: str) -> int:
    """Perform `action`: install, remove or status. Return the exit status; for status, 1 if it is not installed."""
    path = os.path.join(sysconfig.get_path("purelib"), NAME)
    there = os.path.exists(path)
    try:
        if action == "install":
            with open(path, "w", encoding="utf-8") as file:
                file.write(LINE)
            print(f"installed: {path}\nHUB_PATCH=1 now patches every Python of this environment when it starts.")
            print("HUB_DROPIN=gevent now has `import gevent` give hubcore in each of them.")
        elif action == "remove":
            if there:
                os.remove(path)
            print(f"removed: {path}" if there else f"not installed: {path} does not exist")
        else:
            print(f"installed: {path}" if there else f"not installed; `hubcore patch-hook install` creates {path}")
            return 0 if there else 1
    except OSError as error:
        complain(f"cannot {action} {path}: {error.strerror}")
        return 1
    return 0
