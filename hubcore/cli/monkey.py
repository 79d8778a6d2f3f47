"""`python -m hubcore.monkey`: runs a program patched, with the options of gevent's command."""

from __future__ import annotations

import argparse
import sys

from hubcore.cli import _patch_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run the command line `arguments`. Return the program's exit status; SystemExit passes through."""
    parser = argparse.ArgumentParser(
        prog="python -m hubcore.monkey",
        description="Patch the standard library, then run a Python program.",
        usage="%(prog)s [-h] [--verbose] [--[no-]NAME ...] (script.py | -m module) [argument ...]",
    )
    parser.add_argument("--verbose", action="store_true", help="list the replaced names on stderr")
    parser.add_argument("-m", "--module", action="store_true", help="the program is a module, not a file")
    _patch_options.add(parser, no_patch=False)
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="program", help="the program and its arguments")
    options = parser.parse_args(arguments)
    if not options.program:
        parser.error("no program given; give a script, or -m and a module")

    def patch() -> None:
        _patch_options.patch(options)
        if options.verbose:
            from hubcore._base.originals import saved

            for name, items in saved.items():
                print(f"hubcore: {name}: {', '.join(sorted(items))}", file=sys.stderr)

    from hubcore.cli import run

    return run.main(options.program, module=options.module, patch=patch)
