"""`hubcore sim`: a whole program on one simulated host, once for each seed."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from hubcore.cli._output import complain
from hubcore.cli.run import NotThere, find_module, find_script
from hubcore.testing.sim import _again
from hubcore.testing.sim._explore import search
from hubcore.testing.sim._run import add_notes
from hubcore.testing.sim._settings import checked, order_for
from hubcore.testing.sim._template import Template

_RUN: dict[str, Any] = {"timeout": 3600.0, "order": "mixed", "latency": (0.0005, 0.005), "faults": None}


def main(program: list[str], *, module: bool, seeds: int | None, seed: int | None) -> int:
    """Run `program`, a script or a module with its arguments; the status, 0 where every seed passes.

    The process first executes itself again, so that what it finds replays.
    """
    _again.execute()
    for what in _again.what_is_drawn():
        complain(f"this process has drawn {what}: in another, what depends on that differs")
    sys.argv[:] = program
    try:
        code, attributes = find_module(program[0]) if module else find_script(program[0])
    except NotThere as error:
        complain(str(error))
        return error.status

    def simulated(sim: Any) -> None:
        fresh = ModuleType("__main__")
        fresh.__dict__.update(attributes, __builtins__=sys.modules["builtins"])
        sys.modules["__main__"] = fresh
        exec(code, fresh.__dict__)

    if seed is not None or seeds is None:
        return _one(simulated, seed or 0)
    failure = search(simulated, (), seeds=seeds, shrink=20.0, host="localhost", **_RUN)
    if failure is None:
        return 0
    sys.stderr.write(failure.outcome.trace)
    print(*failure.lines(f"again:  hubcore sim --seed {failure.first.seed} {program[0]}"), sep="\n", file=sys.stderr)
    return 1


def _one(simulated: Any, seed: int) -> int:
    settings = checked({**_RUN, "seed": seed})
    settings.order = order_for(seed, "mixed")
    settings.host = "localhost"
    with Template(simulated, ()) as template:
        outcome = template.run(settings)
    sys.stdout.write(outcome.output)
    error = outcome.error
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        if isinstance(error.code, int):
            return error.code & 0xFF
        print(error.code, file=sys.stderr)
        return 1
    add_notes(error, outcome)
    sys.stderr.write(outcome.trace)
    print(*getattr(error, "__notes__", ())[-1:], file=sys.stderr)
    return 1
