"""What the real world would say differently each time, asked of the simulated one: clocks, randomness, names, ids.

The built-in functions are exchanged, so early references (`from time import time`) follow, and so does what C code of
the standard library makes of them. Outside a simulation they are what they were.

What a simulation has not, such as other processes, raises Unsimulated at the call.
"""

from __future__ import annotations

import _random
import _socket
import datetime
import posix
import random
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from hubcore._base.originals import saved
from hubcore.hub import get_hub
from hubcore.hub import sleep as _sleep_in_hub
from hubcore.testing.sim._clock import EPOCH
from hubcore.testing.sim._errors import Unsimulated
from hubcore.testing.sim._exchange import Exchange

world: Any = None  # the one that is simulated now
_made: dict[tuple[str, str], Exchange] = {}
_nowhere = random.Random(0)


def _original(holder: Any, name: str) -> Any:
    return _made[holder.__name__, name].original


# Clocks.


def _clock() -> Any:
    """The clock of the host whose program runs; None between them, and where nothing is simulated."""
    process = None if world is None else world.current
    return None if process is None else process.host.clock_here


def wall() -> float:
    """The time of day."""
    clock = _clock()
    if clock is not None:
        now: float = clock.wall()
        return now
    found: float = EPOCH + world.now if world is not None else _original(time, "time")()
    return found


def wall_ns() -> int:
    """The time of day in nanoseconds."""
    clock = _clock()
    if clock is not None:
        now: int = clock.wall_ns()
        return now
    return int(EPOCH * 1e9) + int(world.now * 1e9) if world is not None else _original(time, "time_ns")()


def _monotonic(name: str) -> Callable[[], Any]:
    in_ns = name.endswith("_ns")

    def clock_of_host() -> Any:
        if world is None:
            return _original(time, name)()
        clock = _clock()
        now = world.now if clock is None else clock.monotonic()
        return int(now * 1e9) if in_ns else now

    return clock_of_host


def _clock_gettime(clk_id: Any, /) -> float:
    if world is None:
        found: float = _original(time, "clock_gettime")(clk_id)
        return found
    time.clock_getres(clk_id)  # its error for what is no clock
    return wall() if clk_id in _WALL_CLOCKS else time.monotonic()


def _clock_gettime_ns(clk_id: Any, /) -> int:
    if world is None:
        found: int = _original(time, "clock_gettime_ns")(clk_id)
        return found
    time.clock_getres(clk_id)
    return wall_ns() if clk_id in _WALL_CLOCKS else time.monotonic_ns()


_WALL_CLOCKS = {getattr(time, name) for name in ("CLOCK_REALTIME", "CLOCK_TAI") if hasattr(time, name)} | {5}


def _of_seconds(name: str) -> Callable[..., Any]:
    def call(seconds: Any = None, /) -> Any:
        return _original(time, name)(wall() if seconds is None and world is not None else seconds)

    return call


def _strftime(format: Any, *moment: Any) -> str:
    if not moment and world is not None:
        moment = (_original(time, "localtime")(wall()),)
    text: str = _original(time, "strftime")(format, *moment)
    return text


def _asctime(*moment: Any) -> str:
    if not moment and world is not None:
        moment = (_original(time, "localtime")(wall()),)
    text: str = _original(time, "asctime")(*moment)
    return text


def _sleep(seconds: Any, /) -> None:
    if _clock() is None or not isinstance(seconds, (int, float)) or not 0 <= seconds < 9e9:
        _original(time, "sleep")(seconds)
    else:
        _sleep_in_hub(seconds)


