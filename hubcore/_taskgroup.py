"""TaskGroup: a `with` block of tasks, none of which outlives it. Supervisor: one whose failures disturb nobody.

The group is a scope and a set. Each task's chain of scopes begins with the group's, so that whatever cancels the block
cancels the tasks; and the group is told, by the task that ends, of each end. The block is left when the set is empty.

What comes out of the block, when several things went wrong:

1. KeyboardInterrupt and SystemExit, of the block itself or of a task, come out as they are; all else is their cause.
2. Else failures: the exceptions of tasks, and an Exception of the block. They come out as one ExceptionGroup, with an
   interrupt of the block in it, if there was one.
3. Else an interrupt of the block, that is what is no Exception (a kill's GreenletExit, a Timeout), or LoopExit. It
   comes out as it is, so that whoever sent it recognises it; of several the last, as with nested `finally`s.
4. Else Cancelled: it passes through the group's scope, which stops it if it was the group that was cancelled.

A task that was killed or cancelled has not failed.
"""

from __future__ import annotations

from math import inf

import cython

from hubcore._links import DirectLink
from hubcore.exceptions import (
    BlockingSwitchOutError,
    Cancelled,
    HubDestroyed,
    InvalidThreadUseError,
    LoopExit,
)
from hubcore.greenlet import Greenlet
from hubcore.hub import get_hub
from hubcore.scopes import CancelScope, raise_as_it_is

if not cython.compiled:
    from hubcore._rawgreenlet import NEW
    from hubcore._uncompiled import getcurrent, greenlet, import_greenlet

    UNOPENED, OPEN, CLOSED = range(3)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Self

    from hubcore._park import Waiter
    from hubcore.hub import Hub

import_greenlet()

_BARE = (KeyboardInterrupt, SystemExit)
# After these, to wait again would be in vain, for ever.
_IN_VAIN = (HubDestroyed, BlockingSwitchOutError, InvalidThreadUseError, LoopExit)


