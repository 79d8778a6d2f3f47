"""One table of every private name of CPython that hubcore relies on, and the check that this Python has them.

CPython may change them in any version. hubcore looks before it patches a module. `patch_all` leaves out a module for
which a name is missing, with one warning that says which (`gap`); a function that patches this module alone raises an
ImportError (`check`). Either names the version of Python and the remedy, where a crash would follow otherwise.
"""

from __future__ import annotations

import sys


class Private:
    """A private name of a module: the patch that needs it, its use, and the versions of Python that have it."""

    __slots__ = ("before", "module", "name", "patching", "since", "use")

    def __init__(
        self, patching: str, module: str, name: str, use: str, since: tuple[int, int], before: tuple[int, int]
    ) -> None:
        self.patching = patching
        self.module = module
        self.name = name
        self.use = use
        self.since = since
        self.before = before


_FIRST = (3, 11)
_LAST = (3, 15)  # the newest version that hubcore was tested on
_ANY = (99, 0)


def _row(
    patching: str, where: str, use: str, since: tuple[int, int] = _FIRST, before: tuple[int, int] = _ANY
) -> Private:
    module, _, name = where.partition(":")
    return Private(patching, module, name, use, since, before)


#: (the patch that needs it, module:name, its use, first version that has it, first version without it)
TABLE = [
    _row("socket", "_socket:socket", "the C class under socket.socket"),
    _row("socket", "_socket:socket._accept", "accepting without the standard library's own wrapping"),
    _row("socket", "socket:socket._io_refs", "the number of open files of a socket, 0 after accept()"),
    _row("socket", "socket:socket._closed", "whether a socket is closed, or closes with its last file"),
    _row("socket", "socket:_intenum_converter", "the enumerations in the results of getaddrinfo"),
    _row("socket", "socket:_GLOBAL_DEFAULT_TIMEOUT", "the default of create_connection's timeout"),
    _row("socket", "socket:_GiveupOnSendfile", "the exception by which sendfile falls back to send()"),
    _row("socket", "socket:socket._sendfile_use_sendfile", "the method that socket.sendfile tries first"),
    _row("socket", "socket:socket._check_sendfile_params", "sendfile's check of its arguments"),
    _row("socket", "socket:socket._real_close", "the method that closes a socket with its last file"),
    _row("selectors", "selectors:SelectSelector._select", "the function on which SelectSelector waits"),
    _row("selectors", "selectors:PollSelector._selector_cls", "the class on which PollSelector is built"),
    _row("ssl", "ssl:_create_unverified_context", "the context of callers that do not verify"),
    _row("ssl", "ssl:_create_stdlib_context", "the context of the standard library's own modules"),
    _row("ssl", "ssl:SSLSocket._create", "the method by which an SSLContext makes its sockets"),
    _row("ssl", "ssl:SSLSocket._real_connect", "connecting with a handshake at the end"),
    _row("ssl", "ssl:SSLContext._msg_callback", "the callback for messages of TLS"),
    _row("ssl", "ssl:_TLSContentType", "the numbers in that callback"),
    _row("ssl", "ssl:_TLSAlertType", "the numbers in that callback"),
    _row("ssl", "ssl:_TLSMessageType", "the numbers in that callback"),
    _row("subprocess", "subprocess:Popen._get_handles", "makes the pipes, whose ends here become cooperative files"),
    _row("subprocess", "subprocess:Popen._execute_child", "starts the child, once these files are made"),
    _row("subprocess", "subprocess:Popen._child_created", "whether an interrupted start made a child"),
    _row("subprocess", "subprocess:Popen._handle_exitstatus", "turns a child's status into a return code"),
    _row("subprocess", "subprocess:Popen._internal_poll", "the body of `poll`; holds _waitpid_lock, as ours does"),
    _row("subprocess", "subprocess:Popen._wait", "the method in which `wait` and `__exit__` wait"),
    _row("subprocess", "subprocess:Popen._try_wait", "asks the kernel for the child's status"),
    _row("subprocess", "subprocess:Popen._communicate", "the method in which `communicate` reads and writes"),
    _row("subprocess", "subprocess:Popen._check_timeout", "communicate's TimeoutExpired with the output so far"),
    _row("subprocess", "subprocess:Popen._translate_newlines", "text from files that are not hubcore's"),
    _row("asyncio", "asyncio:_get_running_loop", "the running loop, which hubcore keeps per greenlet"),
    _row("asyncio", "asyncio:_set_running_loop", "the running loop, which hubcore keeps per greenlet"),
    _row("asyncio", "asyncio.tasks:_swap_current_task", "the current task, which CPython keeps per thread", (3, 14)),
    _row("threading", "threading:_active", "the table of threads by ident, greenlets among them"),
    _row("threading", "threading:_limbo", "the threads that are being started"),
    _row("threading", "threading:_active_limbo_lock", "the lock of both tables, replaced by a cooperative one"),
    _row("threading", "threading:_dangling", "all Thread objects, to make the existing ones cooperative"),
    _row("threading", "threading:_main_thread", "the main thread's Thread"),
    _row("threading", "threading:_newname", "the names of dummy threads"),
    _row("threading", "threading:_register_atexit", "joining greenlet threads where threading is not patched"),
    _row("threading", "threading:_allocate_lock", "the lock that threading's own classes are built on"),
    _row("threading", "threading:_CRLock", "the class behind threading.RLock()"),
    _row("threading", "threading:_DummyThread", "the class of threads that threading did not start"),
    _row("threading", "threading:_make_invoke_excepthook", "makes the hook that a failing thread calls"),
    _row("threading", "threading:Thread._bootstrap", "the function that a thread runs"),
    _row("threading", "threading:_main_thread._started", "the event that a thread sets when it runs"),
    _row("threading", "threading:_main_thread._invoke_excepthook", "the call when a thread fails"),
    _row("threading", "threading:Condition._is_owned", "whether the caller of `wait` owns the lock"),
    _row("threading", "threading:Condition._release_save", "how `wait` lets the lock go"),
    _row("threading", "threading:Condition._acquire_restore", "how `wait` takes the lock again"),
    _row("threading", "threading:_start_new_thread", "the function that Thread.start calls", before=(3, 13)),
    _row("threading", "threading:_set_sentinel", "makes the lock that join waits for", before=(3, 13)),
    _row("threading", "threading:_shutdown_locks", "the locks that the end of the process waits for", before=(3, 13)),
    _row("threading", "threading:_shutdown_locks_lock", "the lock of that set, replaced", before=(3, 13)),
    _row("threading", "threading:_maintain_shutdown_locks", "keeps that set up when a thread starts", before=(3, 13)),
    _row("threading", "threading:_start_joinable_thread", "the function that Thread.start calls", since=(3, 13)),
    _row("threading", "threading:_ThreadHandle", "the object that join waits for", since=(3, 13)),
    _row("threading", "threading:_make_thread_handle", "makes the handle of the main thread", since=(3, 13)),
    _row("threading", "threading:_thread_shutdown", "waits for threads when the process ends", since=(3, 13)),
    _row("threading", "threading:_get_main_thread_ident", "the ident of the main thread after a fork", since=(3, 13)),
    _row("threading", "threading:_main_thread._tstate_lock", "the lock that `join` waits for", before=(3, 13)),
    _row("threading", "threading:_main_thread._handle", "the handle that `join` waits for", (3, 13), before=(3, 14)),
    _row("threading", "threading:_main_thread._os_thread_handle", "the handle that `join` waits for", since=(3, 14)),
    _row("threading", "threading:_main_thread._context", "the context in which `run` is called", since=(3, 14)),
    _row("threading", "threading:_set_name", "names a thread for the operating system", since=(3, 14)),
    _row("threading", "_thread:_set_sentinel", "makes the lock that a thread's end releases", before=(3, 13)),
    _row("threading", "_thread:_count", "the number of threads"),
    _row("threading", "_thread:_local", "the class under threading.local"),
    _row("threading", "sys:_current_frames", "finds out whether other threads run"),
    _row("concurrent.futures", "concurrent.futures.thread:_global_shutdown_lock", "the executors' lock, replaced"),
    _row("concurrent.futures", "concurrent.futures.thread:_threads_queues", "wakes workers when the process ends"),
    _row("concurrent.futures", "concurrent.futures.thread:_shutdown", "whether the process is ending"),
    _row("logging", "logging:_lock", "logging's own lock, replaced"),
    _row("logging", "logging:_handlerList", "the handlers, each with a lock"),
    _row("logging", "logging:_at_fork_reinit_lock_weakset", "the handlers, each with a lock"),
    _row("_multiprocessing", "_multiprocessing:SemLock", "the system's semaphores, polled instead of waited for"),
    _row("_multiprocessing", "_multiprocessing:SemLock._rebuild", "makes semaphores that come from another process"),
    _row("multiprocessing", "multiprocessing.connection:_WaitSelector", "the selector in which connection.wait waits"),
    _row("multiprocessing", "multiprocessing.connection:Connection._recv", "the method by which a connection reads"),
    _row("multiprocessing", "multiprocessing.connection:Connection._send", "the method by which a connection writes"),
    _row("multiprocessing", "multiprocessing.util:ForkAwareLocal", "thread-local data, which becomes greenlet-local"),
]

