"""Greenlet: a task, with a result, links, and a way to end it.

A greenlet finishes exactly once: it returns, raises, or is killed before it starts. From then on `ready()` is true. The
greenlets that join it are woken at once; the hub calls the other links.

Long because: one compiled class, and a base class more would cost every check of its type.
"""

from __future__ import annotations

from _weakref import ref as weak_reference
from contextvars import copy_context
from heapq import heappush

from greenlet import GreenletExit

from hubcore import config
from hubcore._base import uncompiled as cython
from hubcore._base.argument_checks import check_exception, check_function
from hubcore._base.hints import class_getitem
from hubcore._core.deadlines import as_seconds, ended_by
from hubcore._core.minimal_idents import _free, _idents, minimal_ident
from hubcore._core.raising import forget_raises, raise_here
from hubcore._core.raw_greenlet import CALL_FAILED, StartDeadline
from hubcore._sync.links import DirectLink, Linkable
from hubcore.exceptions import Cancelled, GreenletCancelled
from hubcore.hub import get_hub

if not cython.compiled:
    from hubcore._base.hints import Any, Callable, CodeType, Generic, P, R, Self, T_co, TracebackType
    from hubcore._capi.fallback import (
        call_or,
        get_ident,
        getcurrent,
        greenlet,
        import_greenlet,
        may_be_async,
        raise_failure,
    )
    from hubcore._core.raw_greenlet import FINISHED, NEW, SCHEDULED, STARTED
    from hubcore._sync.waitable import park, waiter_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import overload

    from hubcore._sync.wait import joinall as joinall
    from hubcore._sync.wait import killall as killall
    from hubcore.loop import Loop

import_greenlet()

# Compiled, C variables: at the end of the process greenlets may outlive the names in this module. And a destructor
# must run no Python code of hubcore: a signal handler would run there, and its exception (Ctrl-C) would be lost.
_living_idents = _idents
_free_idents = _free
_push_ident = heappush
_spawn_callbacks: list[Callable[[Greenlet], object]] = []