class TaskGroup(DirectLink):
    """A block that starts tasks and ends when all have ended; the first failure cancels the others and the block.

        with TaskGroup() as group:
            group.spawn(fetch, "a")
            group.spawn(fetch, "b")

    Failures come out of the block as an ExceptionGroup. `cancel_scope` is the scope of the block and of the tasks. Only
    `spawn` and `start` make tasks of the group: a greenlet that is spawned in the block otherwise is not in it, and not
    in its scope either.
    """

    __slots__ = ("_failures", "_host", "_hub", "_starting", "_state", "_tasks", "_waiter", "cancel_scope")

    _cancels_siblings = True

    def __init__(self) -> None:
        self.cancel_scope = CancelScope()
        self._tasks: set[Greenlet] = set()
        self._failures: list[BaseException] = []
        self._starting: dict[Greenlet, Waiter] | None = None  # and who waits in `start`
        self._waiter: Waiter | None = None  # of the block, at its end
        self._host: greenlet | None = None
        self._hub: Hub | None = None
        self._state = UNOPENED

    # Tasks.

    def spawn(self, function: Callable[..., object], *args: object, **kwargs: object) -> Greenlet:
        """Start a task that runs `function(*args, **kwargs)` once the caller waits. Never switches.

        For the block, its tasks, and any other greenlet of the thread, until the block has ended: RuntimeError then.
        In a group that was cancelled the task runs until it first waits.
        """
        self._check_open()
        return self._add(function, args, kwargs, None)

    def start(self, function: Callable[..., object], *args: object, **kwargs: object) -> Any:
        """Start a task that runs `function(*args, started=..., **kwargs)`; return what it calls `started` with.

        Switches. What the task raises before that, `start` raises, and the group knows nothing of it; RuntimeError if
        it ends without having called `started`, GreenletCancelled if it was cancelled. If this wait is interrupted, the
        task is cancelled.
        """
        self._check_open()
        return self._start(function, args, kwargs)

    def _start(self, function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        waiter = get_hub().new_waiter(f"the start of {function!r}")
        started = _Started(self)
        kwargs["started"] = started
        task = self._add(function, args, kwargs, waiter)
        started.task = task
        try:
            self._hub.park(waiter)  # type: ignore[union-attr]
        except BaseException:
            self._give_up(task)
            raise
        if started.called:
            return waiter.value
        if task.exception is not None:
            task.get(block=False)
        what = "was killed" if task.killed else "ended"
        raise RuntimeError(f"{function!r} {what} before it called started(), so start() has nothing to return")

    def _add(
        self,
        function: Callable[..., object],
        args: tuple[object, ...],
        kwargs: dict[str, object],
        starter: Waiter | None,
    ) -> Greenlet:
        task = Greenlet.__new__(Greenlet)
        task._set_up(function, args, kwargs)
        self._tasks.add(task)
        task.task_group = self
        task._add_link(self)
        if starter is None:
            self.cancel_scope.adopt(task)
        else:
            # A scope of its own, so that whoever waits for it to start can cancel it and nobody else.
            self.cancel_scope.begin_for(task)
            if self._starting is None:
                self._starting = {}
            self._starting[task] = starter
        try:
            task.start()
        except BaseException:
            if task._phase == NEW:  # the hub is gone
                task._drop_link(self)
                self._forget(task)
            raise
        return task

    def _has_started(self, task: Greenlet, value: object) -> None:
        self._hub.loop.check_thread()  # type: ignore[union-attr]
        starter = None
        if self._starting is not None:
            starter = self._starting.pop(task, None)
        if starter is not None:
            starter.wake(value)  # in vain if that wait was interrupted; the task is then about to be cancelled

    def _give_up(self, task: Greenlet) -> None:
        """Whoever waits in `start` was interrupted: have `task` end, and wait for that."""
        if task not in self._tasks:
            return
        if self._starting is not None:
            self._starting.pop(task, None)  # its failure is the group's now
        scope: Any = task._scope
        while scope._parent is not self.cancel_scope:
            scope = scope._parent
        scope.cancel("the start() that waited for it was interrupted")
        with CancelScope(inf, True):
            task.join()

    def _check_open(self) -> None:
        if self._state != OPEN:
            what = "has ended" if self._state == CLOSED else "was not entered"
            raise RuntimeError(f"{self!r} takes no tasks: its `with` block {what}")
        if self._hub is not get_hub():
            self._hub.loop.check_thread()  # type: ignore[union-attr]
            raise RuntimeError(f"{self!r} takes no tasks: its hub is not this thread's any more")

    def notify(self, source: Any) -> None:
        """A task has ended. Called by it, at its very end."""
        task = source
        starter = None
        if self._starting is not None:
            starter = self._starting.pop(task, None)
        self._forget(task)
        if starter is None or not starter.wake():
            self._note_failure(task)
        if self._waiter is not None and not self._tasks:
            self._waiter.wake()

    def _note_failure(self, task: Greenlet) -> None:
        failure = without_cancelled(task.exception)
        if failure is None:
            return
        self._failures.append(failure)
        if self._cancels_siblings or isinstance(failure, _BARE):
            self.cancel_scope.cancel(f"a task failed with {type(failure).__name__}")

    def _forget(self, task: Greenlet) -> None:
        self._tasks.discard(task)
        task.task_group = None
        self.cancel_scope.release(task)

    @property
    def waits_for(self) -> tuple[Greenlet, ...]:
        """The tasks that have not ended: what the end of the block waits for."""
        return tuple(self._tasks)

    def cancel(self, reason: object = None) -> None:
        """Cancel the block and all tasks, from any thread: the same as `cancel_scope.cancel`. Never switches."""
        self.cancel_scope.cancel(reason)

    def __len__(self) -> int:
        return len(self._tasks)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, task: object) -> bool:
        return task in self._tasks

    def __iter__(self) -> Iterator[Greenlet]:
        """The tasks that have not ended, as they are now."""
        return iter(tuple(self._tasks))

    # The block.

    def __enter__(self) -> Self:
        self._open()
        return self

    def _open(self) -> None:
        if self._state != UNOPENED:
            raise RuntimeError(f"{self!r} was entered before; a group serves one block, make another one")
        hub = get_hub()
        current = getcurrent()
        if current is hub:
            raise BlockingSwitchOutError(f"{self!r} waits at its end, which the hub must never do; spawn a greenlet")
        self.cancel_scope._enter(hub, current)
        self.cancel_scope.serve(self._tasks)
        self._hub = hub
        self._host = current
        self._state = OPEN

    def __exit__(self, kind: object, value: BaseException | None, traceback: object) -> bool:
        """Wait for the tasks, and raise what the module's text says."""
        return self._close(value)

    def _close(self, body: BaseException | None) -> bool:
        scope = self.cancel_scope
        if self._state != OPEN or self._host is not getcurrent():
            return scope._exit(body)  # it says what is wrong
        if self._hub is not get_hub():
            self._tasks.clear()  # in a forked child: the tasks are its parent's
        interrupt = self._wait(body)
        self._state = CLOSED
        self._host = None
        for task in self._tasks:  # they could not be waited for, and are on their own now
            task._drop_link(self)
            task.task_group = None
        outcome = self._outcome(body, interrupt)
        self._failures = []
        try:
            if scope._exit(outcome):
                return True
        except RuntimeError as error:  # left out of order: what the tasks failed with must be seen all the same
            if outcome is not body:
                error.__cause__ = outcome
            raise
        if outcome is None or outcome is body:
            return False
        raise_as_it_is(outcome)
        return False

    def _wait(self, body: BaseException | None) -> BaseException | None:
        """Wait until there are no tasks; what interrupted that, the last if several did."""
        interrupt = None
        if body is None:
            interrupt = self._wait_once()
            if interrupt is None:
                return None
        self.cancel_scope.cancel("the block of the group failed" if interrupt is None else "its block was interrupted")
        if self._tasks:
            with CancelScope(inf, True):
                while self._tasks:
                    another = self._wait_once()
                    if another is not None:
                        if is_failure(interrupt):
                            self._failures.append(interrupt)  # type: ignore[arg-type]
                        interrupt = another
                        if isinstance(another, _IN_VAIN):
                            break
        return interrupt

    def _wait_once(self) -> BaseException | None:
        """Wait until there are no tasks or something interrupts that; that then."""
        hub: Any = self._hub
        try:
            while self._tasks:
                self._waiter = hub.new_waiter(self)
                hub.park(self._waiter)
        except BaseException as error:
            return error
        finally:
            self._waiter = None
        return None

    def _outcome(self, body: BaseException | None, interrupt: BaseException | None) -> BaseException | None:
        """What is to come out of the block."""
        failures = self._failures
        last: BaseException | None = None
        for own in (body, interrupt):
            error = without_cancelled(own)
            if error is None or any(error is other for other in failures):
                continue
            if is_failure(error):
                failures.append(error)
            else:
                last = error
        if last is not None and failures:
            failures.append(last)
        for error in failures:
            if isinstance(error, _BARE):
                failures.remove(error)
                if failures and error.__cause__ is None:
                    error.__cause__ = self._grouped(failures)
                return error
        if failures:
            return self._grouped(failures)
        if last is not None:
            return last
        return body if interrupt is None else interrupt

    def _grouped(self, failures: list[BaseException]) -> BaseException:
        return BaseExceptionGroup(f"unhandled errors in a {type(self).__name__}", failures)

    def __repr__(self) -> str:
        state = ("not entered", f"of {len(self._tasks)} tasks", "ended")[self._state]
        if self._state == OPEN and self.cancel_scope.cancel_called:
            state += ", cancelled"
        return f"<{type(self).__name__} {state} at {id(self):#x}>"


