"""Settings, as plain module variables. Set them before the first hub is made.

An environment variable gives the initial value: the name of the setting with the prefix HUB_ or HUBCORE_.
"""

from __future__ import annotations

import os
import sys

from hubcore._base.hints import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.loop import Loop


def _refuse(text: str) -> None:
    """Raise ValueError; in hubcore's own commands, which cannot catch it this early, print it and exit with 2."""
    from hubcore._base.own_command import is_own_command

    if is_own_command():
        print(f"hubcore: {text}", file=sys.stderr)
        raise SystemExit(2)
    raise ValueError(text)


def _number(variable: str, default: int, least: int = 0) -> int:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    if not text.isdecimal() or int(text) < least:
        _refuse(f"{variable} is {text!r}; it takes a whole number of {least} or more")
    return int(text)


def _seconds(variable: str, default: float | None) -> float | None:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < 1e9:
        _refuse(f"{variable} is {text!r}; it takes a number of seconds above 0, such as {default or 60}")
    return seconds


def _switch(variable: str, default: bool = False) -> bool:
    text = os.environ.get(variable, "").strip().lower()
    if text not in ("", "0", "1", "no", "yes", "off", "on", "false", "true"):
        _refuse(f"{variable} is {text!r}; it takes 1 or 0")
    return text in ("1", "yes", "on", "true") if text else default


#: The backend of new hubs: a name, a list separated by commas, `package.module:Class`, a Loop class, or None, so that
#: HUB_BACKEND and then the default decide.
backend: str | type[Loop] | None = None

#: Number of 16 KiB stack chunks of ended greenlets that hubcore keeps for new ones; 0 turns the cache off. Read once,
#: at import.
arena_cache: int = _number("HUBCORE_ARENA_CACHE", 1024)

#: Whether a greenlet records the whole stack that spawned it, and not only the line. HUBCORE_TRACK_SPAWNING_STACK.
track_spawning_stack: bool = _switch("HUBCORE_TRACK_SPAWNING_STACK")

#: Maximum number of threads that look up host names at the same time. HUBCORE_RESOLVER_THREADS.
resolver_threads: int = _number("HUBCORE_RESOLVER_THREADS", 10, 1)

#: Threads that stay native after a patch, besides those that hubcore knows: the "module" or "module:function" that
#: starts them or that they run. HUBCORE_NATIVE_THREADS, separated by commas. See docs/monkey.md.
native_threads: tuple[str, ...] = tuple(os.environ.get("HUBCORE_NATIVE_THREADS", "").replace(",", " ").split())

#: The resolver of host names, see `hubcore.resolver`; with None, HUB_RESOLVER and then the default decide.
resolver: Any = None

#: The class that is `hubcore.fileobject.FileObject`: "posix", "thread" or "block", `package.module:Class`, a class, or
#: None for the default. HUBCORE_FILE. Read once, when that module is imported.
fileobject: str | type | None = os.environ.get("HUBCORE_FILE", "").strip() or None

#: Whether every hub has a monitor thread that reports greenlets that block the hub. HUBCORE_MONITOR_THREAD.
monitor_thread: bool = _switch("HUBCORE_MONITOR_THREAD")

#: Seconds that a greenlet may run without a switch before the monitor reports it. HUBCORE_MAX_BLOCKING_TIME.
max_blocking_time: float = _seconds("HUBCORE_MAX_BLOCKING_TIME", 0.1) or 0.1

#: Whether these reports are logged. Subscribers of `hubcore.events` get them in either case.
#: HUBCORE_PRINT_BLOCKING_REPORTS.
print_blocking_reports: bool = _switch("HUBCORE_PRINT_BLOCKING_REPORTS", True)

#: Bytes of memory that the process may use before the monitor reports it; 0: no limit. HUBCORE_MAX_MEMORY_USAGE.
max_memory_usage: int = _number("HUBCORE_MAX_MEMORY_USAGE", 0)

#: Seconds between two checks of the memory. HUBCORE_MEMORY_MONITOR_PERIOD.
memory_monitor_period: float = _seconds("HUBCORE_MEMORY_MONITOR_PERIOD", 5.0) or 5.0

#: Seconds between two searches for deadlocks by the monitor; None: it does not search. HUBCORE_DEADLOCK_CHECK_PERIOD.
deadlock_check_period: float | None = _seconds("HUBCORE_DEADLOCK_CHECK_PERIOD", None)
