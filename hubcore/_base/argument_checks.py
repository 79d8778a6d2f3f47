"""Argument checks: TypeErrors raised before any effect."""

from __future__ import annotations

from types import CoroutineType, FunctionType, MethodType

from greenlet import greenlet

from hubcore._base.hints import Any, NoReturn


def check_exception(exception: object, or_else: str = "") -> None:
    """Raise TypeError unless `exception` can be raised: an exception instance, or an exception class.

    `or_else` names what else the caller accepts.
    """
    if not isinstance(exception, BaseException) and not (
        isinstance(exception, type) and issubclass(exception, BaseException)
    ):
        kinds = "an exception instance or an exception class" if not or_else else "an exception instance or class"
        raise TypeError(f"exception must be {kinds}{or_else}, not {exception!r}")


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


def check_function(function: object, what: str) -> None:
    """Raise TypeError unless `function`, which the text calls `what`, can be called, and a call runs its code.

    A call of a coroutine function or of an asynchronous generator function runs none.
    """
    if not callable(function):
        if isinstance(function, CoroutineType):
            name = function.__qualname__
            function.close()  # no warning that it was never awaited beside the error
            raise TypeError(f"{what} must be callable, not the coroutine of {name}(); hubcore.aio.run runs a coroutine")
        raise TypeError(f"{what} must be callable, not {function!r}")
    if is_async(function):
        raise TypeError(
            f"{what} must not be a coroutine function: a call of {function!r} only makes a coroutine, which does not "
            "run; pass hubcore.aio.run with that coroutine: spawn(hubcore.aio.run, function())"
        )


def is_async(function: Any) -> bool:
    """Return whether a call of `function` makes a coroutine or an asynchronous generator and runs none of its code."""
    while True:
        if isinstance(function, MethodType):
            function = function.__func__
        if isinstance(function, FunctionType):
            return bool(function.__code__.co_flags & _ASYNC)
        if isinstance(function, type):
            return False
        from functools import partial

        if isinstance(function, partial):
            function = function.func
            continue
        call = type(function).__call__
        return isinstance(call, FunctionType) and bool(call.__code__.co_flags & _ASYNC)


_ASYNC = 0x80 | 0x200  # inspect.CO_COROUTINE and CO_ASYNC_GENERATOR; inspect itself takes long to import


def refuse_copy(thing: object) -> NoReturn:
    """Raise the TypeError of a copy or pickle of `thing`, as CPython's locks do."""
    kind = type(thing)
    raise TypeError(f"cannot pickle '{kind.__module__}.{kind.__qualname__}' object")
