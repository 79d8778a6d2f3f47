"""Replaces native locks that were made before the patch, where that is certain to be safe.

A lock can be replaced if no thread holds it and every reference to it was found and can be set
(`_patching.existing.referrers`). Otherwise it stays: it goes on working and blocks its thread, while two different
locks for one resource would corrupt it.

hubcore's own locks are never replaced, nor those of the import system, whose imports may be in progress.
"""

from __future__ import annotations

from hubcore._base.originals import LockType
from hubcore._base.originals import RLock as NativeRLock
from hubcore._patching.existing.referrers import find_referrers
from hubcore._sync.thread_lock import Lock, RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from hubcore._patching.existing.referrers import Referrers

_KINDS: dict[type, Callable[[], Any]] = {LockType: Lock, type(NativeRLock()): RLock}


def is_native(lock: object) -> bool:
    """Return whether `lock` is one of the interpreter's own, which block the whole thread."""
    return type(lock) in _KINDS


def is_free(lock: Any) -> bool:
    """Return whether the native lock `lock` is free."""
    if hasattr(lock, "locked"):
        return not lock.locked()
    if lock._is_owned() or not lock.acquire(False):
        return False
    lock.release()
    return True


def new_for(lock: object) -> Any:
    """Return a cooperative lock of the same kind as the native `lock`."""
    return _KINDS[type(lock)]()


def replace_free() -> None:
    """Replace all locks that can be replaced. Call it while no other thread runs: it might be about to acquire one."""
    for held in _native_locks():
        if not held.reason:
            _replace_everywhere(held)


def _replace_everywhere(held: Referrers) -> None:
    """Set every reference or none: a class that is written in C, for instance, cannot be changed."""
    new, done = new_for(held.object), []
    try:
        for put in held.sets:
            put(new)
            done.append(put)
    except Exception:
        for put in done:
            put(held.object)


def left() -> Iterator[Referrers]:
    """Yield the native locks that exist now outside hubcore, each with its referrers and the reason why it stays."""
    for held in _native_locks():
        if held.where:
            held.reason = held.reason or "it was made after the patch, or by a stale reference to an original"
            yield held


def _native_locks() -> list[Referrers]:
    found = [held for held in find_referrers(_KINDS) if not held.ours]
    for held in found:
        if not is_free(held.object):
            held.reason = "it was held"
    return found
