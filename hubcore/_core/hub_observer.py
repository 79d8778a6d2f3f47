"""HubObserver: passes what happens in one hub on to the instruments of the program and to the recorder.

The instruments are the whole process's: a tuple of methods for each hook, empty if no instrument has that method.
The recorder is the process's, too; each hub has a ring of its own, which only its thread writes.
"""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, MethodType

from hubcore._base import uncompiled as cython
from hubcore._core.observer import Observer
from hubcore._core.raw_greenlet import RawGreenlet, next_serial

if not cython.compiled:
    from hubcore._capi.fallback import get_ident, getcurrent, import_greenlet
    from hubcore._core.raw_greenlet import FINISHED
    from hubcore._core.waiter import WAITING, WaitEntry, Waiter

    SPAWN, READY, RESUME, SUSPEND, GIVE_WAY, END, POLL, POLLED, MARK, REGION, REGION_END, EXISTS = range(1, 13)
    EVENT, GREENLET, THREAD = range(3)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from greenlet import greenlet

    from hubcore._core.base_loop import BaseLoop
    from hubcore._core.ring import Ring
    from hubcore._core.scheduler import Scheduler

import_greenlet()

# The most texts of a recording; the id 0 stands for all others.
_MOST_TEXTS = 65535
# The methods of the instruments, by hook. Replaced as a whole, never changed.
_on_spawned: tuple[Any, ...] = ()
_on_resumed: tuple[Any, ...] = ()
_on_suspended: tuple[Any, ...] = ()
_on_ready: tuple[Any, ...] = ()
_on_ended: tuple[Any, ...] = ()
_on_poll_began: tuple[Any, ...] = ()
_on_poll_ended: tuple[Any, ...] = ()
# Called with a method that raised, and its exception.
_on_failure: Any = None


def set_hooks(hooks: dict[str, tuple[Any, ...]], on_failure: Any) -> None:
    """Set the methods of all instruments, by hook. `on_failure(method, error)` handles one that raised."""
    global _on_spawned, _on_resumed, _on_suspended, _on_ready, _on_ended, _on_poll_began, _on_poll_ended, _on_failure
    _on_spawned = hooks.get("spawned", ())
    _on_resumed = hooks.get("resumed", ())
    _on_suspended = hooks.get("suspended", ())
    _on_ready = hooks.get("ready", ())
    _on_ended = hooks.get("ended", ())
    _on_poll_began = hooks.get("poll_began", ())
    _on_poll_ended = hooks.get("poll_ended", ())
    _on_failure = on_failure


# The callables that have a name which is read without a call of the program's code.
_WITH_NAMES = (FunctionType, BuiltinFunctionType, MethodType)

# The serial numbers of greenlets that are no RawGreenlet: main greenlets, hubs, and greenlets of the program's own.
_foreign: dict[Any, int] = {}


def serial_of(target: greenlet | None) -> int:
    """Return the number of `target` in snapshots and recordings; 0 for None. Any thread."""
    if target is None:
        return 0
    if isinstance(target, RawGreenlet):
        raw = cython.cast(RawGreenlet, target)
        return raw.get_serial()
    return _foreign_serial(target)


def _foreign_serial(target: greenlet) -> int:
    from _weakref import ref

    key = ref(target, _forget)
    number = _foreign.get(key)
    if number is None:
        number = _foreign[key] = next_serial()
    return number


def _forget(key: Any) -> None:
    _foreign.pop(key, None)


class Texts:
    """The texts of one recording: spawn sites, names and kinds of waits, each stored once and written as a number."""

    __slots__ = ("_fds", "_ids", "_latest", "_latest_kind", "_latest_purpose", "_waits", "texts")

    def __init__(self) -> None:
        self.texts: list[object] = ["others"]
        self._ids: dict[object, int] = {}
        self._waits: dict[object, Any] = {}
        self._fds: dict[type, bool] = {}
        self._latest_kind: object = None  # most waits are like the one before
        self._latest_purpose: object = None
        self._latest = 0

    def id_of(self, text: object) -> int:
        """Return the number of `text`, a str or a pair of code and instruction."""
        found = self._ids.get(text)
        if found is not None:
            return found
        if len(self.texts) >= _MOST_TEXTS:
            return 0
        number = len(self.texts)
        self.texts.append(text)
        self._ids[text] = number
        return number

    def name(self, target: Any) -> int:
        """Return the number of the name of what `target`, a greenlet that has not begun to run, will call."""
        raw = cython.cast(RawGreenlet, target)
        function = raw._target
        if type(function) in _WITH_NAMES:
            return self.id_of(function.__qualname__)  # type: ignore[union-attr]
        return self.id_of(type(target if function is None else function).__name__)

    def has_fd(self, kind: type) -> bool:
        """Return whether objects of `kind` are hubcore's own and have an fd: no code of the program may run here."""
        found = self._fds.get(kind)
        if found is None:
            own = str(kind.__module__).startswith("hubcore.")
            found = self._fds[kind] = own and hasattr(kind, "fd") and hasattr(kind, "events")
        return found

    def wait(self, waiting_on: object) -> int:
        """Return the number of the kind of wait, without a call of the program's code."""
        if isinstance(waiting_on, WaitEntry):
            entry = cython.cast(WaitEntry, waiting_on)
            if type(entry.on) is self._latest_kind and entry.purpose is self._latest_purpose:
                return self._latest
            by_purpose = self._waits.get(type(entry.on))
            if by_purpose is None:
                by_purpose = self._waits[type(entry.on)] = {}
            found = by_purpose.get(entry.purpose)
            if found is None:
                kind = type(entry.on).__name__
                found = by_purpose[entry.purpose] = self.id_of(f"{entry.purpose} {kind}" if entry.purpose else kind)
            self._latest_kind, self._latest_purpose, self._latest = type(entry.on), entry.purpose, found
            return found
        if type(waiting_on) is str:
            return self.id_of(waiting_on)
        return self.id_of(type(waiting_on).__name__.lstrip("_"))


