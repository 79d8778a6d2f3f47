"""The Hub: one per thread, made when the thread first needs one.

`_core.scheduler` implements the scheduling. This module adds the Hub that programs use, the hub of each thread, and
`sleep`.

Long because: the Hub is one compiled class, and programs import the functions around it from this module, as from
gevent's.
"""

from __future__ import annotations

import sys
from _thread import _local
from os import environ

from greenlet import GreenletExit

from hubcore import config
from hubcore._base import uncompiled as cython
from hubcore._base.argument_checks import as_exception, check_function, check_greenlet
from hubcore._base.hints import Any, Callable, P, R, TracebackType
from hubcore._base.main_thread import in_main_thread
from hubcore._core.deadlines import as_seconds
from hubcore._core.lazy_attribute import LazyAttribute, load
from hubcore._core.raw_greenlet import RawGreenlet
from hubcore._core.registry import hubs as hubs
from hubcore._core.scheduler import Scheduler
from hubcore._core.waiter import Waiter
from hubcore.backends import loop_class
from hubcore.exceptions import BlockingSwitchOutError, HubDestroyed, InvalidSwitchError, LoopExit
from hubcore.loop import Loop
from hubcore.watchers import Io

if not cython.compiled:
    from hubcore._capi.fallback import (
        get_ident,
        getcurrent,
        hide_from_collector,
        import_greenlet,
        make_mutable,
        may_be_async,
    )

TYPE_CHECKING = False
if TYPE_CHECKING:
    from greenlet import getcurrent as getcurrent

    from hubcore._base.protocols import Result
    from hubcore._diagnostics.monitor import PeriodicMonitoringThread
    from hubcore._diagnostics.statistics import Statistics

import_greenlet()

# Rounds in which a hub that is being destroyed lets its greenlets unwind. It abandons a greenlet that still waits then.
_UNWIND_ROUNDS = 100


