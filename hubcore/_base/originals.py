"""Originals: the standard library's objects before patching, for hubcore itself and for programs.

The names below are bound at the first import of hubcore, which is before any patch. A module of hubcore that `import
hubcore` does not load may be imported after the patch, so it takes the originals from here: a worker thread that is
started by the patched `start_new_thread` would be a greenlet.
"""

from __future__ import annotations

import os
import time
from _thread import LockType, RLock, _local, allocate_lock, get_ident, start_new_thread

from hubcore._base.hints import Any, Callable, Iterable

__all__ = [
    "LockType",
    "RLock",
    "_local",
    "allocate_lock",
    "close_fd",
    "get_blocking",
    "get_ident",
    "get_original",
    "native_sleep",
    "original",
    "read_fd",
    "saved",
    "set_blocking",
    "start_new_thread",
    "waitpid",
    "write_fd",
]

native_sleep = time.sleep
waitpid = os.waitpid
# The patched os.close notifies the hub that watches the fd, which in a forked child may still be the parent's.
close_fd: Callable[[int], None] = os.close
# The patched functions wait, and hide that hubcore itself has made an fd non-blocking.
read_fd: Callable[[int, int], bytes] = os.read
write_fd: Callable[[int, Any], int] = os.write
get_blocking: Callable[[int], bool] = os.get_blocking
set_blocking: Callable[[int, bool], None] = os.set_blocking

#: The objects that patching has replaced: by module name, then by attribute name. It is `hubcore.monkey.saved`.
saved: dict[str, dict[str, Any]] = {}


def original(module: str, name: str) -> Any:
    """Return the attribute `name` of `module` as it was before patching. Import the module if needed.

    AttributeError if the module has no such attribute.
    """
    try:
        return saved[module][name]
    except KeyError:
        pass
    from importlib import import_module

    return getattr(import_module(module), name)


def get_original(mod_name: str, item_name: str | Iterable[str]) -> Any:
    """As `original`; for several names, return a list. The module need be neither patched nor imported."""
    if isinstance(item_name, str):
        return original(mod_name, item_name)
    return [original(mod_name, name) for name in item_name]