class Supervisor(TaskGroup):
    """A TaskGroup in which a task that fails disturbs nobody: the others go on, and the block still waits for all.

    The failures come out at the end, as an ExceptionGroup. When the block itself fails or is cancelled, the tasks are
    cancelled.
    """

    __slots__ = ()

    _cancels_siblings = False


class _Started:
    """What a task of `start` calls, once, when it has started."""

    __slots__ = ("called", "group", "task")

    def __init__(self, group: TaskGroup) -> None:
        self.group = group
        self.task: Any = None
        self.called = False

    def __call__(self, value: object = None) -> None:
        if self.called:
            raise RuntimeError(f"{self.task!r} has called started() before; a task starts once")
        self.group._has_started(self.task, value)
        self.called = True


def is_failure(error: BaseException | None) -> bool:
    """Whether `error`, of the block, is a failure and no interrupt."""
    return isinstance(error, (Exception, BaseExceptionGroup)) and not isinstance(error, LoopExit)


def without_cancelled(error: BaseException | None) -> BaseException | None:
    """`error`, or what is left of a group without what was only cancelled in it; None if nothing is."""
    if isinstance(error, BaseExceptionGroup):
        cancelled, rest = error.split(Cancelled)
        return error if cancelled is None else rest
    return None if isinstance(error, Cancelled) else error