class Hub(Scheduler):
    """The scheduler of the calling thread, on a backend chosen as `hubcore.backends.loop_class` says.

    `get_hub()` makes it. Make one yourself only to choose the backend of a thread that has no hub yet. `loop` is a Loop
    of this thread, or a backend by name or class; `backend` is another name for that argument.

    The attributes NOT_ERROR and SYSTEM_ERROR and the methods `handle_error`, `handle_system_error`, `print_exception`
    and `switch` can be set on the class, for all hubs, or replaced in a subclass. hubcore itself parks without
    `switch`.
    """

    loop: Loop

    #: Runs blocking calls: a `threadpool_class` of `threadpool_size`, made at the first use. All three can be set.
    threadpool: LazyAttribute[Any] = LazyAttribute("hubcore.threadpool:pool_for")
    threadpool_class: LazyAttribute[Any] = LazyAttribute("hubcore.threadpool:pool_class_for")
    threadpool_size = 10

    #: Looks up host names: a `resolver_class`, made at the first use. Both can be set, and deleted.
    resolver: LazyAttribute[Any] = LazyAttribute("hubcore.resolver:resolver_for")
    resolver_class: LazyAttribute[Any] = LazyAttribute("hubcore.resolver:class_for")

    answer: LazyAttribute[Any] = LazyAttribute("hubcore._observe.answer:answer_for")  #: answers what a debugger asked

    hears_signals = True  #: whether it watches for the process's signals, if it is the main thread's first hub

    def __init__(
        self,
        loop: Loop | str | type[Loop] | None = None,
        default: bool | None = None,
        *,
        backend: str | type[Loop] | None = None,
    ) -> None:
        existing = get_hub_if_any()
        if existing is not None:
            raise InvalidSwitchError(f"this thread has a hub already, {existing!r}; destroy() it before making another")
        if "HUB_RESOLVER" in environ:
            load("hubcore.resolver:check")()  # once here, not at each look-up
        if isinstance(loop, Loop):
            own = loop
            own.check_thread()
        else:
            if default is None:
                default = default_in_main_thread and in_main_thread()
            own = loop_class(loop if loop is not None else backend)(None, default)
        self._set_up(own)
        own.error_handler = self
        self.name = ""
        self.exception_stream: object = sys.stderr  # None keeps failures out of the log
        self._joiners: list[Waiter] = []
        self._orphaned = False
        self.periodic_monitoring_thread: PeriodicMonitoringThread | None = None
        self._status = 0  # exit status of an orphan's process
        self._calls: set[Any] = set()  # calls of other threads that have not ended
        _own(self)
        hubs.add(self)
        from hubcore._watchers.signals import hub_made

        try:
            if self.hears_signals:
                hub_made(self)
        except BaseException:
            # Otherwise the thread would keep half a hub, deaf to Ctrl-C.
            self.destroyed: bool = True
            hubs.discard(self)
            _forget(self)
            if own is not loop:
                own.close()
            raise
        if config.monitor_thread:
            self.start_periodic_monitoring_thread()

    def _nothing_left(self) -> None:
        """Wake the waiters of `join`, or raise LoopExit in the main greenlet: no entry is ready, none can become so."""
        if self._orphaned and self.main.dead:
            from hubcore._core.child_exit import end_child

            end_child(self._status)
        if self._joiners:
            joiners = self._joiners
            self._joiners = []
            for joiner in joiners:
                joiner.wake(True)
            return
        from hubcore._diagnostics.loop_exit import loop_exit_text

        exit = LoopExit(loop_exit_text(self), self)
        waiter = self._waiter_of(self.main)
        if waiter is not None:
            waiter.fail(exit)
        else:
            self.main.throw(exit)  # it is not parked but switched here by hand, so only a throw resumes it

    def adopt(self, orphan: RawGreenlet) -> None:
        """In a forked child, make `orphan`, the greenlet that forked, the main greenlet of this hub.

        The process ends when `orphan` has ended and the hub has nothing left to run; see `_core.child_exit`.
        """
        orphan._move_to(self)
        self.set_main(orphan)
        self._orphaned = True

    def set_main(self, main: RawGreenlet) -> None:
        """Make `main`, a greenlet of this hub, its main greenlet, in which LoopExit and SystemExit are raised."""
        self.main = main

    def switch_out(self) -> None:
        """Raise BlockingSwitchOutError: the hub itself never gives up the processor. In gevent this is a hook."""
        raise BlockingSwitchOutError(f"{self!r} never gives up the processor; the greenlets that it runs do")

    def cancel_wait(self, watcher: Any, error: Any, close_watcher: bool = False) -> None:
        """Raise `error` in the greenlet that waits for `watcher`; close it with `close_watcher`. Never switches."""
        exception = as_exception(error)
        if isinstance(watcher.callback, Waiter):
            watcher.callback.fail(exception)  # the greenlet waits in `wait`
        elif isinstance(watcher, Io):
            watcher.fail(exception)
        if close_watcher:
            watcher.close()

    def cancel_waits_close_and_then(
        self, watchers: Any, exc_kind: Any, then: Callable[..., object], *then_args: object
    ) -> None:
        """Call `cancel_wait` for every watcher, close it, and then call `then(*then_args)`. Never switches."""
        for watcher in watchers:
            if watcher is not None:
                self.cancel_wait(watcher, exc_kind, True)
        then(*then_args)

    def spawn_threadsafe(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Result[R]:
        """Start a greenlet of this hub that runs `function(*args, **kwargs)`; return its result as an AsyncResult.

        Any thread; never switches. The greenlet sees a copy of the caller's context variables. If the hub is destroyed
        before the greenlet has ended, the result fails with HubDestroyed.
        """
        call: Result[R] = load("hubcore._tasks.threadsafe_call:HubCall")(self, function, args, kwargs)
        return call

    @property
    def loop_class(self) -> type[Loop]:
        """The class of its loop."""
        return type(self.loop)

    def _woken_from_outside(self) -> bool:
        """Return whether a parked greenlet waits for something that another living thread may still set."""
        from hubcore._diagnostics.loop_exit import other_threads_may_wake

        return other_threads_may_wake(self)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until nothing is left to run or wait for (True), or `timeout` seconds have passed (False). Switches."""
        waiter = self.new_waiter(self)
        self._joiners.append(waiter)
        try:
            return self.park(waiter, timeout, False)  # a deadline that does not itself keep the loop alive
        finally:
            if waiter in self._joiners:
                self._joiners.remove(waiter)

    def wait(self, watcher: object) -> None:
        """Start `watcher`, a stopped watcher of this loop, and park until it fires once. Switches."""
        waiter = self.new_waiter(watcher)
        watcher.start(waiter, watcher)  # type: ignore[attr-defined]
        try:
            self.park(waiter)
        finally:
            watcher.stop()  # type: ignore[attr-defined]

    def destroy(self, destroy_loop: bool | None = None) -> None:
        """End this hub: raise HubDestroyed in every parked greenlet, let them unwind, close the loop. Switches.

        Call it from the main greenlet: InvalidSwitchError in a greenlet that this hub runs. A second call does nothing.
        The thread gets a new hub when it next needs one. `destroy_loop` is accepted for gevent's sake.
        """
        if self.destroyed:
            return
        self.loop.check_at_rest()  # the program may have closed the loop before
        current = getcurrent()
        if current is self or isinstance(current, RawGreenlet):
            raise InvalidSwitchError(
                f"{current!r} runs in the hub that it would destroy; call destroy() from the main greenlet"
            )
        self._unwind()
        if self.periodic_monitoring_thread is not None:
            self.periodic_monitoring_thread.end()
            self.periodic_monitoring_thread = None
        resolver = self.__dict__.pop("resolver", None)  # it refers to its hub
        if resolver is not None:
            resolver.close()
        self.loop.close()
        self.loop.error_handler = None
        self.destroyed = True
        self.__dict__.pop("threadpool", None)  # it refers to its hub
        for call in tuple(self._calls):  # another thread may be taking its own out
            call.give_up()
        from hubcore._watchers.signals import hub_destroyed

        hub_destroyed(self)
        hubs.discard(self)
        _forget(self)
        if self:
            # The stack of the hub greenlet refers to the hub, so it has to end before the hub can be freed.
            self.parent = current
            self.throw(GreenletExit)

    def _unwind(self) -> None:
        """Raise HubDestroyed in all parked greenlets, and let them run until none is parked or ready."""
        current = getcurrent()
        self._closing |= 1
        self.loop.deadlines._give_up(HubDestroyed(self))
        for _ in range(_UNWIND_ROUNDS):
            for waiter in self.parked:
                if waiter.greenlet is not current:
                    waiter.fail(HubDestroyed(self))
            if len(self.ready) == 0:
                break
            self._take_turn(current)

    def statistics(self) -> Statistics:
        """Return the numbers of parked, ready and scheduled entries, as a Statistics. Any thread; never switches."""
        from hubcore._diagnostics.statistics import of_hub

        return of_hub(self)

    def start_periodic_monitoring_thread(self) -> PeriodicMonitoringThread:
        """Return the native thread that watches this hub; start it at the first call. It ends with the hub.

        With `config.monitor_thread` every hub has one from its beginning.
        """
        monitor = self.periodic_monitoring_thread
        if monitor is None or not monitor.alive:
            from hubcore._diagnostics.monitor import PeriodicMonitoringThread

            monitor = PeriodicMonitoringThread(self)
            self.periodic_monitoring_thread = monitor
            monitor.announce()
        return monitor

    @property
    def backend(self) -> str:
        """The backend's name."""
        return self.loop.name

    @property
    def main_hub(self) -> bool:
        """Whether this is the hub of the program's main thread, where Python handles signals."""
        from hubcore._watchers.signals import watched_by

        return watched_by(self)

    def handle_error(
        self, context: object, type: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Handle an exception that `context` (a greenlet, a callback, or None for the hub) did not catch.

        Override this method, NOT_ERROR or SYSTEM_ERROR to change the policy: exceptions of NOT_ERROR are not reported;
        those of SYSTEM_ERROR are raised in the main greenlet, and so end the program.
        """
        if type is None or value is None:
            return
        if not issubclass(type, self.NOT_ERROR) and not issubclass(type, self.SYSTEM_ERROR):
            self.print_exception(context, type, value, tb)
        if self._orphaned and context is self.main:
            # The main greenlet itself has ended; as in any process, its exception decides the exit status.
            from hubcore._core.child_exit import end_child, exit_status

            self._status = exit_status(value)
            if issubclass(type, SystemExit):
                end_child(self._status)
        elif issubclass(type, self.SYSTEM_ERROR):
            self.handle_system_error(type, value, tb)

    def handle_system_error(
        self, type: type[BaseException], value: BaseException | None = None, tb: TracebackType | None = None
    ) -> None:
        """Raise the exception in the main greenlet."""
        self.interrupt_now(self.main, value if value is not None else type())

    def print_exception(
        self, context: object, t: type[BaseException], v: BaseException, tb: TracebackType | None
    ) -> None:
        """Log an unobserved failure once (logger "hubcore"), with the spawn site."""
        if self.exception_stream is None:
            return
        from hubcore._diagnostics.describe import report_failure

        report_failure(context, t, v, tb)

    def __repr__(self) -> str:
        state = "destroyed" if self.destroyed else f"{self.parked.count} parked"
        name = f" {self.name!r}" if self.name else ""
        return f"<{type(self).__name__}{name} on {self.loop.name}, thread {self.thread_ident:#x}, {state}>"


make_mutable(Hub)


class _Cleaner:
    """Lives in the thread's locals, so it ends with the thread, and then destroys the thread's hub.

    It is compiled, has no objects as attributes and is alone in its locals, so the garbage collector does not track it.
    From CPython 3.14 on the collector tracks every dict, so the locals are hidden from it. Otherwise gc.get_objects()
    in another thread could keep the cleaner alive, and the hub would not be destroyed.
    """

    __slots__ = ("ident",)

    def __init__(self) -> None:
        self.ident = get_ident()

    def __del__(self) -> None:
        # Another thread runs this only uncompiled, if it has kept a reference.
        hub = _owned.pop(self.ident, None) if _owned and self.ident == get_ident() else None
        if hub is None or hub.destroyed:
            return
        try:
            getcurrent()
        except RuntimeError:
            return  # at the end of the process no greenlet can switch any more, and the kernel frees everything anyway
        # The thread's locals are gone. A look there would create them anew, for good, and with them another hub.
        _ending[hub.thread_ident] = hub
        try:
            hub.destroy()
        finally:
            del _ending[hub.thread_ident]


_thread = _local()
_end_of_thread = _local()  # holds only the cleaner
# By thread, the hub that the end of the thread destroys.
_owned: dict[int, Hub | None] = {}
# By thread, the hub that is being destroyed at the end of its thread.
_ending: dict[int, Hub] = {}
# The hub of the thread that last called get_hub().
_cached_hub: Hub | None = None
_default_class: type[Hub] = Hub
#: Whether the loop of the main thread's hub says that it is the default one, as under gevent's name. No other effect.
default_in_main_thread = False


def get_hub() -> Hub:
    """Return the hub of the calling thread; make it at the first call. Never switches."""
    global _cached_hub
    # A thread has one hub, so the ident of the thread decides; reading it costs about as much as reading a register.
    hub = _cached_hub
    if hub is not None and hub.thread_ident == get_ident():
        return hub
    hub = get_hub_if_any()
    if hub is None:
        hub = _default_class()
    _cached_hub = hub
    return hub


def hub_here() -> Hub | None:
    """As `get_hub_if_any`, for compiled callers, where the call costs next to nothing."""
    hub = _cached_hub
    if hub is not None and hub.thread_ident == get_ident():
        return hub
    return get_hub_if_any()


def get_hub_if_any() -> Hub | None:
    """Return the hub of the calling thread, or None if it has none. Never makes one."""
    if _ending and get_ident() in _ending:
        return _ending[get_ident()]
    return getattr(_thread, "hub", None)


def get_hub_class() -> type[Hub]:
    """Return the class of the calling thread's hub or, if it has none, the class that `get_hub` would make it of."""
    hub = get_hub_if_any()
    return _default_class if hub is None else type(hub)


def set_default_hub_class(hubtype: type[Hub]) -> None:
    """Make the hubs of threads that have none yet instances of `hubtype`, a class derived from Hub. Any thread."""
    global _default_class
    if not (isinstance(hubtype, type) and issubclass(hubtype, Hub)):
        raise TypeError(f"the class of hubs must be hubcore.hub.Hub or derived from it, not {hubtype!r}")
    _default_class = hubtype


def set_hub(hub: Hub | None) -> None:
    """Make `hub`, made in the calling thread, the thread's hub. With None the thread makes a new one when needed."""
    global _cached_hub
    if hub is not None and hub.thread_ident != get_ident():
        hub.loop.check_thread()
    _cached_hub = None
    _own(hub)


def _own(hub: Hub | None) -> None:
    """Make `hub` the calling thread's, destroyed when the thread ends. The program has to destroy a previous one."""
    _thread.hub = _owned[get_ident()] = hub
    if not hasattr(_end_of_thread, "cleaner"):
        _end_of_thread.cleaner = _Cleaner()
        hide_from_collector(_end_of_thread.__dict__)


def _forget(hub: Hub) -> None:
    global _cached_hub
    if _cached_hub is hub:
        _cached_hub = None
    if hub.thread_ident not in _ending and getattr(_thread, "hub", None) is hub:
        _thread.hub = None
        _owned.pop(hub.thread_ident, None)


def spawn_raw(function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> RawGreenlet:
    """Start a greenlet without result, links and copied context variables: the cheapest one. Never switches."""
    if may_be_async(function):
        check_function(function, "spawn_raw(): function")
    if kwargs:
        from functools import partial

        function = partial(function, **kwargs)
    hub = get_hub()
    new = RawGreenlet(hub, function, args)
    hub.schedule(new)
    return new


@cython.binding(True)  # for its signature: the default is no literal
def kill(greenlet: Any, exception: type[BaseException] | BaseException = GreenletExit) -> None:
    """Raise `exception` in `greenlet`, of any kind, at its current park or at its next one. Never switches.

    A greenlet that was not started never runs. For a RawGreenlet or Greenlet: any thread.
    """
    check_greenlet(greenlet, exception)
    if isinstance(greenlet, RawGreenlet):
        # A destroyed hub has unwound its running greenlets; the others never started, and its loop calls no callback.
        if greenlet.hub.thread_ident == get_ident() or greenlet.hub.destroyed:
            greenlet.kill_nowait(exception)
        else:
            greenlet.hub.loop.run_callback_threadsafe(greenlet.kill_nowait, exception)
    elif not greenlet.dead:
        get_hub().interrupt(greenlet, exception)


def sleep(seconds: float = 0, ref: bool = True) -> None:
    """Let other greenlets run for `seconds`; with 0 or less, let the ready ones run once. Switches.

    With `ref` False the sleep alone does not keep the loop alive. Greenlets whose sleeps end at the same time wake in
    the order in which they went to sleep.
    """
    if not isinstance(seconds, (float, int)) or seconds != seconds:
        seconds = as_seconds(seconds, "the time to sleep")
    if seconds > 0:
        _sleep(seconds, ref)
    else:
        get_hub().yield_now()


def _sleep(seconds: float, ref: bool) -> None:
    hub = get_hub()
    hub.park(hub.new_waiter("sleep"), seconds, ref)


def idle(priority: int = 0) -> None:
    """Wait until no other entry is ready. Switches. `priority` is accepted for gevent's sake and has no effect."""
    hub = get_hub()
    hub.wait(hub.loop.idle(True, priority))


def reinit(hub: Hub | None = None) -> None:
    """Do nothing: a forked child has a fresh hub already. For programs that call it after os.fork()."""


if not TYPE_CHECKING:  # or checkers would take every name

    def __getattr__(name: str) -> object:
        # Names that programs written for gevent import from here.
        if name == "getcurrent":
            return sys.modules["greenlet"].getcurrent
        if name == "Waiter":
            return load("hubcore._tasks.gevent_waiter:Waiter")
        if name == "signal":
            return load("hubcore._process.gevent_signal:signal_handler")
        if name == "wait":
            return load("hubcore._sync.wait:wait")
        if name == "iwait":
            return load("hubcore._sync.wait:iwait")
        if name == "linkproxy":
            return load("hubcore._tasks.gevent_waiter:linkproxy")
        if name == "MAIN_THREAD_IDENT":
            return load("hubcore._base.main_thread:main_thread_ident")()
        if name == "_get_hub":
            return get_hub_if_any
        if name == "_get_hub_noargs":
            return get_hub
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