# The argument of patch_all that leaves a part out, where it differs from the part's name.
_ARGUMENT = {
    "_multiprocessing": "thread",
    "concurrent.futures": "thread",
    "logging": "thread",
    "multiprocessing": "thread",
    "selectors": "select",
    "threading": "thread",
}

# What patch_all patches when it is called; the other rows belong to modules that it patches when they are imported.
_AT_ONCE = ("threading", "socket", "selectors", "ssl", "subprocess")

#: Modules of the standard library that keep their references to originals, like all whose name begins with "_".
KEEP_ORIGINALS = frozenset({"asyncio.events", "faulthandler", "functools", "multiprocessing.forkserver", "posix", "nt"})


def missing(patching: str | None = None) -> list[Private]:
    """Return the rows (all, or those for `patching`) whose name this Python should have and lacks. Imports modules."""
    from importlib import import_module

    wrong = []
    for row in TABLE:
        if patching not in (None, row.patching) or not row.since <= sys.version_info[:2] < row.before:
            continue
        try:
            found: object = import_module(row.module)
            for part in row.name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            wrong.append(row)
    return wrong


def check(patching: str) -> None:
    """Raise ImportError, with the missing names and the remedy, unless this Python has all that `patching` needs."""
    wrong = missing(patching)
    if wrong:
        argument = _ARGUMENT.get(patching, patching)
        raise ImportError(
            f"hubcore cannot patch {patching!r} on {_this_python()}, which lacks {_named(wrong)}. "
            f"Use a version of hubcore that supports this Python, or leave {argument} unpatched: "
            f"patch_all({argument}=False) or hubcore run --no-{argument}"
        )