class HubObserver(Observer):
    """The observer of `hub`. `ring` and `texts` are the recorder's, or None."""

    __slots__ = ("_fresh", "_in_pass", "_running", "_tick", "hub", "loop", "ring", "texts")

    def __init__(self, hub: Scheduler) -> None:
        Observer.__init__(self)
        self.hub: Any = hub
        self.loop: BaseLoop = hub.loop
        self.ring: Ring | None = None
        self.texts: Texts | None = None
        self._running: greenlet | None = None  # None also while it is unknown
        if get_ident() == self.loop.thread_ident and getcurrent() is not hub:
            self._running = getcurrent()
        self._in_pass = False
        self._tick = 0
        self._fresh = False  # whether `_tick` is the time now: that of the switch that is under way

    def record_to(self, ring: Ring | None, texts: Texts | None) -> None:
        """Record to `ring` from now on; with None, record no more. Any thread."""
        self.ring = None
        self.texts = texts
        self.ring = ring

    # What the engine notifies; see Observer.

    def pushed(self, entry: object, from_outside: bool) -> None:
        spawned = False
        if isinstance(entry, Waiter):
            waiter = cython.cast(Waiter, entry)
            target: Any = waiter.greenlet
            if target is None or target is self._running:
                return  # the wait is over already, or its greenlet gives way, which `left` notes
        elif isinstance(entry, RawGreenlet):
            target = entry
            spawned = True
        else:
            return
        by: Any = None
        if not from_outside and not self._in_pass:
            by = getcurrent()
            if by is not self._running:  # the hub, or a signal handler's start
                by = None
        # Local variables, here and below: another thread may end the recording at any call of Python code.
        ring, texts = self.ring, self.texts
        if ring is not None and texts is not None:
            tick: int = ring.now()
            who: int = serial_of(target)
            waker: int = serial_of(by)
            if spawned:
                _record_spawn(ring, texts, tick, target, who, waker)
            how: int = THREAD if from_outside else EVENT if by is None else GREENLET
            ring.put(tick, READY, who, waker, how, 0)
        if spawned and _on_spawned:
            self._call(_on_spawned, (target, by))
        if _on_ready:
            self._call(_on_ready, (target, by))

    def left(self, waiter: object) -> None:
        own = cython.cast(Waiter, waiter)
        current: Any = own.greenlet
        if current is not self._running:
            self._goes_on(current)
        self._running = None
        gives_way = own.outcome != WAITING
        ring, texts = self.ring, self.texts
        if ring is not None and texts is not None:
            self._tick = ring.now()
            self._fresh = True
            if gives_way:
                ring.put(self._tick, GIVE_WAY, serial_of(current), 0, 0, 0)
            else:
                _record_wait(ring, texts, self._tick, serial_of(current), own.waiting_on)
        if _on_suspended:
            self._call(_on_suspended, (current, None if gives_way else own.waiting_on))
        if gives_way and _on_ready:
            self._call(_on_ready, (current, None))

    def resumed(self, current: object) -> None:
        self._goes_on(current)

    def begins(self, new: object) -> None:
        self._goes_on(new)

    def hub_runs(self) -> None:
        before: Any = self._running
        if before is None:
            return
        self._running = None
        ended = before.dead
        if isinstance(before, RawGreenlet):
            raw = cython.cast(RawGreenlet, before)
            ended = raw._phase == FINISHED
        ring, texts = self.ring, self.texts
        if ring is not None and texts is not None:
            self._tick = ring.now()
            self._fresh = True
            if ended:
                ring.put(self._tick, END, serial_of(before), 0, 0, 0)
            else:
                _record_wait(ring, texts, self._tick, serial_of(before), "a switch by hand")
        if _on_suspended:
            self._call(_on_suspended, (before, None))
        if ended and _on_ended:
            self._call(_on_ended, (before,))

    def never_ran(self, new: object) -> None:
        if self.ring is not None:
            self.ring.put(self.ring.now(), END, serial_of(new), 0, 0, 0)  # type: ignore[arg-type]
        if _on_ended:
            self._call(_on_ended, (new,))

    def polls(self, timeout: float) -> None:
        self._in_pass = True
        self._fresh = False
        if self.ring is not None:
            self.ring.put(self.ring.now(), POLL, 0, 0, 1 if timeout != 0.0 else 0, 0)
        if _on_poll_began:
            self._call(_on_poll_began, (self.hub, None if timeout < 0 else timeout))

    def polled(self) -> None:
        if self.ring is not None:
            self.ring.put(self.ring.now(), POLLED, 0, 0, 0, 0)
        if _on_poll_ended:
            self._call(_on_poll_ended, (self.hub,))

    def pass_over(self) -> None:
        self._in_pass = False

    # What they are made of.

    def _goes_on(self, current: object) -> None:
        """`current` runs from now on. If another did until now, it has switched by hand."""
        before: Any = self._running
        if before is current:
            return
        self._running = current  # type: ignore[assignment]
        ring, texts = self.ring, self.texts
        if ring is not None and texts is not None:
            if not self._fresh:
                self._tick = ring.now()
            self._fresh = False
            if before is not None:
                _record_wait(ring, texts, self._tick, serial_of(before), "a switch by hand")
            ring.put(self._tick, RESUME, serial_of(current), 0, 0, 0)  # type: ignore[arg-type]
        if before is not None and _on_suspended:
            self._call(_on_suspended, (before, None))
        if _on_resumed:
            self._call(_on_resumed, (current,))

    def record_existing(self, target: greenlet, name: str, waiting_on: object) -> None:
        """Record a greenlet that exists when recording begins; `waiting_on` None: it is ready or runs. Any thread."""
        ring: Any = self.ring
        texts: Any = self.texts
        if ring is None or texts is None:
            return
        tick: int = ring.now()
        site: int = 0
        if isinstance(target, RawGreenlet):
            raw = cython.cast(RawGreenlet, target)
            if raw._spawn_code is not None:
                site = texts.id_of((raw._spawn_code, raw._spawn_instruction))
        ring.put(tick, EXISTS, serial_of(target), 0, site, texts.id_of(name))
        if waiting_on is not None:
            _record_wait(ring, texts, tick, serial_of(target), waiting_on)

    def record_running(self) -> None:
        """Record that the current greenlet runs, when recording begins. The hub's thread only."""
        self._running = None
        self._fresh = False
        self._goes_on(getcurrent())

    def record_mark(self, kind: int, text: str) -> None:
        """Record a mark, or the begin or end of a region, of the current greenlet."""
        ring: Any = self.ring
        if ring is not None and self.texts is not None:
            ring.put(ring.now(), kind, serial_of(getcurrent()), 0, self.texts.id_of(text), 0)

    def _call(self, methods: tuple[Any, ...], arguments: tuple[object, ...]) -> None:
        if self.calling:
            return  # an instrument's own work is not shown to instruments
        self.calling = True
        polling = self.loop.polling
        self.loop.polling = True  # what it calls must not wait
        try:
            for method in methods:
                try:
                    method(*arguments)
                except Exception as error:
                    _on_failure(method, error)
                except BaseException as error:
                    self.hub.interrupt_now(self.hub.main, error)  # of a signal handler, which ran there by chance
        finally:
            self.loop.polling = polling
            self.calling = False


def _record_spawn(ring: Ring, texts: Texts, tick: int, target: object, who: int, by: int) -> None:
    raw = cython.cast(RawGreenlet, target)
    site: int = 0
    if raw._spawn_code is not None:
        site = texts.id_of((raw._spawn_code, raw._spawn_instruction))
    ring.put(tick, SPAWN, who, by, site, texts.name(target))


def _record_wait(ring: Ring, texts: Texts, tick: int, who: int, waiting_on: object) -> None:
    text: int = texts.wait(waiting_on)
    argument: int = 0
    fd: int = -1
    if isinstance(waiting_on, RawGreenlet):
        raw = cython.cast(RawGreenlet, waiting_on)
        argument = raw.get_serial()
    elif not isinstance(waiting_on, WaitEntry) and type(waiting_on) is not str and texts.has_fd(type(waiting_on)):
        fd = waiting_on.fd  # type: ignore[attr-defined]
        argument = waiting_on.events  # type: ignore[attr-defined]
    ring.put(tick, SUSPEND, who, argument, text, fd + 1)
