"""TaskGroup: a `with` block of tasks, none of which outlives it. Supervisor: one in which failures cancel no sibling.

A group is a scope and a set. Each task's chain of scopes begins with the group's scope, so a cancellation of the block
cancels the tasks. Each task notifies the group when it ends. The block ends when the set is empty.

The exception that leaves the block, if several were raised:

1. KeyboardInterrupt and SystemExit, of the block itself or of a task, leave unchanged; the others become their cause.
2. Else failures: the exceptions of tasks, and an Exception of the block. They leave as one ExceptionGroup, which also
   contains an interrupt of the block, if there was one.
3. Else an interrupt of the block: an exception that is no Exception (a kill's GreenletExit, a Timeout), or LoopExit. It
   leaves unchanged, so that its sender recognises it; of several, the last one, as with nested `finally` clauses.
4. Else Cancelled: it passes through the group's scope, which stops it if the group itself was cancelled.

A task that was killed or cancelled has not failed.
"""

from __future__ import annotations

from math import inf

from hubcore._base import uncompiled as cython
from hubcore._sync.links import GroupLink
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
    from hubcore._base.hints import Any, Callable, Iterator, P, R, Self
    from hubcore._capi.fallback import getcurrent, greenlet, import_greenlet, publish
    from hubcore._core.raw_greenlet import NEW

    UNOPENED, OPEN, CLOSED = range(3)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import Waiter
    from hubcore.hub import Hub

import_greenlet()

_BARE = (KeyboardInterrupt, SystemExit)
# After one of these, another wait can never succeed.
_IN_VAIN = (HubDestroyed, BlockingSwitchOutError, InvalidThreadUseError, LoopExit)


