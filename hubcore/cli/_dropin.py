"""The option `--as-gevent` of `hubcore run` and `hubcore doctor`, and the command `hubcore gevent-wheel`."""

from __future__ import annotations

import argparse
import os

from hubcore.cli._output import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WHEEL = """\
Write a wheel named gevent, whose package puts hubcore in gevent's place. Installed by `pip install ./gevent-*.whl`, it
replaces a real gevent, satisfies requirements of gevent, and needs no hook. Do not upload it to an index.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add `--as-gevent` and `--patch` to `parser`."""
    parser.add_argument(
        "--as-gevent",
        action="store_true",
        help="have `import gevent` give hubcore, and patch only with --patch or --NAME",
    )
    parser.add_argument(
        "--patch", action="store_true", help="patch the standard library: the default without --as-gevent"
    )


def add_wheel_command(commands: Any) -> argparse.ArgumentParser:
    """Add `gevent-wheel` to the sub-commands; return its parser."""
    wheel: argparse.ArgumentParser = commands.add_parser(
        "gevent-wheel",
        help="write a package named gevent that is hubcore",
        description=_WHEEL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    wheel.add_argument("--version", dest="of_wheel", metavar="X.Y.Z", help="the version of gevent that it stands for")
    wheel.add_argument("--output", default=".", metavar="FOLDER", help="where to write it (default: here)")
    return wheel


def install(options: Any) -> None:
    """Put hubcore in gevent's place if the parsed `options` ask for it, and patch nothing unless they ask for that.

    Child processes inherit HUB_DROPIN, which the start-up hook reads. ValueError or ImportError if it is not possible.
    """
    if not options.as_gevent:
        return
    from hubcore import dropin

    try:
        dropin.install(by="--as-gevent")
    except RuntimeError as error:
        raise ImportError(str(error)) from None
    os.environ[dropin.VARIABLE] = "gevent"


def decide(options: Any) -> None:
    """Set `no_patch` of the parsed `options`: with --as-gevent nothing is patched unless the options ask for it.

    Programs for gevent patch by themselves, and at their own time: gunicorn does it in its workers.
    """
    if options.patch and options.no_patch:
        options.own.error("--patch and --no-patch contradict each other; give one of them")
    if options.as_gevent and not (options.patch or options.strict or options.leave or options.only):
        options.no_patch = True


def write_wheel(options: Any) -> int:
    """`hubcore gevent-wheel`: write the wheel and print its path. Return the exit status."""
    from hubcore._gevent import names, wheel

    try:
        path = wheel.write(options.output, options.of_wheel or names.version)
    except ValueError as error:
        complain(str(error))
        return 2
    except OSError as error:
        complain(f"cannot write the wheel into {options.output!r}: {error.strerror}")
        return 1
    print(path)
    return 0
