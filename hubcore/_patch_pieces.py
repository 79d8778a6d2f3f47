"""Patching the standard library piece by piece: one function for each, with gevent's names and arguments.

Each may be called again; what is in place stays. Where a DoNotPatch prevents a module, the function returns False.
"""

from __future__ import annotations

import sys
from importlib import import_module

from hubcore import _cpython
from hubcore._after_import import after_every_import
from hubcore._originals import saved
from hubcore._patch_grpc import patch_grpc
from hubcore._patch_psycopg import patch_psycopg
from hubcore._patch_pydevd import patch_pydevd
from hubcore._patching import check_flags, patch_item, patch_module, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType
    from typing import Any

_DNS = ("getaddrinfo", "getfqdn", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo")
_FDS = ("get_blocking", "read", "readv", "set_blocking", "write", "writev")


def _patch(name: str, items: Iterable[str] | None = None, warnings: list[str] | None = None) -> bool:
    """Patch the standard library's module `name` by hubcore's of the same name."""
    _cpython.check(name)
    return patch_module(import_module(name), import_module(f"hubcore.{name}"), items, _warnings=warnings)


def patch_os(fds: bool = True) -> bool:
    """Replace waitpid and its kin, `system` and `close` in `os`. Forks stay: see `hubcore.os`.

    Unless `fds` is False also `read`, `write` and what belongs to them, which then wait for an fd that blocks.
    """
    check_flags("patch_os", {"fds": fds})
    implements = import_module("hubcore.os").__implements__
    return _patch("os", implements if fds else [name for name in implements if name not in _FDS])


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
    """Make threads greenlets: replace the names of `_thread`, and of `threading` unless that is False.

    `Event` replaces threading.Event; `existing_locks` replaces locks that modules hold already, `logging` those of
    logging; `_threading_local` replaces `_threading_local.local`. To be called in the main thread, before others start.
    """
    flags = {
        "threading": threading, "_threading_local": _threading_local, "Event": Event, "logging": logging,
        "existing_locks": existing_locks,
    }  # fmt: skip
    check_flags("patch_thread", flags)
    _cpython.check("threading")
    ours = import_module("hubcore.thread")
    more = import_module("hubcore._patch_threading") if threading else None
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
    """Replace the socket class, what makes sockets and, unless `dns` is False, what looks names up.

    `aggressive` is accepted for gevent's sake.
    """
    check_flags("patch_socket", {"dns": dns, "aggressive": aggressive})
    implements = import_module("hubcore.socket").__implements__
    return _patch("socket", implements if dns else [name for name in implements if name not in _DNS])


def patch_dns() -> bool:
    """Replace only the functions of `socket` that look names up."""
    return _patch("socket", _DNS)


def patch_select(aggressive: bool = True) -> bool:
    """Replace `select`, `poll`, `epoll` and `kqueue` of `select`, as far as this system has them, and `selectors`.

    Nothing is taken away: epoll objects are the kernel's, and wait cooperatively. psycopg 3, which would wait in C, is
    told to use `select.poll`. `aggressive` is accepted for gevent's sake.
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
    """Replace SSLContext and SSLSocket of `ssl`. Contexts that were made before give cooperative sockets as well."""
    return _patch("ssl", warnings=_warnings)


def patch_subprocess() -> bool:
    """Replace Popen of `subprocess`, and what is made of it: waiting for a child or its pipes lets others run."""
    return _patch("subprocess")


def patch_signal() -> bool:
    """Replace `signal.signal` and its kin: handlers run in a greenlet."""
    return _patch("signal")


def patch_queue() -> bool:
    """Replace the classes of `queue`, and what a copy of `queue` that is imported anew has from `_queue`."""
    _cpython.check("queue")
    done = patch_module(import_module("queue"), import_module("hubcore._stdlib_queue"))
    if done:
        after_every_import("_queue", _patch_native_queue)
    return done


def _patch_native_queue(module: Any) -> None:
    ours = import_module("hubcore.queue")
    for name in ("Empty", "SimpleQueue"):  # the one raises the other, in each copy that of the first
        patch_item(module, name, getattr(ours, name))


def patch_sys(stdin: bool = True, stdout: bool = True, stderr: bool = True) -> None:
    """Does nothing, as in gevent since its version 22: sys.stdin and its kin stay. See `hubcore.fileobject`."""
    check_flags("patch_sys", {"stdin": stdin, "stdout": stdout, "stderr": stderr})


def patch_builtins() -> None:
    """Does nothing: no builtin function needs it. For gevent's sake."""


def patch_contextvars() -> None:
    """Does nothing: every greenlet has its own context anyway. For gevent's sake."""


# Old functions and classes that are cooperative as they are: what they are made of was replaced in their module.
_MADE_OF_OTHERS = frozenset(
    {
        ("socket", "create_connection"), ("socket", "fromfd"), ("socket", "getfqdn"), ("socket", "socketpair"),
        ("ssl", "SSLContext"), ("ssl", "SSLSocket"), ("ssl", "create_connection"),
        ("threading", "Event"), ("threading", "Timer"), ("threading", "_DummyThread"),
    }
)  # fmt: skip
# Those that are harmless to keep: they tell something, and do not wait.
_HARMLESS = frozenset({"get_ident", "getsignal", "_get_main_thread_ident"})
# What is made of locks of `threading`, and so cooperative once that is patched.
_MADE_OF_LOCKS = frozenset({("queue", "Queue"), ("queue", "LifoQueue"), ("queue", "PriorityQueue")})
_rebound: set[tuple[str, str]] = set()  # what stdlib modules had taken out of others


def counterparts() -> dict[int, tuple[Any, Any, str]]:
    """What was replaced, by its id(): the old object, the new one and its name. Without what is harmless to keep."""
    found: dict[int, tuple[Any, Any, str]] = {}
    left = _MADE_OF_OTHERS | _rebound | (_MADE_OF_LOCKS if "threading" in saved else frozenset())
    # The public modules' names first: threading.Lock rather than _thread.allocate_lock.
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
    """Replace what modules of the standard library that were imported before have taken out of patched ones.

    For instance `socketserver._ServerSelector`, which is `selectors.PollSelector` as it was. Returns what was replaced.
    """
    replaced: list[str] = []
    by_id = counterparts()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in sys.stdlib_module_names or name in saved or _keeps_originals(name, module):
            continue
        for attribute, value in list(vars(module).items()):
            pair = by_id.get(id(value))
            if pair is not None:
                patch_item(module, attribute, pair[1])
                _rebound.add((name, attribute))
                replaced.append(f"{name}.{attribute}")
    return replaced


def _keeps_originals(name: str, module: ModuleType | Any) -> bool:
    # The C modules are where the originals come from, and importlib's locks are taken where nothing may switch.
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return (
        name.startswith(("_", "importlib"))
        or name in _cpython.KEEP_ORIGINALS
        or not hasattr(module, "__file__")
        or type(loader).__name__ == "ExtensionFileLoader"
    )
