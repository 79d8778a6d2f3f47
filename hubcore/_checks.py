"""What is said to those who give something that cannot be meant, before anything is done with it."""

from __future__ import annotations

from greenlet import greenlet


def check_exception(exception: object) -> None:
    """TypeError unless `exception` can be raised: an exception, or a class of them."""
    if not isinstance(exception, BaseException) and not (
        isinstance(exception, type) and issubclass(exception, BaseException)
    ):
        raise TypeError(f"what is raised in a greenlet is an exception or a class of them, not {exception!r}")


def check_greenlet(target: object, exception: object) -> None:
    """TypeError unless `target` is a greenlet, and `exception` can be raised in it."""
    if not isinstance(target, greenlet):
        raise TypeError(f"only a greenlet can be killed, not {target!r}")
    check_exception(exception)


def check_callback(callback: object) -> None:
    """TypeError unless `callback` can be called, or is None."""
    if callback is not None and not callable(callback):
        raise TypeError(f"a callback is callable, or None, not {callback!r}")
