"""Timeout: an exception that the hub raises, after a delay, in the greenlet that started it."""

from __future__ import annotations

from hubcore._base import uncompiled as cython
from hubcore._base.argument_checks import check_exception
from hubcore._base.hints import Any, Callable, D, P, R, Self
from hubcore._core.deadlines import Deadline, TimeLimit, as_seconds
from hubcore.hub import get_hub

if not cython.compiled:
    from hubcore._capi.fallback import getcurrent, greenlet, import_greenlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import overload

    from hubcore.hub import Hub

import_greenlet()

_NOTHING = object()


class Timeout(TimeLimit):
    """Raised in the current greenlet `seconds` after `start`, at its current or next wait, unless cancelled before.

    `seconds` None: never; another Timeout: as many as that. `exception`: the exception, a class or an instance, to
    raise in place of the Timeout. A text: raise the Timeout itself, whose own text ends with it. False: raise the
    Timeout itself, and the `with` block that started it swallows it. A Timeout is a BaseException, so an
    `except Exception` does not stop it. As a context manager, it starts at the entry and is cancelled at the exit.

    A call with a `timeout` argument takes a Timeout in place of the seconds: it starts it, unless it runs already, and
    cancels it when its wait ends. If the wait ends by it, a call that would raise Timeout, Empty or Full raises this
    object; one that returns False or None for a timeout does so. An exception given to the Timeout is raised by both.

    With `ref` False the timer alone does not keep the loop alive. `priority` has no effect; gevent has it.
    """

    def __init__(
        self,
        seconds: float | Timeout | None = None,
        exception: type[BaseException] | BaseException | str | bool | None = None,
        ref: bool = True,
        priority: int = -1,
        _one_shot: bool = False,
    ) -> None:
        if isinstance(seconds, Timeout):
            seconds = seconds.seconds
        if seconds is not None and (not isinstance(seconds, (float, int)) or seconds != seconds):
            as_seconds(seconds, "the delay of a Timeout")
        if exception is not None and not isinstance(exception, (bool, str)):
            check_exception(exception, ", a text, False or None")
        self.seconds: float | None = seconds
        self.exception: type[BaseException] | BaseException | str | bool | None = exception
        self.ref = ref
        self.priority = priority
        self._expiry: Expiry | None = None

    def start(self) -> None:
        """Start the timer for the current greenlet. Never switches. AssertionError if it is already running."""
        if self._expiry is not None:
            if self.pending:
                raise AssertionError(f"{self!r} is already started; cancel it first, or use another one")
            self.cancel()
        if self.seconds is None:
            return
        seconds = self.seconds
        if not isinstance(seconds, (float, int)) or seconds != seconds:
            seconds = as_seconds(seconds, "the delay of a Timeout")
        hub = get_hub()
        if hub.loop.polling:
            hub.loop.check_interruptible()
        expiry = Expiry(self, getcurrent(), hub)
        expiry.ref = bool(self.ref)
        if hub._noted is not None:
            notes = hub.notes_of(expiry.target)
            if notes is not None:
                notes.disown(self._raised())
        hub.loop.add_deadline(expiry, seconds if seconds > 0 else 0.0)
        self._expiry = expiry

    @classmethod
    def start_new(
        cls,
        timeout: float | Timeout | None = None,
        exception: type[BaseException] | BaseException | str | bool | None = None,
        ref: bool = True,
        _one_shot: bool = False,
    ) -> Timeout:
        """Return a running Timeout: `timeout` itself, started if necessary, or a new one of `timeout` seconds."""
        if isinstance(timeout, Timeout):
            if not timeout.pending:
                timeout.start()
            return timeout
        new = cls(timeout, exception, ref)
        new.start()
        return new

    def _begin_here(self) -> None:
        """As TimeLimit._begin_here. AssertionError if it runs for another greenlet, and so cannot end this wait."""
        if not self.pending:
            self.start()
        expiry = self._expiry
        if expiry is not None and expiry.target is not getcurrent():
            raise AssertionError(
                f"{self!r} was started by {expiry.target!r} and cannot limit a wait of {getcurrent()!r}; "
                "give each greenlet a Timeout of its own"
            )

    def _seconds_here(self) -> float | None:
        """As TimeLimit._seconds_here."""
        if self.pending:
            self._begin_here()
        return None if self.seconds is None else as_seconds(self.seconds, "the delay of a Timeout")

    def _raised(self) -> Any:
        """As TimeLimit._raised."""
        exception = self.exception
        return self if exception is None or isinstance(exception, (bool, str)) else exception

    @property
    def pending(self) -> bool:
        """Whether it has still to be raised: it is running, or it has expired but the greenlet has not raised it."""
        expiry = self._expiry
        return expiry is not None and (expiry.scheduled or expiry.waits_to_be_raised())

    def cancel(self) -> None:
        """Stop the timer. Never switches; no effect if it is not running.

        After a cancel in the greenlet that started it, it is never raised. A cancel in another greenlet comes too late
        once the timeout has ended a wait and its greenlet is about to raise it.
        """
        expiry = self._expiry
        if expiry is not None:
            self._expiry = None
            expiry.stop()

    def close(self) -> None:
        """The same as `cancel`."""
        self.cancel()

    def __enter__(self) -> Self:
        if not self.pending:
            self.start()
        return self

    def __exit__(self, kind: object, value: BaseException | None, traceback: object) -> bool:
        self.cancel()
        return value is self and self.exception is False

    def __str__(self) -> str:
        if self.seconds is None:
            return ""
        text = f"{self.seconds} second{'' if self.seconds == 1 else 's'}"
        if self.exception is False:
            return f"{text} (silent)"
        return text if self.exception is None else f"{text}: {self.exception}"

    def __repr__(self) -> str:
        state = " pending" if self.pending else ""
        raises = "" if self.exception is None else f" exception={self.exception!r}"
        return f"<{type(self).__name__} at {id(self):#x} seconds={self.seconds}{raises}{state}>"

    def __lt__(self, other: object) -> bool:
        # The standard library compares the timeouts that it gets with numbers of seconds.
        seconds = other.seconds if isinstance(other, Timeout) else other
        if self.seconds is None or seconds is None:
            return self.seconds is not None
        return bool(self.seconds < seconds)  # type: ignore[operator]


