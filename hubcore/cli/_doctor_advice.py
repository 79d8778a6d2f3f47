"""What to do about a call that blocks all greenlets of its thread."""

from __future__ import annotations

_POOL = "hubcore.get_hub().threadpool.apply(function, arguments)"
_NATIVE = "HUBCORE_NATIVE_THREADS=module:function"
_ORIGINAL = (
    "It is the original, taken before the patch: let the program import it after the patch, as `hubcore run` does."
)

#: Advice for Python code.
COMPUTES = (
    "It computes in Python. Call hubcore.sleep(0) now and then, so that others run; or move it to another process"
    " (multiprocessing, concurrent.futures.ProcessPoolExecutor)."
)

#: Beginnings of the names of functions, and the advice for them; the first that fits.
TABLE = [
    (("time.sleep",), f"{_ORIGINAL} Or call hubcore.sleep."),
    (
        ("builtins.input", "_io.", "builtins.open", "builtins.print", "posix.read", "posix.write", "io."),
        "Files that are pipes or terminals: read and write them by hubcore.fileobject.FileObject, for stdin"
        f' FileObject(0, "r", closefd=False). input() with its editing: {_POOL}.',
    ),
    (
        ("sqlite3.", "_sqlite3."),
        "SQLite waits in C while another connection has the database locked, up to its busy timeout,"
        " sqlite3.connect(timeout=5.0). Do not wait for anything else within a transaction; or keep the thread that"
        f" writes native: {_NATIVE}; or call it in native threads: {_POOL}.",
    ),
    (
        ("_socket.getaddrinfo", "_socket.gethostby", "_socket.getnameinfo", "socket.getaddrinfo"),
        "Look names up by hubcore.socket, or patch first; HUB_RESOLVER chooses how: thread, cares or dnspython.",
    ),
    (("_socket.", "select.", "_ssl."), _ORIGINAL),
    (("_thread.", "_queue."), f"It was made before the patch, or belongs to a native thread. {_ORIGINAL}"),
    (
        ("posix.system", "posix.wait", "posix.popen", "pty."),
        "Start child processes by the module subprocess, which waits cooperatively once patched.",
    ),
    (("posix.", "fcntl."), f"It waits for the kernel. Call it in a native thread: {_POOL}."),
    (
        ("ctypes", "_cffi_backend."),
        f"Code in C waits or computes out of reach of the patch. Call it in a native thread: {_POOL}; or keep the"
        f" thread that calls it native: {_NATIVE}.",
    ),
    (
        (
            "builtins.",
            "math.",
            "time.",
            "re.",
            "_json.",
            "_pickle.",
            "_operator.",
            "_functools.",
            "itertools.",
            "_csv.",
        ),
        COMPUTES,
    ),
    (
        ("_hashlib.", "_bcrypt", "bcrypt.", "zlib.", "_bz2.", "_lzma.", "_zstd.", "_blake2.", "_sha", "_scrypt"),
        f"It computes in C and lets go of the GIL: in native threads it runs beside the greenlets: {_POOL}.",
    ),
]
#: Advice for other functions in C.
CALLS = (
    f"It waits or computes in C. Call it in a native thread: {_POOL}; or keep the thread that calls it native:"
    f" {_NATIVE}."
)


def advice(call: str, name: str) -> str:
    """Return what to do about `call` of the function `name`; "" for both if Python code runs."""
    if not call:
        return COMPUTES
    return next((text for beginnings, text in TABLE if name.startswith(beginnings)), CALLS)