def _now(cls: Any, tz: Any = None) -> Any:
    if world is None:
        return _original(datetime.datetime, "now").__get__(None, cls)(tz)
    seconds, nanoseconds = divmod(wall_ns(), 1_000_000_000)
    return cls.fromtimestamp(seconds, tz).replace(microsecond=nanoseconds // 1000)


def _today(cls: Any) -> Any:
    # Up to CPython 3.14 it calls time.time(), which is exchanged; 3.15 asks the system.
    if world is None:
        return _original(datetime.date, "today").__get__(None, cls)()
    return cls.fromtimestamp(wall())


def _utcnow(cls: Any) -> Any:
    if world is None:
        return _original(datetime.datetime, "utcnow").__get__(None, cls)()
    found = _now(datetime.datetime, datetime.UTC)
    return cls(found.year, found.month, found.day, found.hour, found.minute, found.second, found.microsecond)


# Randomness.


def _stream(*names: object) -> random.Random:
    if world is None:
        return _nowhere
    process = world.current
    found: random.Random = world.chance.stream(*names, "" if process is None else process.host.name)
    return found


def _urandom(size: Any, /) -> bytes:
    if world is None or not isinstance(size, int) or size < 0:
        found: bytes = _original(posix, "urandom")(size)
        return found
    return _stream("urandom").randbytes(size)


def _getrandom(size: Any, flags: int = 0) -> bytes:
    if world is None:
        found: bytes = _original(posix, "getrandom")(size, flags)
        return found
    return _urandom(size)


def _rand_bytes(size: Any, /) -> bytes:
    if world is None:
        found: bytes = _original(import_module("_ssl"), "RAND_bytes")(size)
        return found
    return _urandom(size)


def _seed(self: Any, *value: Any) -> Any:
    if world is not None and (not value or value[0] is None):
        value = (_stream("seed").getrandbits(64),)
    if self is _shared and world is not None and world.current is not None:
        self = world.current.host.shared_random
    return _original(_random.Random, "seed")(self, *value)


# The one behind the functions of `random`: each host has its own.
_shared: Any = random._inst
_outside = random.Random(0)  # holds that field while a host has its own
_entered: Any = _outside
_SHARED_METHODS = ("random", "getrandbits", "getstate", "setstate")


def enter(process: Any) -> None:
    """`process` goes on: the functions of `random` are its host's."""
    global _entered
    own = process.host.shared_random
    # A field of Python's, beside the state in C.
    _entered.gauss_next = _shared.gauss_next
    _shared.gauss_next = own.gauss_next
    _entered = own
    for name in _SHARED_METHODS:
        _made["Random", name].stand_in(_shared, own)


# Names and ids.


def _getpid() -> int:
    process = None if world is None else world.current
    number: int = _original(posix, "getpid")() if process is None else process.pid
    return number


def _getppid() -> int:
    number: int = 1 if _clock() is not None else _original(posix, "getppid")()
    return number


def _gethostname() -> str:
    process = None if world is None else world.current
    name: str = _original(_socket, "gethostname")() if process is None else process.host.name
    return name


def _uname() -> Any:
    found = _original(posix, "uname")()
    process = None if world is None else world.current
    if process is None:
        return found
    return type(found)((found[0], process.host.name, *found[2:]))


def _look_up(name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if _clock() is None:
            return _original(_socket, name)(*args, **kwargs)
        return getattr(get_hub().resolver, name)(*args, **kwargs)

    return call


def _kill(pid: int, signum: int, /) -> None:
    if _clock() is None:
        _original(posix, "kill")(pid, signum)
        return
    for process in tuple(world.processes):
        if process.pid == pid:
            if signum == 0:
                return
            if signum == signal.SIGKILL:
                process.host.kill()
                return
            raise Unsimulated(f"os.kill() with signal {signum}: a simulation knows SIGKILL only; to pause a host use "
                              "sim.hosts[name].pause()")  # fmt: skip
    raise ProcessLookupError(3, "No such process")


# What there is not.

_HOST = "start it on a host of its own: sim.host(name, function)"
_NOT_SIMULATED: dict[tuple[str, str], str] = {
    ("_posixsubprocess", "fork_exec"): f"subprocess starts another process; {_HOST}",
    ("posix", "fork"): f"os.fork() makes another process; {_HOST}",
    ("posix", "forkpty"): f"os.forkpty() makes another process; {_HOST}",
    ("posix", "posix_spawn"): f"os.posix_spawn() starts another process; {_HOST}",
    ("posix", "posix_spawnp"): f"os.posix_spawnp() starts another process; {_HOST}",
    ("posix", "execv"): f"os.execv() replaces the process; {_HOST}",
    ("posix", "execve"): f"os.execve() replaces the process; {_HOST}",
    ("posix", "system"): f"os.system() starts another process; {_HOST}",
    ("_signal", "alarm"): "signal.alarm() counts real time; use hubcore.Timeout, or a greenlet that sleeps",
    ("_signal", "setitimer"): "signal.setitimer() counts real time; use hubcore.Timeout, or a greenlet that sleeps",
    ("_thread", "start_new_thread"): "a native thread: it was started past the patch; call threading.Thread, or "
    "take start_new_thread from _thread after the patch",
}  # fmt: skip


def _refuse(module: str, name: str, text: str) -> Callable[..., Any]:
    holder = import_module(module)

    def call(*args: Any, **kwargs: Any) -> Any:
        if _clock() is None:
            return _original(holder, name)(*args, **kwargs)
        raise Unsimulated(f"a simulation does not have this: {text}")

    return call


_ADDRESSED = ("bind", "connect", "connect_ex", "sendto")


def _native_call(name: str) -> Callable[..., Any]:
    def call(self: Any, *args: Any) -> Any:
        if _clock() is not None and self.family in (2, 10) and self.fileno() >= 0:
            raise Unsimulated(
                f"{name}() of a socket of the real kernel: its class was taken from the standard library before it was "
                "patched; import socket, and use socket.socket"
            )
        return _original(_socket.socket, name)(self, *args)

    return call


# All of it.


def _table() -> list[tuple[Any, str, Any]]:
    table: list[tuple[Any, str, Any]] = [
        (time, "time", wall), (time, "time_ns", wall_ns), (time, "clock_gettime", _clock_gettime),
        (time, "clock_gettime_ns", _clock_gettime_ns), (time, "strftime", _strftime), (time, "asctime", _asctime),
        (time, "sleep", _sleep), (datetime.datetime, "now", _now), (datetime.datetime, "utcnow", _utcnow),
        (datetime.date, "today", _today),
        (posix, "urandom", _urandom), (posix, "getrandom", _getrandom), (_random.Random, "seed", _seed),
        (posix, "getpid", _getpid), (posix, "getppid", _getppid), (posix, "uname", _uname), (posix, "kill", _kill),
        (_socket, "gethostname", _gethostname),
    ]  # fmt: skip
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        table += [(time, name, _monotonic(name)), (time, f"{name}_ns", _monotonic(f"{name}_ns"))]
    table += [(time, name, _of_seconds(name)) for name in ("localtime", "gmtime", "ctime")]
    table += [(_random.Random, name, None) for name in _SHARED_METHODS]
    table += [
        (_socket, name, _look_up(name))
        for name in ("getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo")
    ]
    table += [(_socket.socket, name, _native_call(name)) for name in _ADDRESSED]
    for (module, name), text in _NOT_SIMULATED.items():
        table.append((import_module(module), name, _refuse(module, name, text)))
    if "_ssl" in sys.modules:
        table.append((sys.modules["_ssl"], "RAND_bytes", _rand_bytes))
    return table


def install() -> None:
    """Exchange all of them; harmless when done before. They are what they were while `world` is None."""
    for holder, name, replacement in _table():
        key = (holder.__name__, name)
        if key in _made:
            _made[key].make_again()
        else:
            builtin = saved.get(holder.__name__, {}).get(name) or vars(holder).get(name)
            if builtin is not None:
                _made[key] = Exchange(builtin, replacement)
    # The C function behind it asks the system's clock by itself; without it the module does so in Python.
    uuid: Any = sys.modules.get("uuid")
    if uuid is not None:
        uuid._generate_time_safe = uuid._UuidCreate = None
        uuid._node = 0x0242AC110002


def uninstall() -> None:
    """Take all of them back."""
    for exchange in _made.values():
        exchange.take_back()


def leave() -> None:
    """The run is over: everything is what it was."""
    global world, _entered
    world = None
    shared: Any = _shared
    if _entered is not _outside:
        shared.gauss_next = _outside.gauss_next  # type: ignore[attr-defined]
    _entered = _outside
    for name in _SHARED_METHODS:
        if ("Random", name) in _made:
            _made["Random", name].stand_in(None, None)
