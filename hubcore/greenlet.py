"""Greenlet: a task, with a result, links, and a way to end it.

It is finished exactly once: by returning, by raising, or by being killed before it started. From then on `ready()` is
true, whoever joins it is woken at once, and other links are called from the hub.
"""

from __future__ import annotations

from _weakref import ref as weak_reference
from contextvars import copy_context
from heapq import heappush

import cython
from greenlet import GreenletExit

from hubcore import config
from hubcore._checks import check_exception
from hubcore._deadlines import Deadline, as_seconds
from hubcore._idents import _free, _idents, minimal_ident
from hubcore._links import DirectLink, Linkable
from hubcore.exceptions import Cancelled, GreenletCancelled
from hubcore.hub import get_hub

if not cython.compiled:
    from hubcore._awaitable import park, waiter_at
    from hubcore._rawgreenlet import FINISHED, NEW, SCHEDULED, STARTED
    from hubcore._uncompiled import call_or, get_ident, getcurrent, greenlet, import_greenlet, raise_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType
    from typing import Any, Self

    from hubcore.loop import Loop

import_greenlet()

_FAILED = object()
# Compiled, C variables: at the end of the process greenlets may outlive the names in this module. And a destructor must
# run no Python code of hubcore's: a signal's handler would run there, and what it raises (Ctrl-C) would be lost.
_living_idents = _idents
_free_idents = _free
_push_ident = heappush
_spawn_callbacks: list[Callable[[Greenlet], object]] = []


class StartDeadline(Deadline):
    """When a greenlet of `start_later` is to be scheduled."""

    __slots__ = ("greenlet",)

    def __init__(self, greenlet: Greenlet) -> None:
        Deadline.__init__(self)
        self.greenlet = greenlet

    def fire(self, now: float) -> None:
        self.greenlet.hub.ready.push(self.greenlet)

    def give_up(self, exception: BaseException) -> None:
        self.greenlet._finish_unstarted(exception)


