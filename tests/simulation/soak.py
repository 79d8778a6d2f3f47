"""Long runs of simulations, in pieces of any size. Each prints a line for each thousand seeds.

python -m tests.simulation.soak programs 10000          generated programs replay in other processes
python -m tests.simulation.soak mended 10000            the mended versions of planted bugs do not fail
python -m tests.simulation.soak mended 10000 raft       one of them
python -m tests.simulation.soak histories 100000        the search for an order against a brute force

--first 5000    begins there
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hubcore.testing import sim
from hubcore.testing.sim import _again
from hubcore.testing.sim._settings import checked
from hubcore.testing.sim._template import Template
from tests.simulation import generated

ROOT = Path(__file__).resolve().parents[2]
GIVEN = {"timeout": 3600.0, "order": "mixed", "latency": (0.0005, 0.005)}


def _outcome(template, seed, faults=None):
    outcome = template.run(checked({**GIVEN, "seed": seed, "faults": faults}))
    if outcome.error is not None:
        outcome.error.add_note(f"program and seed {seed}\n{outcome.trace}")
        raise outcome.error
    return outcome


def by_number(simulation):
    """The generated program whose number is the seed."""
    return generated.program(simulation, simulation.seed)


def lines(seeds, replayed):
    """For each seed its digests: of the events, and of what the clients were told.

    With `replayed` a second run is given the faults that the first one drew; it has to be the same.
    """
    with Template(by_number, ()) as template:
        for seed in seeds:
            outcome = _outcome(template, seed)
            line = f"{seed} {outcome.digest} {outcome.result} {len(outcome.faults)}"
            if replayed:
                again = _outcome(template, seed, outcome.faults)
                assert (again.digest, again.result) == (outcome.digest, outcome.result), (
                    f"seed {seed}: the run with the faults that were drawn, given as a list, is another one"
                )
            yield line


def child(first, count, replayed):
    """In a process of its own: print the lines."""
    for line in lines(range(first, first + count), replayed):
        print(line)


def start_child(first, count, replayed, folder, **environment):
    """Such a process, at fixed addresses and with a fixed hash seed, in `folder`."""
    code = f"from tests.simulation import soak; soak.again({first}, {count}, {replayed})"
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    env = {**os.environ, "PYTHONPATH": path, **environment}
    env.pop(_again.ENVIRONMENT, None)
    env.pop("PYTHONHASHSEED", None)
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=env, stdout=subprocess.PIPE, text=True)


def again(first, count, replayed):
    """Execute this process once more, so that hashes and addresses are fixed; then be `child`."""
    _again.execute()
    child(first, count, replayed)


def check_programs(first, count):
    """Run the programs in two processes with other environments and folders; how many faults there were.

    AssertionError for the first one that is not the same.
    """
    with tempfile.TemporaryDirectory() as folder:
        one = start_child(first, count, True, ROOT)
        ours = one.communicate()[0]
        other = start_child(first, count, False, folder, TZ="Asia/Tokyo", HOME=folder, SOMETHING_ELSE="x" * 5000)
        theirs = other.communicate()[0]
    assert one.returncode == other.returncode == 0, "a process of runs has failed"
    ours, theirs = ours.splitlines(), theirs.splitlines()
    assert len(ours) == len(theirs) == count, f"{count} lines wanted, {len(ours)} and {len(theirs)} found"
    for line, another in zip(ours, theirs, strict=True):
        assert line == another, f"two processes differ:\n  {line}\n  {another}"
    return len({line.split()[1] for line in ours}), sum(int(line.split()[3]) for line in ours)


def programs(first, count):
    """See the module's text."""
    begin, fired = time.monotonic(), 0
    for start in range(first, first + count, 500):
        size = min(500, first + count - start)
        different, faults = check_programs(start, size)
        assert different == size, f"{size - different} of {size} programs are like another"
        fired += faults
        seconds = time.monotonic() - begin
        done = start + size - first
        print(f"programs {first} to {start + size - 1}: {done} replay, {fired} faults planned, "
              f"{3 * done / seconds:.0f} runs a second", flush=True)  # fmt: skip


def mended(first, count, name):
    """See the module's text."""
    from tests.simulation.test_planted_bugs import MENDED

    if name and name not in MENDED:
        raise SystemExit(f"there is no {name!r}; there are {', '.join(MENDED)}")
    for each, (program, *arguments) in MENDED.items():
        if name in ("", each):
            begin = time.monotonic()
            sim.explore(program, *arguments, seeds=range(first, first + count))
            seconds = time.monotonic() - begin
            print(f"{each}, seeds {first} to {first + count - 1}: clean, {count / seconds:.0f} a second", flush=True)


def histories(first, count):
    """See the module's text."""
    from tests.simulation.test_history import check_drawn_history

    right = sum(check_drawn_history(random.Random(f"history {number}")) for number in range(first, first + count))
    print(f"histories {first} to {first + count - 1}: the search agrees; {right} can be explained", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.soak", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("what", choices=["programs", "mended", "histories", "all"])
    parser.add_argument("count", type=int)
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    if given.what in ("programs", "all"):
        programs(given.first, given.count)
    if given.what in ("mended", "all"):
        mended(given.first, given.count, given.name)
    if given.what in ("histories", "all"):
        histories(given.first, given.count * (10 if given.what == "all" else 1))


if __name__ == "__main__":
    main()
