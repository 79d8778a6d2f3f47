"""The iterator tools of threading (CPython 3.15), on cooperative locks also where threading is not patched.

The standard library's look up `Lock` in its own module. Unpatched, that lock would block the thread, and with it the
greenlet that holds it while the iterator waits.
"""

from __future__ import annotations

import threading as _stdlib
from functools import wraps

from hubcore._sync.thread_lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

_private: Any = _stdlib  # names that only some versions have

if hasattr(_stdlib, "serialize_iterator"):

    class serialize_iterator(_private.serialize_iterator):  # type: ignore[misc]
        """Like threading.serialize_iterator: one greenlet or thread at a time runs the iterator. `next` may switch."""

        __slots__ = ()

        def __init__(self, iterable: Iterable[Any]) -> None:
            super().__init__(iterable)
            self._lock = Lock()  # type: ignore[misc] # a slot of the base class

    def synchronized_iterator(func: Callable[..., Iterable[Any]]) -> Callable[..., Iterator[Any]]:
        """Like threading.synchronized_iterator: the iterators that `func` returns are serialized."""

        @wraps(func)
        def inner(*args: Any, **kwargs: Any) -> Iterator[Any]:
            return serialize_iterator(func(*args, **kwargs))

        return inner

    def concurrent_tee(iterable: Iterable[Any], n: int = 2) -> tuple[Iterator[Any], ...]:
        """Like threading.concurrent_tee: `n` iterators over the same items, each for one greenlet or thread."""
        made: tuple[Any, ...] = _private.concurrent_tee(iterable, n)
        if made and not isinstance(iterable, _private._concurrent_tee):
            lock = Lock()
            for each in made:
                each.lock = lock
        return made
