"""The commands that look into running processes: their options, and which module serves each."""

from __future__ import annotations

import argparse

from hubcore.cli._parser import positive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PS = """\
Without PID: show the processes of this machine that use hubcore. With PID: show what the greenlets of that process do
and wait for; greenlets that do the same are counted. The program needs no preparation; you need the right to debug it.
Exit status: 0; 1 the process failed to answer; 2 it cannot be asked; 3 it is busy: its hub does not poll.
"""
_DUMP = "Show the stacks of all greenlets of a running process, equal ones once. Exit status: as `hubcore ps`."
_TOP = "Show the load of a running process second by second: switches, utilisation, and what its greenlets wait for."
_TRACE = """\
Record what the greenlets of a running process do, for some seconds, and write a file: .pftrace for ui.perfetto.dev,
.json for Chrome's viewers, .folded for flame graphs of the time that greenlets wait, .html for a page that opens in
any browser. Exit status: as `hubcore ps`.
"""


def add(commands: Any) -> list[argparse.ArgumentParser]:
    """Add the commands to the subparsers `commands`, and return their parsers."""
    ps = commands.add_parser("ps", help="show what the greenlets of a running process do", description=_PS)
    ps.add_argument("pid", nargs="?", type=process_id, metavar="PID", help="the process (default: list all)")
    ps.add_argument("--json", action="store_true", help="print JSON")

    dump = commands.add_parser("dump", help="show the stacks of the greenlets of a running process", description=_DUMP)
    dump.add_argument("pid", type=process_id, metavar="PID", help="the process")
    dump.add_argument("--all", action="store_true", help="show each greenlet singly")
    dump.add_argument("--no-stacks", dest="stacks", action="store_false", help="leave the stacks out")
    dump.add_argument("--locals", action="store_true", help="show local variables: runs the program's __repr__ methods")
    dump.add_argument("--json", action="store_true", help="print JSON")

    top = commands.add_parser("top", help="show the load of a running process", description=_TOP)
    top.add_argument("pid", type=process_id, metavar="PID", help="the process")
    top.add_argument("--once", action="store_true", help="print one interval as plain text, and end")
    top.add_argument(
        "--interval", type=seconds, default=1.0, metavar="S", help="seconds between two looks (default: 1)"
    )

    trace = commands.add_parser("trace", help="record what the greenlets of a running process do", description=_TRACE)
    trace.add_argument("pid", type=process_id, metavar="PID", help="the process")
    trace.add_argument("-o", dest="path", required=True, metavar="FILE", help="the file; its suffix chooses the format")
    trace.add_argument("--seconds", type=seconds, default=5.0, metavar="S", help="how long to record (default: 5)")
    return [ps, dump, top, trace]


def run(options: argparse.Namespace) -> int:
    """Run the command of `options`; return the exit status."""
    if options.command == "top":
        from hubcore.cli import top

        return top.main(options.pid, once=options.once, interval=options.interval)
    if options.command == "trace":
        from hubcore.cli import trace

        return trace.main(options.pid, path=options.path, seconds=options.seconds)
    from hubcore.cli import ps

    if options.command == "ps":
        return ps.main(options.pid, as_json=options.json)
    return ps.dump(options.pid, all=options.all, stacks=options.stacks, locals=options.locals, as_json=options.json)


process_id = positive("a process id must be a number of 1 or more")


def seconds(text: str) -> float:
    """Return the seconds that `text` is, above 0; ArgumentTypeError otherwise."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 < found < 1e6:
        raise argparse.ArgumentTypeError(f"seconds must be a number above 0, not {text!r}")
    return found
