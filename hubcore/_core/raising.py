"""Raising one exception instance in several greenlets, one after the other.

Fact: CPython puts the frames that an exception passes in front of the traceback that it has already. Consequence: an
instance that is raised in many greenlets (`kill(error)` of each, a Timeout that is started again) would collect the
frames of all of them, and keep their local variables alive.
"""

from __future__ import annotations

from hubcore._base.hints import NoReturn, TracebackType


def raise_here(exception: object) -> NoReturn:
    """Raise `exception`, a class or an instance, in the current greenlet.

    The traceback of an instance loses what this function and the greenlets in which it was raised before put there. The
    part where the program itself raised it stays.
    """
    if isinstance(exception, BaseException) and exception.__traceback__ is not None:
        forget_raises(exception)
    try:
        raise exception  # type: ignore[misc]
    finally:
        del exception  # its traceback refers to this frame


def raise_with(exception: BaseException, traceback: TracebackType | None) -> NoReturn:
    """Raise `exception` in the current greenlet, with `traceback` as the part where the program itself raised it."""
    exception.__traceback__ = traceback
    try:
        raise exception
    finally:
        del exception, traceback


def forget_raises(exception: BaseException) -> None:
    """Remove from the traceback of `exception` what the functions above and the greenlets put there."""
    traceback = traceback_of(exception)
    if traceback is not exception.__traceback__:
        exception.__traceback__ = traceback
        exception.__context__ = None  # what the greenlet of that time was handling


def traceback_of(exception: BaseException) -> TracebackType | None:
    """Return the traceback of `exception` without the part that `forget_raises` would remove."""
    found = traceback = exception.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code in _RAISES:
            found = traceback.tb_next
        traceback = traceback.tb_next
    return found


def was_raised(exception: BaseException) -> bool:
    """Return whether one of the functions above has raised `exception`."""
    return traceback_of(exception) is not exception.__traceback__


# Their frames mark, in a traceback, where the part of a greenlet ends.
_RAISES = (raise_here.__code__, raise_with.__code__)
