"""One function for each part of the standard library that can be patched, with gevent's names and arguments.

A further call changes nothing that is in place. A function returns False if a subscriber prevented the patch of its
module with DoNotPatch.
"""

from __future__ import annotations

import sys
from importlib import import_module

from hubcore._base.originals import saved
from hubcore._patching import cpython_internals as _cpython_internals
from hubcore._patching.import_hooks import after_every_import
from hubcore._patching.libraries.grpc import patch_grpc
from hubcore._patching.libraries.psycopg import patch_psycopg
from hubcore._patching.libraries.pydevd import patch_pydevd
from hubcore._patching.libraries.pyopenssl import patch_pyopenssl
from hubcore._patching.loaded_early import load_early
from hubcore._patching.replace import check_flags, patch_item, patch_module, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType
    from typing import Any

_DNS = ("getaddrinfo", "getfqdn", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo")
_FDS = (
    "eventfd_read", "eventfd_write", "get_blocking", "lockf", "open", "read", "readinto", "readv", "sendfile",
    "set_blocking", "splice", "write", "writev",
)  # fmt: skip


def _patch(name: str, items: Iterable[str] | None = None, warnings: list[str] | None = None) -> bool:
    """Patch the standard library's module `name` with hubcore's module of the same name."""
    _cpython_internals.check(name)
    return patch_module(import_module(name), import_module(f"hubcore.{name}"), items, _warnings=warnings)


def patch_os(fds: bool = True) -> bool:
    """Replace `waitpid` and its relatives, `system` and `close` in `os`. Fork functions stay: see `hubcore.os`.

    Unless `fds` is False, also replace `read`, `write` and their relatives: on a blocking fd they then wait in the hub.
    So do `flock`, `lockf` and `fcntl` of the module `fcntl` for file locks.
    """
    check_flags("patch_os", {"fds": fds})
    implements = import_module("hubcore.os").__implements__
    done = _patch("os", implements if fds else [name for name in implements if name not in _FDS])
    if done and fds:
        patch_module(import_module("fcntl"), import_module("hubcore._io.file_locks"))
    return done


def patch_time() -> bool:
    """Replace `time.sleep`."""
    return _patch("time")


def patch_thread(
    threading: bool = True,
    _threading_local: bool = True,
    Event: bool = True,
    logging: bool = True,
    existing_locks: bool = True,
    _warnings: list[str] | None = None,
) -> bool:
    """Make threads greenlets: replace the names of `_thread`, and of `threading` unless that argument is False.

    `Event` replaces threading.Event; `existing_locks` replaces the locks that modules hold already, `logging` the locks
    of logging; `_threading_local` replaces `_threading_local.local`. Call it in the main thread, before others start.
    """
    flags = {
        "threading": threading, "_threading_local": _threading_local, "Event": Event, "logging": logging,
        "existing_locks": existing_locks,
    }  # fmt: skip
    check_flags("patch_thread", flags)
    _cpython_internals.check("threading")
    load_early()
    ours = import_module("hubcore.thread")
    more = import_module("hubcore._patching.threads") if threading else None
    if not patch_module(import_module("_thread"), ours, _warnings=_warnings):
        return False
    done = True
    if more is not None:
        items = list(import_module("hubcore.threading").__implements__)
        if not Event and "Event" in items:
            items.remove("Event")
        done = patch_module(import_module("threading"), import_module("hubcore.threading"), items, _warnings=_warnings)
        if done:
            more.patch_threading(
                existing_locks=existing_locks, logging=logging, Event=Event, warn=lambda text: warn(text, _warnings)
            )
            patch_grpc()
    patch_pydevd()
    if _threading_local:
        patch_item(import_module("_threading_local"), "local", import_module("hubcore.local").local)
    return done


def patch_socket(dns: bool = True, aggressive: bool = True) -> bool:
    """Replace the socket class, the functions that make sockets and, unless `dns` is False, those that look names up.

    pyOpenSSL, which would wait in C, is set to wait in the hub. `aggressive` has no effect; gevent has it.
    """
    check_flags("patch_socket", {"dns": dns, "aggressive": aggressive})
    implements = import_module("hubcore.socket").__implements__
    done = _patch("socket", implements if dns else [name for name in implements if name not in _DNS])
    if done:
        patch_pyopenssl()
    return done


def patch_dns() -> bool:
    """Replace only the functions of `socket` that look up names."""
    return _patch("socket", _DNS)


def patch_select(aggressive: bool = True) -> bool:
    """Replace `select`, `poll`, `epoll` and `kqueue` of `select`, as far as this system has them, and `selectors`.

    No name is removed: epoll objects stay the kernel's, and wait cooperatively. psycopg 3, which would wait in C, is
    set to wait with `select.poll`. `aggressive` has no effect; gevent has it.
    """
    check_flags("patch_select", {"aggressive": aggressive})
    done = _patch("select")
    if done:
        patch_psycopg()
    return patch_selectors() and done


def patch_selectors() -> bool:
    """Replace the classes of `selectors`."""
    return _patch("selectors")


def patch_ssl(_warnings: list[str] | None = None, _first_time: bool = True) -> bool:
    """Replace SSLContext and SSLSocket of `ssl`. Contexts made before the patch make cooperative sockets, too."""
    return _patch("ssl", warnings=_warnings)


def patch_subprocess() -> bool:
    """Replace Popen of `subprocess`, and so the functions built on it: waits for a child or its pipes may switch."""
    return _patch("subprocess")


def patch_signal() -> bool:
    """Replace `signal.signal` and its relatives: each handler runs in a greenlet of its own."""
    return _patch("signal")


def patch_queue() -> bool:
    """Replace the classes of `queue`, and those of `_queue` for programs that import a second copy of `queue`."""
    _cpython_internals.check("queue")
    done = patch_module(import_module("queue"), import_module("hubcore._queues.stdlib_queue"))
    if done:
        after_every_import("_queue", _patch_native_queue)
    return done


def _patch_native_queue(module: Any) -> None:
    ours = import_module("hubcore.queue")
    for name in ("Empty", "SimpleQueue"):  # SimpleQueue raises the Empty of the first import, in every copy
        patch_item(module, name, getattr(ours, name))


def patch_sys(stdin: bool = True, stdout: bool = True, stderr: bool = True) -> None:
    """Do nothing, like gevent from version 22 on: sys.stdin, stdout and stderr stay. See `hubcore.fileobject`."""
    check_flags("patch_sys", {"stdin": stdin, "stdout": stdout, "stderr": stderr})


def patch_builtins() -> None:
    """Do nothing: no builtin function needs a patch. gevent has this function."""


def patch_contextvars() -> None:
    """Do nothing: every greenlet has its own context. gevent has this function."""


# Originals that are cooperative without a replacement: they look their parts up in the patched module.
_MADE_OF_OTHERS = frozenset(
    {
        ("socket", "create_connection"), ("socket", "fromfd"), ("socket", "getfqdn"), ("socket", "socketpair"),
        ("ssl", "SSLContext"), ("ssl", "SSLSocket"), ("ssl", "create_connection"),
        ("threading", "Event"), ("threading", "Timer"), ("threading", "_DummyThread"),
    }
)  # fmt: skip
# Originals that a program may keep: they return a value and never wait.
_HARMLESS = frozenset({"get_ident", "getsignal", "_get_main_thread_ident"})
# Classes built on locks of `threading`, and so cooperative once `threading` is patched.
_MADE_OF_LOCKS = frozenset({("queue", "Queue"), ("queue", "LifoQueue"), ("queue", "PriorityQueue")})
_rebound: set[tuple[str, str]] = set()  # attributes of stdlib modules that referred to an original of another module


def counterparts() -> dict[int, tuple[Any, Any, str]]:
    """Return the originals by id(): the original, its replacement and its name. Leaves out harmless originals."""
    found: dict[int, tuple[Any, Any, str]] = {}
    left = _MADE_OF_OTHERS | _rebound | (_MADE_OF_LOCKS if "threading" in saved else frozenset())
    # Public modules first: a report then says threading.Lock rather than _thread.allocate_lock.
    for module in sorted(saved, key=lambda name: name.startswith("_")):
        now = sys.modules.get(module)
        if now is None or module not in sys.stdlib_module_names:
            continue
        for name, old in sorted(saved[module].items(), key=lambda item: item[0].startswith("_")):
            new = getattr(now, name, None)
            if callable(old) and callable(new) and new is not old:
                if (module, name) not in left and name not in _HARMLESS:
                    found.setdefault(id(old), (old, new, f"{module}.{name}"))
    return found


def rebind_stdlib() -> list[str]:
    """Replace originals that already imported modules of the standard library took out of patched modules.

    For example `socketserver._ServerSelector`, which is the original `selectors.PollSelector`. Returns the names of the
    attributes that were replaced.
    """
    replaced: list[str] = []
    by_id = counterparts()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in sys.stdlib_module_names or name in saved or _keeps_originals(name, module):
            continue
        for attribute, value in list(vars(module).items()):
            pair = by_id.get(id(value))
            # A module's own definition stays: it was left out on purpose, and its class came in by another module.
            if pair is not None and getattr(value, "__module__", None) != name:
                patch_item(module, attribute, pair[1])
                _rebound.add((name, attribute))
                replaced.append(f"{name}.{attribute}")
    return replaced


def _keeps_originals(name: str, module: ModuleType | Any) -> bool:
    # The originals come from the C modules; and importlib takes its locks where a switch is not allowed.
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return (
        name.startswith(("_", "importlib"))
        or name in _cpython_internals.KEEP_ORIGINALS
        or not hasattr(module, "__file__")
        or type(loader).__name__ == "ExtensionFileLoader"
    )
