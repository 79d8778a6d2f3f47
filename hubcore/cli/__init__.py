"""The `hubcore` command: shows the installation (info, demo), runs a program patched (run), finds what blocks (doctor).

`patch-hook` installs the hook that patches every Python of the environment, `gevent-wheel` writes a package that puts
hubcore in gevent's place.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from importlib import import_module

from hubcore.cli import _program
from hubcore.cli._parser import Parser, positive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: The exit statuses that a shell reports for a command ended by SIGINT, and for one ended by SIGPIPE.
INTERRUPTED = 130
NOBODY_READS = 141

# The commands that run a program, and the options with a value of all of these.
_LAUNCHERS = ("run", "doctor", "sim")
# The commands that look into running processes; `_observe_options` adds and runs them.
OBSERVING = ("ps", "dump", "top", "trace")
_VALUED = ("--backend", "--seeds", "--seed", "--trace")

# Commands whose modules stand above this package, and are loaded by name.
_FROM_ABOVE = {"sim": "hubcore.testing.sim.command"}

_PROGRAM = "(script.py | -m module | -c code)"
_RUN = """\
Patch the standard library, then run a Python program as python does: its blocking calls let other greenlets and threads
run. The patch comes before the program's first import, so the program holds no unpatched functions.
"""
_DOCTOR = """\
Patch the standard library, run a Python program as python does, and report at its end what held up all greenlets, for
how many seconds, and what to do: functions that the program took from the standard library before the patch, libraries
that wait in C, and code that blocked while it ran.
"""
_SIM = """\
Run a Python program on one simulated host: on virtual time, with a network of its own, its randomness and the order of
its greenlets from a seed. A seed that fails can be run again. Exits with 0 if every seed passes.
"""
_SERVE = """\
Patch the standard library and serve a WSGI application. Each option may also stand in the environment, as
HUBCORE_SERVE_WORKERS=2, or in pyproject.toml under [tool.hubcore.serve], as workers = 2.
"""
_HOOK = """\
Once the hook is installed, every Python of this environment that starts with HUB_PATCH=1 patches the standard library.
HUB_PATCH=socket,ssl patches only these modules, HUB_PATCH=-thread all but this one. With HUB_DROPIN=gevent `import
gevent` gives hubcore.
"""


def parser(serving: bool = False) -> Parser:
    """Return the parser of the command line; with `serving`, with the many options of `serve`."""
    from hubcore._version import __version__
    from hubcore.cli import _dropin, _observe_options, _patch_options

    top = Parser(prog="hubcore", description="Concurrent Python as simple as blocking Python.")
    top.add_argument("--version", action="version", version=f"hubcore {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    info = commands.add_parser(
        "info",
        help="show versions, backends and the chosen backend",
        description="Show the versions of hubcore, Python, greenlet and backends, and the backend that new hubs use.",
    )
    info.add_argument("--json", action="store_true", help="print one JSON object")

    demo = commands.add_parser(
        "demo",
        help="fetch pages and look up names, concurrently and one after another",
        description="Fetch pages and look up names on each native backend, concurrently and one after another.",
    )
    demo.add_argument(
        "targets",
        nargs="*",
        metavar="URL|HOST",
        help="URLs, http:// or https://, to fetch instead of a local server's pages; host names to look up instead of "
        "this machine's",
    )
    demo.add_argument(
        "--pages",
        type=positive("the number of pages must be 1 or more"),
        metavar="N",
        help="number of pages to fetch (default: 200, or each URL once, but 10 at least)",
    )
    demo.add_argument(
        "--backend", metavar="NAMES", help="backends to run on, separated by commas (default: libev,libuv, or select)"
    )
    demo.add_argument("--json", action="store_true", help="print one JSON object")

    run = commands.add_parser(
        "run",
        help="run a Python program with the standard library patched",
        description=_RUN,
        usage=f"%(prog)s [-h] [--backend NAME] [--no-patch | --[no-]NAME ...] {_PROGRAM} [argument ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("--trace", metavar="FILE", help="record what the greenlets do; see `hubcore trace`")
    _add_program(run)
    _patch_options.add(run)
    _dropin.add_options(run)

    doctor = commands.add_parser(
        "doctor",
        help="run a Python program and report what blocks in it",
        description=_DOCTOR,
        usage=f"%(prog)s [-h] [--backend NAME] [--no-patch | --[no-]NAME ...] {_PROGRAM} [argument ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_program(doctor)
    _patch_options.add(doctor)
    _dropin.add_options(doctor)

    sim = commands.add_parser(
        "sim",
        help="simulate a Python program: virtual time, a simulated network, one seed after another",
        description=_SIM,
        usage="%(prog)s [-h] [--seeds N | --seed S] (script.py | -m module) [argument ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = sim.add_mutually_exclusive_group()
    which.add_argument(
        "--seeds",
        type=positive("the number of seeds must be 1 or more"),
        metavar="N",
        help="simulate so many seeds, until one fails",
    )
    which.add_argument("--seed", type=_seed, metavar="S", help="simulate this seed only (default: 0)")
    sim.add_argument("-m", metavar="MODULE", help="the program is a module, not a file")
    serve = commands.add_parser(
        "serve",
        help="serve a WSGI application by HTTP",
        description=_SERVE,
        usage="%(prog)s [option ...] module:application",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if serving:
        from hubcore.cli import _serve_settings

        _serve_settings.add_options(serve)
        _patch_options.add(serve)

    celery = commands.add_parser(
        "celery",
        help="run Celery with tasks as greenlets",
        description="Patch the standard library and run Celery, whose workers run each task in a greenlet.",
        usage="%(prog)s celery-argument ...",
        add_help=False,
    )
    celery.add_argument("program", nargs=argparse.REMAINDER, metavar="argument", help="Celery's own arguments")
    celery.set_defaults(strict=False, leave=None, only=None)

    hook = commands.add_parser(
        "patch-hook",
        help="make HUB_PATCH=1 patch every Python of this environment",
        description=_HOOK,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    hook.add_argument("action", choices=("install", "remove", "status"))
    wheel = _dropin.add_wheel_command(commands)
    looking = _observe_options.add(commands)
    for command in (info, demo, run, doctor, sim, serve, celery, hook, wheel, *looking):
        # The command's own parser reports errors, because its usage shows what would be right.
        command.set_defaults(own=command)
    return top


def _add_program(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backend", metavar="NAME", help="like HUB_BACKEND: a name, a list by preference, or package.module:Class"
    )
    # For the help: _program.split has taken the program away before argparse sees the command line.
    parser.add_argument("-m", metavar="MODULE", help="run this module, as python -m does")
    parser.add_argument("-c", metavar="CODE", help="run this code, as python -c does")


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, _program.Program, list[str]]:
    """Return the options of the command line, the program that it names, and, for Celery, its further arguments.

    The program has no words if the command runs none. Ends the process, with one line on stderr, if `arguments` are
    wrong.
    """
    given = list(arguments)
    program = None
    if given and given[0] in _LAUNCHERS:
        own, program = _program.split(given[1:], _VALUED)
        given = [given[0], *own]
    options, unknown = parser(serving=given[:1] == ["serve"]).parse_known_args(given)
    if unknown and options.command != "celery":
        options.own.refuse(unknown)
    if options.command in _LAUNCHERS and (wrong := _program.missing(program)):
        options.own.error(wrong)
    return options, program or _program.Program("script", []), unknown


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (default: the process's) and return its exit status."""
    options, program, unknown = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        if options.command in _LAUNCHERS:
            return _launch(options, program)
        if options.command == "serve":
            from hubcore.cli import serve

            return serve.main(options)
        if options.command == "celery":
            from hubcore.cli import _patch_options, celery

            return celery.main([*unknown, *options.program], lambda: _patch_options.patch(options))
        if options.command == "gevent-wheel":
            from hubcore.cli import _dropin

            return _dropin.write_wheel(options)
        if options.command == "patch-hook":
            from hubcore.cli import patch_hook

            return patch_hook.main(options.action)
        if options.command in OBSERVING:
            from hubcore.cli import _observe_options

            status = _observe_options.run(options)
        elif options.command == "info":
            from hubcore.cli import info

            status = info.main(as_json=options.json)
        else:
            from hubcore.cli import demo

            status = demo.main(options.targets, pages=options.pages, backends=options.backend, as_json=options.json)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        if options.command in ("run", "doctor"):
            raise
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has gone; at its end the interpreter would flush stdout once more and fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return NOBODY_READS


def _launch(options: argparse.Namespace, program: _program.Program) -> int:
    if options.command == "sim":
        if program.kind == "code":
            options.own.error("-c is not supported; write the program to a file")
        simulate = import_module(_FROM_ABOVE["sim"]).main
        status = simulate(program.words, module=program.kind == "module", seeds=options.seeds, seed=options.seed)
        sys.stdout.flush()
        return int(status)
    from hubcore.cli import _dropin, _patch_options, run

    _dropin.decide(options)
    if options.command == "doctor":
        from hubcore.cli import doctor

        return doctor.main(options, program)

    def patch() -> None:
        _dropin.install(options)
        _patch_options.patch(options)

    begin = None
    if options.command == "run" and options.trace is not None:
        from hubcore.cli import trace

        if not trace.usable(options.trace):
            return 2
        begin = partial(trace.record_until_exit, options.trace)
    return run.main(program, backend=options.backend, patch=patch, begin=begin)


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a seed must be a whole number, not {text!r}") from None
