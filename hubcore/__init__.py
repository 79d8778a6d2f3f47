"""hubcore: ordinary blocking-style Python, run concurrently by greenlets and a Hub.

    import hubcore
    from hubcore import socket

    jobs = [hubcore.spawn(socket.gethostbyname, host) for host in ("localhost", "127.0.0.1")]
    hubcore.joinall(jobs, timeout=2)
    print([job.value for job in jobs])

The backend is libev, unless HUB_BACKEND names another one.
"""

from __future__ import annotations

import os as _os
from sys import getswitchinterval, setswitchinterval

if _os.environ.get("HUBCORE_PURE") == "1":
    from hubcore._capi.source_only import prefer_source as _prefer_source

    _prefer_source()

from greenlet import GreenletExit, getcurrent

from hubcore import config
from hubcore._base import originals as _originals  # noqa: F401
from hubcore._base.package import publish_all
from hubcore._process import fork as _fork  # noqa: F401
from hubcore._sync.wait import iwait, joinall, killall, wait
from hubcore._tasks.task_group import Supervisor, TaskGroup
from hubcore._version import __version__, version_info
from hubcore.exceptions import Cancelled, LoopExit
from hubcore.greenlet import Greenlet, spawn, spawn_later
from hubcore.hub import get_hub, idle, kill, reinit, sleep, spawn_raw
from hubcore.scopes import CancelScope, current_effective_deadline, fail_after, fail_at, move_on_after, move_on_at
from hubcore.timeout import Timeout, with_timeout

if config.arena_cache > 0:
    try:
        from hubcore._core import frame_arena as _frame_arena
    except ImportError:  # an uncompiled run
        pass
    else:
        _frame_arena.install(config.arena_cache)

__all__ = [
    "CancelScope",
    "Cancelled",
    "Greenlet",
    "GreenletExit",
    "LoopExit",
    "Supervisor",
    "TaskGroup",
    "Timeout",
    "__version__",
    "config",
    "current_effective_deadline",
    "fail_after",
    "fail_at",
    "fork",
    "get_hub",
    "getcurrent",
    "getswitchinterval",
    "idle",
    "iwait",
    "joinall",
    "kill",
    "killall",
    "move_on_after",
    "move_on_at",
    "open_channel",
    "reinit",
    "setswitchinterval",
    "signal_handler",
    "sleep",
    "spawn",
    "spawn_later",
    "spawn_raw",
    "version_info",
    "wait",
    "with_timeout",
]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._process.gevent_signal import signal_handler
    from hubcore.channel import open_channel


if not TYPE_CHECKING:  # or checkers would take every name

    def __getattr__(name: str) -> object:
        # Few programs need these, so they are imported at the first use.
        if name == "open_channel":
            from hubcore.channel import open_channel

            return open_channel
        if name == "signal_handler":
            from hubcore._process.gevent_signal import signal_handler

            return signal_handler
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The names for users: those of `__all__`, and the public modules that are imported so far."""
    modules = [name for name, value in globals().items() if type(value) is type(_os) and not name.startswith("_")]
    return sorted({*__all__, *modules, "__doc__", "__file__", "__name__", "__path__"})


def fork(*args: object, **kwargs: object) -> int:
    """Call os.fork(): the child starts with a fresh hub and runs none of this process's greenlets.

    See `hubcore.os.fork`.
    """
    from hubcore.os import fork

    return fork(*args, **kwargs)


publish_all(globals())
