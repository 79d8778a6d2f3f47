"""`hubcore trace PID -o FILE`: records what the greenlets of a running process do, without set-up in the program."""

from __future__ import annotations

import atexit
import os
from base64 import b64decode

from hubcore._observe.files import check_path, write
from hubcore._observe.timeline import read
from hubcore.cli._output import complain, output
from hubcore.cli.ps import CANNOT, FAILED, ask


def main(pid: int, *, path: str, seconds: float) -> int:
    """Record process `pid` for `seconds`, and write the file `path`. Return the exit status."""
    if not usable(path):  # before anything is asked of the process
        return CANNOT
    found, status = ask(pid, {"ask": "trace", "seconds": seconds}, seconds)
    if found is None:
        return status
    for hub in found["hubs"]:
        hub["records"] = b64decode(hub["records"])
    timeline = read(found)
    try:
        write(timeline, path)
    except OSError as error:
        complain(f"cannot write {path}: {error.strerror}")
        return FAILED
    out = output()
    for each in timeline.hubs:
        running = sum(span.end - span.begin for span, _ in each.running())
        length = max(1, timeline.end - timeline.begin)
        dropped = f", {each.dropped:,} events dropped" if each.dropped else ""
        out.line(f"hub {each.name!r}: {len(each.lives):,} greenlets, busy {running / length:.0%}{dropped}")
    out.line(f"wrote {path}" + ("; open it at https://ui.perfetto.dev" if path.endswith(".pftrace") else ""))
    return 0


def usable(path: str) -> bool:
    """Return whether a recording can be written to `path`; if not, print why."""
    try:
        check_path(path)
    except (ValueError, OSError) as error:
        complain(str(error))
        return False
    return True


def record_until_exit(path: str) -> None:
    """Record this process, and write the file `path` when it exits."""
    from hubcore import trace

    pid = os.getpid()
    path = os.path.abspath(path)  # the program may change its folder
    trace.start(path)

    def stop() -> None:
        if os.getpid() == pid and trace.is_recording():
            trace.stop()

    atexit.register(stop)