class Greenlet(Linkable):
    """A greenlet that runs `run(*args, **kwargs)`, or its own `_run` in a subclass, once it is started.

    It sees a copy of the context variables as they are when it is made; set `gr_context` before `start` for another
    context. Made and started in one thread; its result can be waited for in any.
    """

    __slots__ = (
        "_killed",
        "_kwargs",
        "_name",
        "_spawn_stack",
        "_start_deadline",
        "_started",
        "_successful",
        "_traceback",
        "_tree_locals",
        "exception",
        "spawning_greenlet",
        "task_group",
        "value",
    )

    #: How many frames `spawning_stack` holds at most, where config.track_spawning_stack is on.
    spawning_stack_limit = 10

    def __init__(self, run: Callable[..., object] | None = None, *args: object, **kwargs: object) -> None:
        self._set_up(run, args, kwargs)

    def _set_up(self, run: Callable[..., object] | None, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        if run is not None and not callable(run):
            raise TypeError(f"a greenlet runs something callable, not {run!r}")
        hub = get_hub()
        self._prepare(hub, run, args)
        self._kwargs: dict[str, object] | None = kwargs or None
        self.value: Any = None
        self.exception: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._name: str | None = None
        self._spawn_stack: list[tuple[CodeType, int]] | None = None
        self._start_deadline: StartDeadline | None = None
        self._started = False
        self._successful = False
        self._killed = False
        self.task_group: DirectLink | None = None  # the group that it is a task of, which learns of its failure
        self._links = None
        self._observers = 0
        spawner = getcurrent()
        self.spawning_greenlet = weak_reference(spawner)
        context = copy_context()
        if len(context):
            self.gr_context = context  # without one it starts with an empty one, made when it is needed
        self._tree_locals: dict[object, object] | None = None
        if isinstance(spawner, Greenlet):
            parent = spawner
            if parent._tree_locals is None:
                parent._tree_locals = {}
            self._tree_locals = parent._tree_locals
        if config.track_spawning_stack:
            from hubcore._spawn_stack import capture

            self._spawn_stack = capture(self.spawning_stack_limit)

    # Starting.

    @classmethod
    def spawn(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a greenlet of this class with these arguments and start it. Never switches."""
        new = cls(*args, **kwargs)
        new.start()
        return new

    @classmethod
    def spawn_later(cls, seconds: float, *args: Any, **kwargs: Any) -> Self:
        """As `spawn`, but start it `seconds` from now."""
        new = cls(*args, **kwargs)
        new.start_later(seconds)
        return new

    def start(self) -> None:
        """Have it run soon, after what is ready. Never switches; harmless once it was started or killed."""
        if self._phase != NEW:
            return
        hub = self.hub
        hub.schedule(self)
        self._started = True
        if _spawn_callbacks:
            _call_spawn_callbacks(self)

    def start_later(self, seconds: float) -> None:
        """Have it run `seconds` from now; else as `start`. ValueError if `seconds` is negative."""
        if not as_seconds(seconds, "when a greenlet starts") >= 0:
            raise ValueError(f"cannot start a greenlet {seconds!r} seconds from now; it takes 0 or more")
        if self._phase != NEW:
            return
        loop = self.hub.loop
        loop.check_thread()
        self._start_deadline = StartDeadline(self)
        loop.add_deadline(self._start_deadline, seconds)
        self._phase = SCHEDULED
        self._started = True
        if _spawn_callbacks:
            _call_spawn_callbacks(self)

    @staticmethod
    def add_spawn_callback(callback: Callable[[Greenlet], object]) -> None:
        """Have `callback(greenlet)` called whenever one is started, in any thread, by whoever starts it."""
        if not callable(callback):
            raise TypeError(f"a spawn callback must be callable, not {callback!r}")
        if callback not in _spawn_callbacks:
            _spawn_callbacks.append(callback)

    @staticmethod
    def remove_spawn_callback(callback: Callable[[Greenlet], object]) -> None:
        """Undo `add_spawn_callback`; harmless if it was not there."""
        if callback in _spawn_callbacks:
            _spawn_callbacks.remove(callback)

    @property
    def kwargs(self) -> dict[str, object]:
        """The keyword arguments that it was given; none once it has ended."""
        return self._kwargs if self._kwargs is not None else {}

    # Running.

    def _run(self) -> object:
        """What it runs where no `run` was given: for subclasses."""
        raise NotImplementedError(f"{type(self).__name__} was given nothing to run and has no _run of its own")

    def run(self) -> object:
        """Entry point of the greenlet: called by its first switch."""
        target = self._target
        if target is None:
            target = self._run
        self._begin()
        result = call_or(_FAILED, target, self.args, self._kwargs)
        if result is _FAILED:
            self._fail_with_what_is_set()
        else:
            self._succeed(result)
        # Not before a failure is reported: log records may be filled in from greenlet-local values.
        self._locals = None
        return self.value

    def _fail_with_what_is_set(self) -> None:
        try:
            raise_failure()
        except BaseException as error:
            self._fail(error)

    def _succeed(self, result: object) -> None:
        self.value = result
        self._successful = True
        self._finish()

    def _fail(self, exception: BaseException) -> None:
        if isinstance(exception, GreenletExit):
            self._killed = True
            self._succeed(exception)
            return
        self.exception = exception
        self._traceback = exception.__traceback__
        ends_program = isinstance(exception, self.hub.SYSTEM_ERROR)
        reported = ends_program or self._observers == 0
        if isinstance(exception, Cancelled):
            self._killed = True
            reported = False
        elif self.task_group is not None:
            reported = False
        target = self._target
        try:
            if reported and ends_program:
                # First, as the main greenlet may wait for this one: told of the end, it would go on as if nothing were.
                self.hub.handle_error(self, type(exception), exception, exception.__traceback__)
        finally:
            self._finish()
        # Only the name, for reports.
        name: Any = getattr(target, "__qualname__", None) or ("_run" if target is None else repr(target))
        self._target = name
        if reported and not ends_program:
            self.hub.handle_error(self, type(exception), exception, exception.__traceback__)

    def _finish(self) -> None:
        self._phase = FINISHED
        # What it ran and with what may be large, and a result is often kept for long.
        self._target = None
        self.args = ()
        self._kwargs = None
        if self._links is not None:
            self._notify()

    # Ending.

    def _finish_unstarted(self, exception: BaseException) -> None:
        """It will never start: be finished with `exception`, as if it had raised that. Harmless once it has started."""
        if self._phase >= STARTED:
            return
        if self._start_deadline is not None:
            self.hub.loop.deadlines.remove(self._start_deadline)
            self._start_deadline = None
        self._observers += 1  # whoever ends it knows
        self._fail(exception)

    def kill(
        self,
        exception: type[BaseException] | BaseException = GreenletExit,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Raise `exception` where the greenlet is parked, or parks next; one that was not started never runs.

        With `block`, wait until it has ended, `timeout` seconds at most; switches. May be called from any thread. A
        greenlet that kills itself gets the exception at once if it blocks.
        """
        check_exception(exception)
        if self._phase == FINISHED or self.dead:
            return
        if self.hub.thread_ident != get_ident():
            if self.hub.destroyed:
                # Its hub has unwound what ran there: this one was never scheduled, and never will be.
                self.kill_nowait(exception)
                return
            self.hub.loop.run_callback_threadsafe(self.kill_nowait, exception)
        else:
            if block and self is getcurrent():
                raise exception
            self.kill_nowait(exception)
        if block and self._phase != FINISHED:
            self._join(timeout)

    def throw(self, *args: Any) -> object:
        """Switch to the greenlet at once and raise in it: for the hub's own use; others call `kill`.

        Arguments as for raise: a class or instance, then value and traceback; none means GreenletExit.
        """
        if self._phase < STARTED:
            exception = args[0] if args else GreenletExit
            if isinstance(exception, type):
                value = args[1] if len(args) > 1 else None
                exception = (
                    value if isinstance(value, BaseException) else exception() if value is None else exception(value)
                )
            self._finish_unstarted(exception)
            return self.value
        return greenlet.throw(self, *args)

    # The result.

    @property
    def started(self) -> bool:
        """Whether it was started, now or later, and has not ended."""
        return bool(self)

    def __bool__(self) -> bool:
        return self._started and self._phase != FINISHED

    @property
    def dead(self) -> bool:
        """Whether it has ended, or was killed before it started."""
        return self._phase == FINISHED or greenlet.dead.__get__(self)

    def ready(self) -> bool:
        """Whether it has ended and has its result."""
        return self._phase == FINISHED

    def successful(self) -> bool:
        """Whether it has ended by returning, or by GreenletExit, as a killed one does; `killed` tells them apart."""
        return self._phase == FINISHED and self._successful

    @property
    def killed(self) -> bool:
        """Whether somebody ended it: whether it has ended by a GreenletExit or a Cancelled."""
        return self._phase == FINISHED and self._killed

    @property
    def exc_info(
        self,
    ) -> tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None] | None:
        """What it failed with, in the form of sys.exc_info(); None before it ended, three Nones on success."""
        if self._phase != FINISHED:
            return None
        if self.exception is None:
            return (None, None, None)
        return (type(self.exception), self.exception, self._traceback)

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, `timeout` seconds at most. Switches; never raises what the greenlet raised."""
        self._join(timeout)

    def _join(self, timeout: float | None) -> bool:
        if self._phase == FINISHED:
            return True
        if self is getcurrent():
            raise RuntimeError(f"{self!r} cannot wait for its own end")
        waiter = waiter_at(self)
        self._add_link(waiter)
        if self._phase == FINISHED:
            waiter.wake(self)  # in its own thread, after the first look
        try:
            return park(waiter, timeout)
        finally:
            self._drop_link(waiter)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Wait for the result and return it, or raise what the greenlet raised. Switches unless it is ready.

        Timeout after `timeout` seconds, or at once if not `block` and there is no result yet. GreenletCancelled if the
        greenlet was cancelled; a killed one returns its GreenletExit.
        """
        if self._phase != FINISHED:
            from hubcore.timeout import Timeout

            if not block:
                raise Timeout
            self._observers += 1
            try:
                if not self._join(timeout):
                    raise Timeout(timeout)
            finally:
                self._observers -= 1
        if self.exception is not None:
            if isinstance(self.exception, Cancelled):
                raise GreenletCancelled(f"{self!r} has no result") from self.exception
            raise self.exception.with_traceback(self._traceback)
        return self.value

    @property
    def cross_thread(self) -> bool:
        """Whether whoever waits for it now is in another thread, which this greenlet's hub will wake."""
        return self.hub is not get_hub()

    # Who it is.

    @property
    def loop(self) -> Loop:
        """Its hub's loop."""
        loop: Loop = self.hub.loop
        return loop

    @property
    def minimal_ident(self) -> int:
        """A small number that no other living greenlet of the process has."""
        return minimal_ident(self)

    @property
    def name(self) -> str:
        """Its name in reports: `Greenlet-` and `minimal_ident`, unless it was set."""
        if self._name is None:
            self._name = f"{type(self).__name__}-{minimal_ident(self)}"
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    @property
    def spawn_tree_locals(self) -> dict[object, object]:
        """A dict that it shares with all greenlets of its spawn tree: those it spawns, those they spawn, and so on."""
        if self._tree_locals is None:
            self._tree_locals = {}
        return self._tree_locals

    @spawn_tree_locals.setter
    def spawn_tree_locals(self, value: dict[object, object]) -> None:
        self._tree_locals = value

    @property
    def spawning_stack(self) -> object:
        """The stack that made it, as a frame-like object: the calling line, or all of it if that is being tracked."""
        from hubcore._spawn_stack import as_frames

        return as_frames(self._spawn_stack or [(self._spawn_code, self._spawn_instruction)])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        """Wait until it has ended; if the body failed, or this wait does, kill it."""
        try:
            if kind is None:
                self.join()
        finally:
            self.kill()

    def __repr__(self) -> str:
        target = self._target
        if self._phase == FINISHED:
            what = "ended" if self._successful else f"{target} failed with {self.exception!r}"
            if isinstance(self.exception, Cancelled):
                what = f"{target} was cancelled"
        elif target is None:
            what = "_run"
        else:
            shown = [repr(value) for value in self.args]
            shown += [f"{name}={value!r}" for name, value in self.kwargs.items()]
            what = f"{getattr(target, '__qualname__', repr(target))}({', '.join(shown)})"
        return f'<{type(self).__name__} "{self.name}" at {id(self):#x}: {what}>'

    def __del__(self) -> None:
        if _living_idents:
            ident = _living_idents.pop(id(self), None)
            if ident is not None:
                _push_ident(_free_idents, ident)


def _call_spawn_callbacks(greenlet: Greenlet) -> None:
    for callback in tuple(_spawn_callbacks):
        callback(greenlet)


def _spawn(
    cls: type[Greenlet], run: Callable[..., object] | None, args: tuple[object, ...], kwargs: dict[str, object]
) -> Greenlet:
    # Not by calling the class, which would take the arguments apart and put them together again.
    new = cls.__new__(cls)
    new._set_up(run, args, kwargs)
    new.start()
    return new


def spawn(function: Callable[..., object], *args: object, **kwargs: object) -> Greenlet:
    """Start a greenlet that runs `function(*args, **kwargs)`; it runs once the caller waits. Never switches."""
    return _spawn(Greenlet, function, args, kwargs)


def spawn_later(seconds: float, function: Callable[..., object], *args: object, **kwargs: object) -> Greenlet:
    """Start a greenlet that runs `function(*args, **kwargs)` `seconds` from now. Never switches."""
    return Greenlet.spawn_later(seconds, function, *args, **kwargs)


def __getattr__(name: str) -> object:
    # gevent's programs find these here too; they are built on this module.
    if name in ("joinall", "killall"):
        from hubcore import _wait

        return getattr(_wait, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
