"""Locks that were made before the patch: they are replaced where they are, if that is sure to be right.

A lock can be replaced if nobody has it and every reference to it is found and can be set (`_holders`). Two who hold
different locks for the same thing would be worse than one native lock, which goes on working, and blocks its thread.

Never replaced: hubcore's own, and those of the import system, which belong to imports that are going on.
"""

from __future__ import annotations

from hubcore._holders import find_referrers
from hubcore._originals import LockType
from hubcore._originals import RLock as NativeRLock
from hubcore._threadlock import Lock, RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from hubcore._holders import Referrers

_KINDS: dict[type, Callable[[], Any]] = {LockType: Lock, type(NativeRLock()): RLock}


def is_native(lock: object) -> bool:
    """Whether `lock` is one of the interpreter's own, which blocks the whole thread."""
    return type(lock) in _KINDS


def is_free(lock: Any) -> bool:
    """Whether nobody has the native lock `lock`."""
    if hasattr(lock, "locked"):
        return not lock.locked()
    if lock._is_owned() or not lock.acquire(False):
        return False
    lock.release()
    return True


def new_for(lock: object) -> Any:
    """A cooperative lock of the same kind as the native `lock`."""
    return _KINDS[type(lock)]()


def replace_free() -> None:
    """Replace all that can be. For the only thread that runs: another might be about to take one."""
    for held in _native_locks():
        if not held.reason:
            new = new_for(held.object)
            for put in held.sets:
                put(new)


def left() -> Iterator[Referrers]:
    """The native locks of others than hubcore that there are now, each with where it is and why it stays."""
    for held in _native_locks():
        if held.where:
            held.reason = held.reason or "it was made by an original that is still referred to, or after a patch"
            yield held


def _native_locks() -> list[Referrers]:
    found = [held for held in find_referrers(_KINDS) if not held.ours]
    for held in found:
        if not is_free(held.object):
            held.reason = "somebody had it"
    return found