def gap(patching: str) -> str:
    """Return "", or a warning that `patching` stays unpatched because this Python lacks private names for it."""
    wrong = missing(patching)
    return _left_out(patching, f"which lacks {_named(wrong)}") if wrong else ""


def gap_of_argument(argument: str) -> str:
    """As `gap`, for everything that patch_all's `argument` patches at once."""
    for patching in _AT_ONCE:
        if _ARGUMENT.get(patching, patching) == argument and (text := gap(patching)):
            return text
    return ""


def import_gap(argument: str, error: Exception) -> str:
    """Return a warning that patch_all's `argument` is left out on a newer Python, where an import raised `error`.

    Return "" on a Python that hubcore supports: there the error is one of the program or of hubcore.
    """
    if sys.version_info[:2] <= _LAST:
        return ""
    return _left_out(argument, f"where hubcore.{argument} cannot be imported: {error}")


def _left_out(name: str, reason: str) -> str:
    return (
        f"hubcore does not support {_this_python()} yet, {reason}. {name!r} stays unpatched, so it blocks the whole "
        f"thread; use a version of hubcore that supports this Python"
    )


def _this_python() -> str:
    return f"{sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}"


def _named(rows: list[Private]) -> str:
    return "; ".join(f"{row.module}.{row.name} ({row.use})" for row in rows)
