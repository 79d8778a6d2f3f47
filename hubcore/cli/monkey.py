"""`python -m hubcore.monkey`: runs a program patched, with the options of gevent's command."""

from __future__ import annotations

import sys

from hubcore.cli import _patch_options, _program
from hubcore.cli._parser import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run the command line `arguments`. Return the program's exit status; SystemExit passes through."""
    parser = Parser(
        prog="python -m hubcore.monkey",
        description="Patch the standard library, then run a Python program.",
        usage="%(prog)s [-h] [--verbose] [--[no-]NAME ...] (script.py | -m module | -c code) [argument ...]",
    )
    parser.add_argument("--verbose", action="store_true", help="list the replaced names on stderr")
    parser.add_argument("-m", "--module", metavar="MODULE", help="run this module, as python -m does")
    parser.add_argument("-c", metavar="CODE", help="run this code, as python -c does")
    _patch_options.add(parser, no_patch=False)
    own, program = _program.split(arguments, ())
    options = parser.parse_args(own)
    if program is None or not program.words:
        parser.error(_program.missing(program))

    def patch() -> None:
        _patch_options.patch(options)
        if options.verbose:
            from hubcore._base.originals import saved

            for name, items in saved.items():
                print(f"hubcore: {name}: {', '.join(sorted(items))}", file=sys.stderr)

    from hubcore.cli import run

    return run.main(program, patch=patch)
