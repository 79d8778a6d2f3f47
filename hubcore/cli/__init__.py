"""The `hubcore` command: what there is (info, demo), running a program under it (run), and what blocks it (doctor)."""

from __future__ import annotations

import argparse
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: What a shell reports of a command that Ctrl-C ended, and of one whose reader went away.
INTERRUPTED = 130
NOBODY_READS = 141

_RUN = """\
Run a Python program as python does, after patching the standard library, so that what blocks in it lets other greenlets
and threads run. Nothing of the program is imported before, so it holds no unpatched functions.
"""
_DOCTOR = """\
Run a Python program as python does, and tell at its end what in it holds up all greenlets: what it took from the
standard library before it was patched, libraries that wait in C, and code that was seen to block.
"""
_HOOK = """\
With the hook installed, HUB_PATCH=1 in the environment patches any Python of this environment when it starts;
HUB_PATCH=socket,ssl patches only these, HUB_PATCH=-thread all but that.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from hubcore._version import __version__
    from hubcore.cli import _patch_options

    top = argparse.ArgumentParser(prog="hubcore", description="Concurrent Python as simple as blocking Python.")
    top.add_argument("--version", action="version", version=f"hubcore {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    info = commands.add_parser(
        "info", help="versions, backends, and which of them is used", description="What there is."
    )
    info.add_argument("--json", action="store_true", help="as one JSON object")

    demo = commands.add_parser(
        "demo",
        help="fetch pages and look up names concurrently, beside one after another",
        description="Fetch pages and look up names on each native backend, concurrently and one after another.",
    )
    demo.add_argument(
        "targets",
        nargs="*",
        metavar="URL|HOST",
        help="http:// URLs to fetch instead of a local server's pages; host names to look up instead of this machine's",
    )
    demo.add_argument(
        "--pages", type=_count, metavar="N", help="how many pages to fetch (default 200, or each URL once)"
    )
    demo.add_argument(
        "--backend", metavar="NAMES", help="backends to run on, separated by commas (default libev,libuv)"
    )

    run = commands.add_parser(
        "run",
        help="run a Python program",
        description=_RUN,
        usage="%(prog)s [-h] [--backend NAME] [--no-patch | --[no-]NAME ...] (script.py | -m module) [argument ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_program(run)
    _patch_options.add(run)

    doctor = commands.add_parser(
        "doctor",
        help="run a Python program and tell what blocks in it",
        description=_DOCTOR,
        usage="%(prog)s [-h] [--backend NAME] [--patch] (script.py | -m module) [argument ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doctor.add_argument("--patch", action="store_true", help="patch before the program begins, as `hubcore run` does")
    doctor.set_defaults(strict=False, leave=None, only=None)
    _add_program(doctor)

    hook = commands.add_parser(
        "patch-hook",
        help="have HUB_PATCH=1 patch any Python of this environment",
        description=_HOOK,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    hook.add_argument("action", choices=("install", "remove", "status"))
    for command in (info, demo, run, doctor, hook):
        # Errors are told by the command's own parser: its usage says what would be right.
        command.set_defaults(own=command)
    return top


def _add_program(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backend", metavar="NAME", help="as HUB_BACKEND: a name, a list by preference, or package.module:Class"
    )
    parser.add_argument("-m", dest="module", action="store_true", help="the program is a module, not a file")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="program", help="the program and its arguments")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (default: the process's) and return its exit status."""
    top = parser()
    options, unknown = top.parse_known_args(_split_module(sys.argv[1:] if arguments is None else arguments))
    if unknown:
        options.own.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        if options.command in ("run", "doctor") and not options.program:
            options.own.error("name a script, or -m and a module")
        if options.command == "run":
            from hubcore.cli import _patch_options, run

            return run.main(
                options.program,
                module=options.module,
                backend=options.backend,
                patch=lambda: _patch_options.patch(options),
            )
        if options.command == "doctor":
            from hubcore.cli import doctor

            return doctor.main(options)
        if options.command == "patch-hook":
            from hubcore.cli import patch_hook

            return patch_hook.main(options.action)
        if options.command == "info":
            from hubcore.cli import info

            status = info.main(as_json=options.json)
        else:
            from hubcore.cli import demo

            status = demo.main(options.targets, pages=options.pages, backends=options.backend)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        if options.command in ("run", "doctor"):
            raise
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter must not try once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return NOBODY_READS


def _split_module(arguments: Sequence[str]) -> list[str]:
    """`arguments` with `-mname`, as python takes it, made two of them where it is the launcher's and not the program's.

    argparse takes what follows -m without a space for options of one letter.
    """
    given = list(arguments)
    at = 1
    while at < len(given) and given[0] in ("run", "doctor") and given[at].startswith("-"):
        if given[at].startswith("-m") and len(given[at]) > 2:
            given[at : at + 1] = ["-m", given[at][2:]]
        if given[at] in ("-m", "-", "--"):
            break
        at += 2 if given[at] == "--backend" else 1
    return given


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of pages; it takes 1 or more")
    return int(text)
