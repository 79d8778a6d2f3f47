"""Event, a flag that greenlets and threads wait for, and AsyncResult, a value or exception that they wait for.

Both belong to no hub: any thread may set and wait. Setting never switches; a finalizer may do it.
"""

from __future__ import annotations

import sys

from hubcore._base import uncompiled as cython
from hubcore._base.argument_checks import refuse_copy
from hubcore._base.hints import class_getitem
from hubcore._core.deadlines import ended_by
from hubcore._core.raising import raise_with, traceback_of
from hubcore._sync.waitable import Waitable

if not cython.compiled:
    from hubcore._base.hints import Any, Generic, NoReturn, T, TracebackType
    from hubcore._capi.fallback import atomic, import_greenlet
    from hubcore._sync.waitable import park

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import WaitEntry, Waiter

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

__all__ = ["AsyncResult", "Event"]

import_greenlet()


class Event(Waitable):
    """A flag, initially clear, that any number of greenlets and threads can wait for."""

    __slots__ = ("_flag",)

    def __init__(self) -> None:
        self._set_up()
        self._flag = False

    def set(self) -> None:
        """Set the flag and wake all waiters. Never switches; any thread, also a finalizer."""
        claimed: list[Any] | None = None if self._links is None else []
        self._raise_flag(claimed)
        if claimed is not None:
            self._notify_links(claimed)

    def _raise_flag(self, claimed: list[Any] | None) -> None:
        self._flag = True
        if self._waiters.count:
            if claimed is None:
                self._waiters.wake_all(True)
            else:
                self._waiters.claim_all(True, claimed)  # they go on in turn with the links

    def clear(self) -> None:
        """Clear the flag: later waiters wait for the next `set`. Never switches; any thread."""
        self._flag = False

    def is_set(self) -> bool:
        """Return whether the flag is set."""
        return self._flag

    def isSet(self) -> bool:
        """The same as `is_set`."""
        return self._flag

    def ready(self) -> bool:
        """The same as `is_set`."""
        return self._flag

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the flag is set, at most `timeout` seconds; return whether it was. Switches unless it is set.

        A `clear` right after the `set` does not affect the waiters that `set` woke: they return True.
        """
        if self._flag:
            return True
        waiter = self._queue_up(None)
        return waiter is None or park(waiter, timeout)

    def _join(self, entry: WaitEntry, waiter: Waiter) -> Waiter | None:
        if self._flag:
            return None
        self._waiters.add(entry, waiter)
        return waiter

    def _at_fork_reinit(self) -> None:
        """Forget the waiters, in a forked child, for the standard library's threads. The flag stays as it is."""
        self._set_up()

    def __repr__(self) -> str:
        state = "set" if self._flag else "clear"
        return f"<{type(self).__name__} at {id(self):#x} {state}, {self._waiters.count} waiting>"