class Expiry(Deadline):
    """The running timer of a Timeout."""

    __slots__ = ("hub", "raised", "target", "timeout")

    def __init__(self, timeout: Timeout, target: greenlet, hub: Hub) -> None:
        Deadline.__init__(self)
        self.timeout: Timeout | None = timeout
        self.target: greenlet = target
        self.hub: Hub = hub
        self.raised: object = None

    def _fire(self, now: float) -> None:
        timeout = self.timeout
        if timeout is None:
            return
        exception: Any = timeout._raised()
        # The greenlet that raises a class makes the instance, because that runs the class's code.
        self.raised = exception
        self.hub.interrupt(self.target, exception)

    def waits_to_be_raised(self) -> bool:
        """Return whether it has fired, but its greenlet has not raised it yet."""
        return self.raised is not None and self.hub.has_interrupt(self.target, self.raised)

    def stop(self) -> None:
        """Stop the timer, and retract the exception if the greenlet has not raised it yet."""
        self.timeout = None
        if self.raised is None:
            self.hub.loop.deadlines.remove(self)
        else:
            self.hub.retract(self.target, self.raised)


if TYPE_CHECKING:

    @overload
    def with_timeout(
        seconds: float | Timeout | None, function: Callable[..., R], *args: Any, timeout_value: D, **kwds: Any
    ) -> R | D: ...
    @overload
    def with_timeout(
        seconds: float | Timeout | None, function: Callable[P, R], *args: P.args, **kwds: P.kwargs
    ) -> R: ...


@cython.binding(True)  # for its signature: the default is no literal
def with_timeout(
    seconds: float | Timeout | None,
    function: Callable[..., Any],
    *args: Any,
    timeout_value: Any = _NOTHING,
    **kwds: Any,
) -> Any:
    """Return `function(*args, **kwds)`, called under a Timeout of `seconds`. If it expires, return `timeout_value`.

    Without `timeout_value`, the Timeout is raised. `seconds` may be a Timeout; its own exception is always raised.
    """
    timeout = Timeout.start_new(seconds)
    try:
        return function(*args, **kwds)
    except Timeout as expired:
        if expired is timeout and timeout_value is not _NOTHING:
            return timeout_value
        raise
    finally:
        timeout.cancel()
