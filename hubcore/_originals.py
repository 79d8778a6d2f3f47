"""What the standard library had before patching, for hubcore's own use and for whoever asks.

The names below are bound when hubcore is first imported, which is before it has patched anything. A module of hubcore
that `import hubcore` does not load may be loaded after the patch, and takes from here what it needs unpatched: a worker
thread that was started by a patched `start_new_thread` would be a greenlet.
"""

from __future__ import annotations

import os
import time
from _thread import LockType, RLock, _local, allocate_lock, get_ident, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

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
# The patched one tells the hub that waits for the fd, which in a forked child may still be the parent's.
close_fd = os.close
# The patched ones wait, and do not tell of what hubcore itself has made non-blocking.
read_fd = os.read
write_fd = os.write
get_blocking = os.get_blocking
set_blocking = os.set_blocking

#: What patching has replaced: by the module's name, then by the attribute's. It is `hubcore.monkey.saved`.
saved: dict[str, dict[str, Any]] = {}


def original(module: str, name: str) -> Any:
    """What `module` has, or had before it was patched, as `name`. Imports the module; AttributeError if it has none."""
    try:
        return saved[module][name]
    except KeyError:
        pass
    from importlib import import_module

    return getattr(import_module(module), name)


def get_original(mod_name: str, item_name: str | Iterable[str]) -> Any:
    """As `original`; for several names, a list. It does not matter whether the module is patched, or imported."""
    if isinstance(item_name, str):
        return original(mod_name, item_name)
    return [original(mod_name, name) for name in item_name]