class TaskGroup(GroupLink):
    """A block that starts tasks and ends when all have ended. The first failure cancels the others and the block.

        with TaskGroup() as group:
            group.spawn(fetch, "a")
            group.spawn(fetch, "b")

    Failures leave the block as an ExceptionGroup. `cancel_scope` is the scope of the block and of the tasks. Only the
    group's `spawn` and `start` make tasks of the group. Other greenlets that the block spawns are neither in the group
    nor in its scope.
    """

    __slots__ = ("_failures", "_host", "_hub", "_starting", "_state", "_tasks", "_waiter", "cancel_scope")

    _cancels_siblings = True

    def __init__(self) -> None:
        self.cancel_scope: CancelScope = CancelScope()
        self._tasks: set[Greenlet] = set()
        self._failures: list[BaseException] = []
        self._starting: dict[Greenlet, Waiter] | None = None  # each with the waiter in `start`
        self._waiter: Waiter | None = None  # of the block, at its end
        self._host: greenlet | None = None
        self._hub: Hub | None = None
        self._state = UNOPENED

    # Tasks.

    def spawn(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Greenlet[R]:
        """Start and return a task that runs `function(*args, **kwargs)` once the caller waits. Never switches.

        Any greenlet of the thread may call it until the block has ended; RuntimeError after that. In a cancelled group
        the task runs until its first wait.
        """
        self._check_open()
        return self._add(function, args, kwargs, None)

    def start(self, function: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        """Start a task that runs `function(*args, started=..., **kwargs)`; wait until it calls `started(value)`.

        Return that value. Switches. An exception that the task raises before that comes out here, and not out of the
        group. RuntimeError if the task ends without a call of `started`; GreenletCancelled if it was cancelled. If this
        wait is interrupted, the task is cancelled.
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
            self.cancel_scope._adopt(task)
        else:
            # A scope of its own, so that the waiter in `start` can cancel this task alone.
            self.cancel_scope._begin_for(task)
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
            starter.wake(value)  # no effect if that wait was interrupted; then the task is about to be cancelled

    def _give_up(self, task: Greenlet) -> None:
        """Cancel `task` and wait for its end: the wait in `start` was interrupted."""
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
            raise RuntimeError(f"cannot start a task in {self!r}: its `with` block {what}")
        if self._hub is not get_hub():
            self._hub.loop.check_thread()  # type: ignore[union-attr]
            raise RuntimeError(f"cannot start a task in {self!r}: its hub is no longer this thread's")

    def notify_last(self, source: Any) -> None:
        """Remove a task that has ended. The task calls this at its very end."""
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
        self.cancel_scope._release(task)

    @property
    def _waits_for(self) -> tuple[Greenlet, ...]:
        """The tasks that have not ended, for which the end of the block waits."""
        return tuple(self._tasks)

    def cancel(self, reason: object = None) -> None:
        """Cancel the block and all tasks: the same as `cancel_scope.cancel`. Never switches; any thread."""
        self.cancel_scope.cancel(reason)

    def __len__(self) -> int:
        return len(self._tasks)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, task: object) -> bool:
        return task in self._tasks

    def __iter__(self) -> Iterator[Greenlet]:
        """Iterate over a copy of the set of tasks that have not ended."""
        return iter(tuple(self._tasks))

    # The block.

    def __enter__(self) -> Self:
        """Begin the block."""
        self._open()
        return self

    def _open(self) -> None:
        if self._state != UNOPENED:
            raise RuntimeError(f"cannot enter {self!r} again; make a new group for each block")
        hub = get_hub()
        current = getcurrent()
        if current is hub:
            raise BlockingSwitchOutError(f"the hub cannot enter {self!r}, whose end waits; spawn a greenlet for it")
        self.cancel_scope._enter(hub, current)
        self.cancel_scope._serve_group(self._tasks)
        self._hub = hub
        self._host = current
        self._state = OPEN

    def __exit__(self, kind: object, value: BaseException | None, traceback: object) -> bool:
        """Wait for the tasks, and raise by the rules in the module's docstring."""
        return self._close(value)

    def _close(self, body: BaseException | None) -> bool:
        scope = self.cancel_scope
        if self._state != OPEN or self._host is not getcurrent():
            return scope._exit(body)  # raises with the reason
        if self._hub is not get_hub():
            self._tasks.clear()  # in a forked child: the tasks are its parent's
        interrupt = self._wait(body)
        self._state = CLOSED
        self._host = None
        for task in self._tasks:  # the group cannot wait for them: they run on without it
            task._drop_link(self)
            task.task_group = None
        outcome = self._outcome(body, interrupt)
        self._failures = []
        try:
            if scope._exit(outcome):
                return True
        except RuntimeError as error:  # left out of order: the failures of the tasks must still be seen
            if outcome is not body:
                error.__cause__ = outcome
            raise
        if outcome is None or outcome is body:
            return False
        raise_as_it_is(outcome)
        return False

    def _wait(self, body: BaseException | None) -> BaseException | None:
        """Wait until there are no tasks; return the last exception that interrupted the wait, or None."""
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
        """Wait until there are no tasks or an exception interrupts the wait; return that exception, or None."""
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
        """Return the exception that leaves the block, or None."""
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
    """A TaskGroup in which a failed task cancels nothing: the others go on, and the block still waits for all.

    The failures leave the block at its end, as an ExceptionGroup. If the block itself fails or is cancelled, the tasks
    are cancelled.
    """

    __slots__ = ()

    _cancels_siblings = False


class _Started:
    """The `started` argument of a task of `start`: the task calls it once, when it has started."""

    __slots__ = ("called", "group", "task")

    def __init__(self, group: TaskGroup) -> None:
        self.group = group
        self.task: Any = None
        self.called = False

    def __call__(self, value: object = None) -> None:
        if self.called:
            raise RuntimeError(f"{self.task!r} called started() twice; a task starts once")
        self.group._has_started(self.task, value)
        self.called = True


def is_failure(error: BaseException | None) -> bool:
    """Return whether `error`, of the block, is a failure rather than an interrupt."""
    return isinstance(error, (Exception, BaseExceptionGroup)) and not isinstance(error, LoopExit)


def without_cancelled(error: BaseException | None) -> BaseException | None:
    """Return `error` without the Cancelled exceptions in it; None if nothing is left."""
    if isinstance(error, BaseExceptionGroup):
        cancelled, rest = error.split(Cancelled)
        return error if cancelled is None else rest
    return None if isinstance(error, Cancelled) else error


publish("hubcore", TaskGroup)
publish("hubcore", Supervisor)