class Greenlet(Linkable, Generic["T_co"]):
    """A greenlet that runs `run(*args, **kwargs)`, or a subclass's `_run`, once it is started.

    It gets a copy of the context variables when it is made; set `gr_context` before `start` for another context. Make
    and start it in one thread; any thread may wait for its result.
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

    args: tuple[object, ...]

    #: The maximum number of frames in `spawning_stack`, if config.track_spawning_stack is on.
    spawning_stack_limit = 10

    if TYPE_CHECKING:

        @overload
        def __init__(self, run: Callable[P, T_co], *args: P.args, **kwargs: P.kwargs) -> None: ...
        @overload
        def __init__(self, run: None = None, *args: object, **kwargs: object) -> None: ...

    def __init__(self, run: Callable[..., Any] | None = None, *args: Any, **kwargs: Any) -> None:
        self._set_up(run, args, kwargs)

    def _set_up(self, run: Callable[..., object] | None, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        if run is None:
            check_function(self._run, "_run()")
        elif may_be_async(run):
            check_function(run, "a greenlet's function")
        hub = get_hub()
        self._prepare(hub, run, args)
        self._kwargs: dict[str, object] | None = kwargs or None
        self.value: T_co = None  # type: ignore[assignment]
        self.exception: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._name: str | None = None
        self._spawn_stack: list[tuple[CodeType, int]] | None = None
        self._start_deadline: StartDeadline | None = None
        self._started = False
        self._successful = False
        self._killed = False
        self.task_group: DirectLink | None = None  # its group, which handles its failure
        self._links = None
        self._observers = 0
        spawner = getcurrent()
        self.spawning_greenlet: weak_reference[greenlet] = weak_reference(spawner)
        context = copy_context()
        if len(context):
            self.gr_context = context  # otherwise it starts with an empty context, made when it is needed
        self._tree_locals: dict[object, object] | None = None
        if isinstance(spawner, Greenlet):
            parent = spawner
            if parent._tree_locals is None:
                parent._tree_locals = {}
            self._tree_locals = parent._tree_locals
        if config.track_spawning_stack:
            from hubcore._base.spawn_stack import capture

            self._spawn_stack = capture(self.spawning_stack_limit)

    __class_getitem__ = class_getitem

    # Starting.

    @classmethod
    def spawn(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a greenlet of this class with these arguments, start it and return it. Never switches."""
        new = cls(*args, **kwargs)
        new.start()
        return new

    @classmethod
    def spawn_later(cls, seconds: float, *args: Any, **kwargs: Any) -> Self:
        """As `spawn`, but start the greenlet `seconds` from now."""
        new = cls(*args, **kwargs)
        new.start_later(seconds)
        return new

    def start(self) -> None:
        """Schedule this greenlet behind those that are ready. Never switches; no effect if it was started or killed."""
        if self._phase != NEW:
            return
        hub = self.hub
        hub.schedule(self)
        self._started = True
        if _spawn_callbacks:
            _call_spawn_callbacks(self)

    def start_later(self, seconds: float) -> None:
        """Schedule this greenlet `seconds` from now; else as `start`. ValueError if `seconds` is negative."""
        if not as_seconds(seconds, "the delay of a greenlet") >= 0:
            raise ValueError(f"cannot start a greenlet {seconds!r} seconds from now; seconds must be >= 0")
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
        """Call `callback(greenlet)` at every start of a greenlet in any thread, in the greenlet that starts it."""
        if not callable(callback):
            raise TypeError(f"callback must be callable, not {callback!r}")
        if callback not in _spawn_callbacks:
            _spawn_callbacks.append(callback)

    @staticmethod
    def remove_spawn_callback(callback: Callable[[Greenlet], object]) -> None:
        """Undo `add_spawn_callback`; no effect if `callback` was not added."""
        if callback in _spawn_callbacks:
            _spawn_callbacks.remove(callback)

    @property
    def kwargs(self) -> dict[str, object]:
        """The keyword arguments of its function; empty once the greenlet has ended."""
        return self._kwargs if self._kwargs is not None else {}

    # Running.

    def _run(self) -> T_co:
        """Run the greenlet's work if no `run` was given: for subclasses to override."""
        raise NotImplementedError(f"{type(self).__name__} has nothing to run: pass a function, or define _run()")

    def run(self) -> object:
        """Run the greenlet. The first switch to it calls this."""
        target = self._target
        if target is None:
            target = self._run
        self._begin()
        result = call_or(CALL_FAILED, target, self.args, self._kwargs)
        if result is CALL_FAILED:
            self._fail_with_what_is_set()
        else:
            self._succeed(result)
        # Only after a failure is reported: log records may contain greenlet-local values.
        self._locals = None
        return self.value

    def _fail_with_what_is_set(self) -> None:
        try:
            raise_failure()
        except BaseException as error:
            self._fail(error)

    def _succeed(self, result: Any) -> None:
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
                # Before the end: the main greenlet may wait for this one, and would go on as if it had not failed.
                self.hub.handle_error(self, type(exception), exception, exception.__traceback__)
        finally:
            self._finish()
        # Reports need only the name.
        name: Any = getattr(target, "__qualname__", None) or ("_run" if target is None else repr(target))
        self._target = name
        if reported and not ends_program:
            self.hub.handle_error(self, type(exception), exception, exception.__traceback__)

    def _finish(self) -> None:
        self._phase = FINISHED
        # The function and its arguments may be large, and programs often keep a result for long.
        self._target = None
        self.args = ()
        self._kwargs = None
        if self._links is not None:
            self._notify()

    # Ending.

    def _finish_unstarted(self, exception: BaseException) -> None:
        """Finish with `exception` without having started, as if it had raised that. No effect once it has started."""
        if self._phase >= STARTED:
            return
        if self._start_deadline is not None:
            self.hub.loop.deadlines.remove(self._start_deadline)
            self._start_deadline = None
        self._observers += 1  # the caller knows of this failure
        forget_raises(exception)
        self._fail(exception)

    @cython.binding(True)  # for its signature: the default is no literal
    def kill(
        self,
        exception: type[BaseException] | BaseException = GreenletExit,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Raise `exception` where the greenlet is parked or parks next. A greenlet that has not started never runs.

        With `block`, wait until it has ended, at most `timeout` seconds; this switches. Any thread may call it. With
        `block`, a greenlet that kills itself gets the exception at once.
        """
        check_exception(exception)
        if self._phase == FINISHED or self.dead:
            return
        if self.hub.thread_ident != get_ident():
            if self.hub.destroyed:
                # Its hub has unwound the greenlets that had started: this one never started, and never will.
                self.kill_nowait(exception)
                return
            self.hub.loop.run_callback_threadsafe(self.kill_nowait, exception)
        else:
            if block and self is getcurrent():
                raise_here(exception)
            self.kill_nowait(exception)
        if block and self._phase != FINISHED:
            self._join(timeout)

    def throw(self, *args: Any) -> object:
        """Switch to the greenlet at once and raise in it. For the hub's own use; other callers use `kill`.

        Arguments as of a raise: a class or an instance, then value and traceback; none: GreenletExit.
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
        """Whether it was started, also by `start_later`, and has not ended."""
        return bool(self)

    def __bool__(self) -> bool:
        return self._started and self._phase != FINISHED

    @property
    def dead(self) -> bool:
        """Whether it has ended, or was killed before it started."""
        return self._phase == FINISHED or greenlet.dead.__get__(self)

    def ready(self) -> bool:
        """Return whether it has ended and has its result."""
        return self._phase == FINISHED

    def successful(self) -> bool:
        """Return whether it returned, or ended by GreenletExit as a killed greenlet does; see also `killed`."""
        return self._phase == FINISHED and self._successful

    @property
    def killed(self) -> bool:
        """Whether it was killed or cancelled: it ended by GreenletExit or Cancelled."""
        return self._phase == FINISHED and self._killed

    @property
    def exc_info(self) -> tuple[type[BaseException], BaseException, TracebackType | None] | None:
        """Its failure in the form of sys.exc_info(); None unless it has failed."""
        if self._phase != FINISHED or self.exception is None:
            return None
        return (type(self.exception), self.exception, self._traceback)

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, at most `timeout` seconds. Switches; never raises the greenlet's own exception."""
        self._join(timeout)

    def _join(self, timeout: float | None) -> bool:
        if self._phase == FINISHED:
            return True
        if self is getcurrent():
            raise RuntimeError(f"{self!r} cannot wait for its own end")
        waiter = waiter_at(self)
        self._add_link(waiter)
        if self._phase == FINISHED:
            waiter.wake(self)  # it ended in another thread, after the first test
        try:
            return park(waiter, timeout)
        finally:
            self._drop_link(waiter)

    def get(self, block: bool = True, timeout: float | None = None) -> T_co:
        """Wait for the result and return it, or raise the greenlet's exception. Switches unless it is ready.

        Timeout after `timeout` seconds, or at once if not `block` and there is no result yet. GreenletCancelled if the
        greenlet was cancelled. For a killed greenlet, return its GreenletExit.
        """
        if self._phase != FINISHED:
            from hubcore.timeout import Timeout

            if not block:
                raise Timeout
            self._observers += 1
            try:
                if not self._join(timeout):
                    raise ended_by(timeout, Timeout(timeout))
            finally:
                self._observers -= 1
        if self.exception is not None:
            if isinstance(self.exception, Cancelled):
                raise GreenletCancelled(f"{self!r} has no result") from self.exception
            raise self.exception.with_traceback(self._traceback)
        return self.value

    @property
    def cross_thread(self) -> bool:
        """Whether the caller is in another thread than this greenlet, whose hub would wake it."""
        return self.hub is not get_hub()

    # Identity.

    @property
    def loop(self) -> Loop:
        """Its hub's loop."""
        loop: Loop = self.hub.loop
        return loop

    @property
    def minimal_ident(self) -> int:
        """A small number, unique among the living greenlets of the process."""
        return minimal_ident(self)

    @property
    def name(self) -> str:
        """Its name in reports; by default the class's name, `-` and `minimal_ident`."""
        if self._name is None:
            self._name = f"{type(self).__name__}-{minimal_ident(self)}"
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    @property
    def spawn_tree_locals(self) -> dict[object, object]:
        """A dict shared by all greenlets of the spawn tree: those that it spawns, those that they spawn, and so on."""
        if self._tree_locals is None:
            self._tree_locals = {}
        return self._tree_locals

    @spawn_tree_locals.setter
    def spawn_tree_locals(self, value: dict[object, object]) -> None:
        self._tree_locals = value

    @property
    def spawning_stack(self) -> object:
        """The stack that made it, as a frame-like object: the calling line, or, if tracked, the whole stack."""
        from hubcore._base.spawn_stack import as_frames

        return as_frames(self._spawn_stack or [(self._spawn_code, self._spawn_instruction)])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        """Wait until it has ended. If the body fails, kill it with that exception; if this wait fails, kill it."""
        if isinstance(value, BaseException) and not isinstance(value, Cancelled):
            trace, context = value.__traceback__, value.__context__
            self._observers += 1  # the caller has the exception
            try:
                self.kill(value)
            finally:
                self._observers -= 1
                value.__traceback__, value.__context__ = trace, context
            return
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
    # Calling the class would unpack the arguments and pack them again.
    new = cls.__new__(cls)
    new._set_up(run, args, kwargs)
    new.start()
    return new


def spawn(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Greenlet[R]:
    """Start and return a greenlet that runs `function(*args, **kwargs)` once the caller waits. Never switches."""
    return _spawn(Greenlet, function, args, kwargs)


def spawn_later(seconds: float, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Greenlet[R]:
    """Return a greenlet that will run `function(*args, **kwargs)` `seconds` from now. Never switches."""
    return Greenlet.spawn_later(seconds, function, *args, **kwargs)


if not TYPE_CHECKING:  # or checkers would take every name

    def __getattr__(name: str) -> object:
        # gevent has these names here, too. They are built on this module.
        if name in ("joinall", "killall"):
            from hubcore._sync import wait as _wait

            return getattr(_wait, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
