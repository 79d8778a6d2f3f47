"""Every private name of CPython that hubcore relies on, in one table, and the check that they are there.

CPython may change them in any version. `check` is called before a module is patched: a name that is missing becomes an
ImportError that says which, on which Python, and what to do; not a crash later.
"""

from __future__ import annotations

import sys


class Private:
    """A private name of a module, for patching what it is needed, what for, and which versions have it."""

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
_ANY = (99, 0)


def _row(
    patching: str, where: str, use: str, since: tuple[int, int] = _FIRST, before: tuple[int, int] = _ANY
) -> Private:
    module, _, name = where.partition(":")
    return Private(patching, module, name, use, since, before)


#: (what is being patched, module:name, what for, first version that has it, first that has it no more)
TABLE = [
    _row("socket", "_socket:socket", "the C class under socket.socket"),
    _row("socket", "_socket:socket._accept", "accepting without the standard library's own wrapping"),
    _row("socket", "socket:socket._io_refs", "how many files of a socket are open, none for what accept() makes"),
    _row("socket", "socket:socket._closed", "whether a socket is closed, or will be with its last file"),
    _row("socket", "socket:_intenum_converter", "the enumerations in what getaddrinfo returns"),
    _row("socket", "socket:_GLOBAL_DEFAULT_TIMEOUT", "the default of create_connection's timeout"),
    _row("socket", "socket:_GiveupOnSendfile", "sendfile's way to go on by send()"),
    _row("socket", "socket:socket._sendfile_use_sendfile", "what socket.sendfile tries first"),
    _row("socket", "socket:socket._check_sendfile_params", "sendfile's check of its arguments"),
    _row("socket", "socket:socket._real_close", "what closes a socket when its last file is closed"),
    _row("selectors", "selectors:SelectSelector._select", "the function on which SelectSelector waits"),
    _row("selectors", "selectors:PollSelector._selector_cls", "the class on which PollSelector is built"),
    _row("ssl", "ssl:_create_unverified_context", "the context of those who do not verify"),
    _row("ssl", "ssl:_create_stdlib_context", "the context of the standard library's own modules"),
    _row("ssl", "ssl:SSLSocket._create", "how an SSLContext makes its sockets"),
    _row("ssl", "ssl:SSLSocket._real_connect", "connecting with a handshake at the end"),
    _row("ssl", "ssl:SSLContext._msg_callback", "the callback for messages of TLS"),
    _row("ssl", "ssl:_TLSContentType", "the numbers in that callback"),
    _row("ssl", "ssl:_TLSAlertType", "the numbers in that callback"),
    _row("ssl", "ssl:_TLSMessageType", "the numbers in that callback"),
    _row("subprocess", "subprocess:Popen._get_handles", "making the pipes, of which our ends become other files"),
    _row("subprocess", "subprocess:Popen._execute_child", "starting the child, once these files are made"),
    _row("subprocess", "subprocess:Popen._child_created", "whether a start that was interrupted made a child"),
    _row("subprocess", "subprocess:Popen._handle_exitstatus", "what a child's status means"),
    _row("subprocess", "subprocess:Popen._internal_poll", "what `poll` does; it holds _waitpid_lock as ours does"),
    _row("subprocess", "subprocess:Popen._wait", "what `wait` and `__exit__` wait in"),
    _row("subprocess", "subprocess:Popen._try_wait", "what asks the kernel, and takes what it says"),
    _row("subprocess", "subprocess:Popen._communicate", "what `communicate` reads and writes in"),
    _row("subprocess", "subprocess:Popen._check_timeout", "communicate's TimeoutExpired with what was read so far"),
    _row("subprocess", "subprocess:Popen._translate_newlines", "text of files that are not ours"),
    _row("asyncio", "asyncio:_get_running_loop", "the running loop, which each greenlet has its own of"),
    _row("asyncio", "asyncio:_set_running_loop", "the running loop, which each greenlet has its own of"),
    _row("asyncio", "asyncio.tasks:_swap_current_task", "the current task, where it is kept per thread", (3, 14)),
    _row("threading", "threading:_active", "the table of threads by ident, in which greenlets are too"),
    _row("threading", "threading:_limbo", "the threads that are being started"),
    _row("threading", "threading:_active_limbo_lock", "the lock of both, replaced by a cooperative one"),
    _row("threading", "threading:_dangling", "all Thread objects, to make those cooperative that are there already"),
    _row("threading", "threading:_main_thread", "the main thread's Thread"),
    _row("threading", "threading:_newname", "the names of dummy threads"),
    _row("threading", "threading:_register_atexit", "joining greenlet threads where threading is not patched"),
    _row("threading", "threading:_allocate_lock", "the lock that threading's own classes are built on"),
    _row("threading", "threading:_CRLock", "what threading.RLock() makes"),
    _row("threading", "threading:_DummyThread", "the class of threads that are none of threading's"),
    _row("threading", "threading:_make_invoke_excepthook", "what a failing thread calls"),
    _row("threading", "threading:_start_new_thread", "what Thread.start calls", before=(3, 13)),
    _row("threading", "threading:_set_sentinel", "the lock that join waits for", before=(3, 13)),
    _row("threading", "threading:_shutdown_locks", "the locks that the end of the process waits for", before=(3, 13)),
    _row("threading", "threading:_shutdown_locks_lock", "their lock, replaced", before=(3, 13)),
    _row("threading", "threading:_maintain_shutdown_locks", "their upkeep by a starting thread", before=(3, 13)),
    _row("threading", "threading:_start_joinable_thread", "what Thread.start calls", since=(3, 13)),
    _row("threading", "threading:_ThreadHandle", "what join waits for", since=(3, 13)),
    _row("threading", "threading:_make_thread_handle", "that of the main thread", since=(3, 13)),
    _row("threading", "threading:_thread_shutdown", "waiting for threads when the process ends", since=(3, 13)),
    _row("threading", "threading:_get_main_thread_ident", "who is the main thread after a fork", since=(3, 13)),
    _row("threading", "_thread:_set_sentinel", "the lock that is released when a thread ends", before=(3, 13)),
    _row("threading", "_thread:_count", "how many threads there are"),
    _row("threading", "_thread:_local", "the class under threading.local"),
    _row("threading", "sys:_current_frames", "whether other threads run"),
    _row("concurrent.futures", "concurrent.futures.thread:_global_shutdown_lock", "the executors' lock, replaced"),
    _row("concurrent.futures", "concurrent.futures.thread:_threads_queues", "what wakes workers when the process ends"),
    _row("concurrent.futures", "concurrent.futures.thread:_shutdown", "whether the process ends"),
    _row("logging", "logging:_lock", "logging's own lock, replaced"),
    _row("logging", "logging:_handlerList", "the handlers, each with a lock"),
    _row("logging", "logging:_at_fork_reinit_lock_weakset", "the handlers, each with a lock"),
    _row("multiprocessing", "_multiprocessing:SemLock", "the system's semaphores, tried instead of waited for"),
    _row("multiprocessing", "_multiprocessing:SemLock._rebuild", "those that come from another process"),
    _row("multiprocessing", "multiprocessing.connection:_WaitSelector", "what connection.wait waits with"),
    _row("multiprocessing", "multiprocessing.connection:Connection._recv", "how a connection reads"),
    _row("multiprocessing", "multiprocessing.connection:Connection._send", "how a connection writes"),
    _row("multiprocessing", "multiprocessing.util:ForkAwareLocal", "what greenlets must each have for their own"),
]

# The argument of patch_all that leaves it out, where that has another name.
_ARGUMENT = {
    "concurrent.futures": "thread",
    "logging": "thread",
    "multiprocessing": "thread",
    "selectors": "select",
    "threading": "thread",
}

#: Modules of the standard library that keep the originals they hold, beside those whose name begins with "_".
KEEP_ORIGINALS = frozenset({"asyncio.events", "faulthandler", "functools", "multiprocessing.forkserver", "posix", "nt"})


def missing(patching: str | None = None) -> list[Private]:
    """The rows of the table, or those for `patching`, that this Python ought to have and does not. Imports modules."""
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
    """ImportError, with what is missing and what to do, unless all names are there that patching `patching` needs."""
    wrong = missing(patching)
    if wrong:
        names = "; ".join(f"{row.module}.{row.name} ({row.use})" for row in wrong)
        version = ".".join(map(str, sys.version_info[:3]))
        argument = _ARGUMENT.get(patching, patching)
        raise ImportError(
            f"hubcore cannot patch {patching!r} on {sys.implementation.name} {version}, which does not have {names}. "
            f"Use a version of hubcore that knows this Python, or leave it out: patch_all({argument}=False), "
            f"hubcore run --no-{argument}"
        )
