"""The present state of the whole process: every thread and every greenlet, with their stacks."""

from __future__ import annotations

import sys

from hubcore._base.hints import TextIO
from hubcore._base.originals import get_ident
from hubcore._base.stack_format import caller, format_frame
from hubcore._debug.greenlet_tree import GreenletTree
from hubcore._diagnostics.describe import describe_wait

_RULE = "*" * 80


def format_run_info(
    thread_stacks: bool = True,
    greenlet_stacks: bool = True,
    limit: int | None = None,
    current_thread_ident: int | None = None,
    *,
    locals: bool = False,
) -> list[str]:
    """Return the state of all threads and of all hubs' greenlets as lines: a list of threads, then a tree for each hub.

    For each greenlet: its name, its state, what it is waiting for, for how long, the owner of that, its stack (`limit`
    calls at most), the call that spawned it, and with `locals` its local variables, whose __repr__ it calls. Any
    thread; never switches. Other threads run meanwhile: each entry is correct by itself, at some moment during the
    call.
    """
    lines = [_RULE, "* Threads", _RULE]
    lines += _threads(thread_stacks, limit, current_thread_ident or get_ident(), locals)
    lines += [_RULE, "* Greenlets", _RULE]
    details = {
        "running_stacks": greenlet_stacks,
        "running_stack_limit": limit,
        "frame_locals": locals and greenlet_stacks,
    }
    names = _thread_names()
    for tree in GreenletTree.forest():
        ident = tree.thread_ident or 0
        lines += [f"---- Thread boundary: {ident:#x} ({names.get(ident, '?')})", *tree.format_lines(details), ""]
    return lines


def print_run_info(
    thread_stacks: bool = True,
    greenlet_stacks: bool = True,
    limit: int | None = None,
    file: TextIO | None = None,
    *,
    locals: bool = False,
) -> None:
    """Print the lines of `format_run_info` to `file` (stderr)."""
    lines = format_run_info(thread_stacks, greenlet_stacks, limit, locals=locals)
    print("\n".join(lines), file=file if file is not None else sys.stderr)


def _threads(stacks: bool, limit: int | None, current: int, locals: bool) -> list[str]:
    from hubcore._base.worker_threads import idle_thread_idents
    from hubcore._diagnostics.wait_graph import native_waits

    names = _thread_names()
    idle = idle_thread_idents()
    waits = {wait.thread_ident: wait for wait in native_waits()}
    lines = []
    for ident, frame in sys._current_frames().items():
        name = f" ({names[ident]})" if ident in names else ""
        mark = " (CURRENT)" if ident == current else ""
        lines.append(f"Thread {ident:#x}{name}{mark}{', which serves hubcore and is idle' if ident in idle else ''}")
        if ident in waits:
            lines.append(f"    {describe_wait(waits[ident].waiter, waits[ident].now, with_greenlet=False)}")
        if stacks and ident not in idle:
            lines += format_frame(caller() if ident == get_ident() else frame, limit, locals)
        lines.append("")
    return lines


def _thread_names() -> dict[int, str]:
    threading = sys.modules.get("threading")
    if threading is None:
        return {}
    # threading.enumerate() takes a lock, which a stopped thread may hold.
    return {ident: thread.name for ident, thread in dict(threading._active).items()}
