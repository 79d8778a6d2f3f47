"""Argument checks: TypeErrors raised before any effect."""

from __future__ import annotations

from greenlet import greenlet

from hubcore._base.hints import Any


def check_exception(exception: object) -> None:
    """Raise TypeError unless `exception` can be raised: an exception instance, or an exception class."""
    if not isinstance(exception, BaseException) and not (
        isinstance(exception, type) and issubclass(exception, BaseException)
    ):
        raise TypeError(f"exception must be an exception instance or an exception class, not {exception!r}")


def as_exception(exception: Any) -> Any:
    """`exception` itself, or, of an exception class, a new instance."""
    return exception() if isinstance(exception, type) else exception


def check_greenlet(target: object, exception: object) -> None:
    """Raise TypeError unless `target` is a greenlet and `exception` can be raised in it."""
    if not isinstance(target, greenlet):
        raise TypeError(f"only a greenlet can be killed, not {target!r}")
    check_exception(exception)


def check_callback(callback: object) -> None:
    """Raise TypeError unless `callback` is callable or None."""
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, not {callback!r}")
