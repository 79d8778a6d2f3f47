"""gevent's settings and variables, and what each is on hubcore.

Names, variables and defaults are those that gevent documents under "Configuration".
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: The backend of hubcore by the name of gevent's loop.
LOOPS = {
    "libev": "libev",
    "libev-cext": "libev",
    "libev-cffi": "libev",
    "libuv": "libuv",
    "libuv-cffi": "libuv",
    "gevent.libev.corecext.loop": "libev",
    "gevent.libev.corecffi.loop": "libev",
    "gevent.libuv.loop.loop": "libuv",
}
_RESOLVERS = ("thread", "ares", "dnspython", "block")
_FILES = ("posix", "thread", "block")
_YES, _NO = ("1", "on", "true", "yes"), ("0", "off", "false", "no")


class Setting:
    """One setting: gevent's variable and default, and the attribute of `hubcore.config` that it is, if any."""

    __slots__ = ("default", "own", "read", "take", "variable", "variables", "write")

    def __init__(
        self,
        variable: str,
        default: Any = None,
        own: str = "",
        take: Callable[[str], Any] = str,
        *,
        variables: tuple[str, ...] = (),
        read: Callable[[], Any] | None = None,
        write: Callable[[Any], Any] | None = None,
    ) -> None:
        self.variable, self.default, self.own, self.take = variable, default, own, take
        self.variables: tuple[str, ...] = variables  # hubcore's own, which come first
        self.read: Callable[[], Any] | None = read  # what a program reads, where it is not the value itself
        self.write: Callable[[Any], Any] | None = write  # what is stored, checked


def as_written(setting: Setting, text: str, place: str) -> Any:
    """Return the value that `text` writes for `setting`; a ValueError names `place`, the text and what is right."""
    try:
        return setting.take(text.strip())
    except ValueError as error:
        raise ValueError(f"{place} is {text!r}; it takes {error}") from None


def _switch(text: str) -> bool:
    if text.lower() in _YES or text.lower() in _NO:
        return text.lower() in _YES
    raise ValueError("1 or 0")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < 1e9:
        raise ValueError("a number of seconds above 0")
    return seconds


def _bytes(text: str) -> int:
    """Return the number of bytes of `text`, as "100MB" or "1048576"."""
    units = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
    unit = units.get(text[-2:].lower(), 1)
    number = text[:-2] if unit > 1 else text
    if not number.strip().isdecimal():
        raise ValueError("a number of bytes, such as 1048576 or 100MB")
    return int(number) * unit


def _names(text: str) -> list[str]:
    found = text.replace(",", " ").split()
    if not found:
        raise ValueError("a name")
    return found


def _loops(text: str) -> str:
    wrong = [name for name in _names(text) if name not in LOOPS]
    if wrong:
        raise ValueError(f"names of gevent's loops: {', '.join(LOOPS)}; not {', '.join(wrong)}")
    return ",".join(dict.fromkeys(LOOPS[name] for name in _names(text)))


def _loop(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return _loops(" ".join(map(str, value)))
    return value


def _dotted(text: str, short: tuple[str, ...]) -> str:
    """Return a short name as it is, and `package.module.Class` as hubcore writes it, `package.module:Class`."""
    if text in short or ":" in text:
        return text
    module, _, name = text.rpartition(".")
    if not module or not name.isidentifier():
        raise ValueError(f"{', '.join(short)}, or package.module.Class")
    return f"{module}:{name}"


def _resolvers(text: str) -> str:
    return ",".join(_dotted(name, _RESOLVERS) for name in _names(text))


def _resolver(value: Any) -> Any:
    return _resolvers(" ".join(value)) if isinstance(value, (list, tuple)) else value


def _files(text: str) -> str:
    return _dotted(_names(text)[0], _FILES)


def _file(value: Any) -> Any:
    return _files(" ".join(value)) if isinstance(value, (list, tuple)) else value


def _the(path: str) -> Callable[[], Any]:
    """Return a function that calls `path`, "module:function", without arguments."""
    module, _, name = path.partition(":")
    return lambda: getattr(import_module(module), name)()


def _thread_pool() -> Any:
    return import_module("hubcore.threadpool").ThreadPool


def _least(value: Any) -> Any:
    """Return no limit as hubcore writes it: 0."""
    return value or 0


SETTINGS: dict[str, Setting] = {
    "loop": Setting(
        "GEVENT_LOOP", own="backend", take=_loops, variables=("HUB_BACKEND",),
        read=_the("hubcore.backends:loop_class"), write=_loop,
    ),
    "resolver": Setting(
        "GEVENT_RESOLVER", own="resolver", take=_resolvers, variables=("HUB_RESOLVER",),
        read=_the("hubcore.resolver:resolver_class"), write=_resolver,
    ),
    "fileobject": Setting(
        "GEVENT_FILE", own="fileobject", take=_files, variables=("HUBCORE_FILE",),
        read=_the("hubcore.fileobject:file_object_class"), write=_file,
    ),
    "monitor_thread": Setting(
        "GEVENT_MONITOR_THREAD_ENABLE", False, "monitor_thread", _switch, variables=("HUBCORE_MONITOR_THREAD",)
    ),
    "max_blocking_time": Setting(
        "GEVENT_MAX_BLOCKING_TIME", 0.1, "max_blocking_time", _seconds, variables=("HUBCORE_MAX_BLOCKING_TIME",)
    ),
    "print_blocking_reports": Setting(
        "GEVENT_MONITOR_PRINT_BLOCKING_REPORTS", True, "print_blocking_reports", _switch,
        variables=("HUBCORE_PRINT_BLOCKING_REPORTS",),
    ),
    "max_memory_usage": Setting(
        "GEVENT_MONITOR_MEMORY_MAX", None, "max_memory_usage", _bytes, variables=("HUBCORE_MAX_MEMORY_USAGE",),
        write=_least,
    ),
    "memory_monitor_period": Setting(
        "GEVENT_MONITOR_MEMORY_PERIOD", 5.0, "memory_monitor_period", _seconds,
        variables=("HUBCORE_MEMORY_MONITOR_PERIOD",),
    ),
    "threadpool": Setting("GEVENT_THREADPOOL", read=_thread_pool),
    "threadpool_idle_task_timeout": Setting("GEVENT_THREADPOOL_IDLE_TASK_TIMEOUT", 5.0),
    "track_greenlet_tree": Setting("GEVENT_TRACK_GREENLET_TREE", True, take=_switch),
    "format_context": Setting("GEVENT_FORMAT_CONTEXT", read=lambda: import_module("pprint").saferepr),
    "libev_backend": Setting("GEVENT_BACKEND"),
    "disable_watch_children": Setting("GEVENT_NOWAITPID", False, take=_switch),
    "trace_malloc": Setting("PYTHONTRACEMALLOC"),
    "resolver_nameservers": Setting("GEVENT_RESOLVER_NAMESERVERS"),
    "resolver_timeout": Setting("GEVENT_RESOLVER_TIMEOUT"),
} | {
    f"ares_{name}": Setting(f"GEVENTARES_{name.upper()}")
    for name in ("flags", "ndots", "servers", "tcp_port", "timeout", "tries", "udp_port")
}  # fmt: skip