class AsyncResult(Waitable, Generic["T"]):
    """A value or an exception that comes later.

    It can be a link: after `greenlet.link(result)`, it gets the greenlet's value or exception.
    """

    __slots__ = ("_exc_info", "_exception", "_is_ready", "_looked", "_value")

    def __init__(self) -> None:
        self._set_up()
        self._value: Any = None
        self._exception: BaseException | None = None
        self._exc_info: Any = ()
        self._is_ready = False
        self._looked = False  # whether a caller has read the failure, or it needs no report

    __class_getitem__ = class_getitem

    # Setting.

    def set(self, value: T = None) -> None:  # type: ignore[assignment]
        """Set the value and wake all waiters. Never switches; any thread. A later `set` replaces it."""
        self._settle(value, None, ())

    def set_exception(self, exception: BaseException, exc_info: Any = None) -> None:
        """Set the exception that `get` raises, with the traceback of `exc_info` if given; else as `set`."""
        if not isinstance(exception, BaseException):
            raise TypeError(f"exception must be an exception instance, not {exception!r}")
        if not exc_info:
            # In the handler of the exception, its frames are the caller's own.
            traceback = exception.__traceback__ if exception is sys.exc_info()[1] else traceback_of(exception)
            exc_info = (type(exception), exception, traceback)
        self._settle(None, exception, exc_info)

    def set_result(self, value: T = None) -> None:  # type: ignore[assignment]
        """The same as `set`."""
        self._settle(value, None, ())

    def __call__(self, source: Any) -> None:
        """Take over the result or failure of `source`: an AsyncResult is a link."""
        if source.successful():
            self._settle(source.value, None, ())
        else:
            self.set_exception(source.exception, getattr(source, "exc_info", None))

    def _settle(self, value: object, exception: BaseException | None, exc_info: Any) -> None:
        claimed: list[Any] | None = None if self._links is None else []
        self._take_over(value, exception, exc_info, claimed)
        if claimed is not None:
            self._notify_links(claimed)

    def _take_over(
        self, value: object, exception: BaseException | None, exc_info: Any, claimed: list[Any] | None
    ) -> None:
        # The previous values are freed last: a finalizer of theirs may read this object.
        before = (self._value, self._exception, self._exc_info)
        self._value = value
        self._exception = exception
        self._exc_info = exc_info
        self._is_ready = True
        if self._waiters.count:
            if claimed is None:
                self._waiters.wake_all(None)
            else:
                self._waiters.claim_all(None, claimed)
        del before

    # Reading.

    @property
    def value(self) -> T | None:
        """The value; None before it is set, and after a failure."""
        return self._value

    @property
    def exception(self) -> BaseException | None:
        """The exception it failed with, or None."""
        self._looked = True
        return self._exception

    @property
    def exc_info(self) -> ExcInfo | tuple[()]:
        """The failure in the form of sys.exc_info(); an empty tuple if there is none."""
        self._looked = True
        return self._exc_info

    def ready(self) -> bool:
        """Return whether there is a value or an exception."""
        return self._is_ready

    def done(self) -> bool:
        """The same as `ready`."""
        return self._is_ready

    def successful(self) -> bool:
        """Return whether there is a value."""
        return self._is_ready and self._exception is None

    def cancel(self) -> bool:
        """Return False: an AsyncResult cannot stop the computation. For programs written for concurrent.futures."""
        return False

    def cancelled(self) -> bool:
        """Return False, as `cancel`."""
        return False

    # Waiting.

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Wait for the value and return it, or raise the exception. Switches unless it is ready.

        Timeout after `timeout` seconds, or at once if not `block` and it is not ready.
        """
        if not self._is_ready:
            self._wait_or_raise(block, timeout)
        if self._exception is not None:
            self._looked = True
            raise_with(self._exception, self._exc_info[2])
        return self._value

    def get_nowait(self) -> T:
        """`get(block=False)`: never switches."""
        return self.get(False)

    def result(self, timeout: float | None = None) -> T:
        """The same as `get(timeout=timeout)`."""
        return self.get(True, timeout)

    def wait(self, timeout: float | None = None) -> T | None:
        """Wait until it is ready, at most `timeout` seconds. Return the value, or None if it failed or is not ready."""
        if not self._is_ready:
            self._wait(timeout)
        return self._value

    def _wait_or_raise(self, block: bool, timeout: float | None) -> None:
        if block and self._wait(timeout):
            return
        from hubcore.timeout import Timeout

        raise ended_by(timeout, Timeout(timeout)) if block else Timeout

    def _wait(self, timeout: float | None) -> bool:
        waiter = self._queue_up(None)
        return waiter is None or park(waiter, timeout)

    def _join(self, entry: WaitEntry, waiter: Waiter) -> Waiter | None:
        if self._is_ready:
            return None
        self._waiters.add(entry, waiter)
        return waiter

    def _unread(self) -> BaseException | None:
        """Return the failure if no caller has read it, else None."""
        return None if self._looked else self._exception

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """TypeError: a copy would not get the result."""
        refuse_copy(self)

    def __repr__(self) -> str:
        if not self._is_ready:
            state = f"{self._waiters.count} waiting"
        elif self._exception is not None:
            state = f"failed with {self._exception!r}"
        else:
            state = f"value={self._value!r}"
        return f"<{type(self).__name__} at {id(self):#x} {state}>"


if not cython.compiled:
    atomic(Event, "_raise_flag", "_join")
    atomic(AsyncResult, "_take_over", "_join")
