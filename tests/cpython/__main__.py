"""Runs CPython's own tests with hubcore's modules in place of the standard library's, or after its patch_all.

    python -m tests.cpython test_ssl test_socket
    python -m tests.cpython --patched test_threading --backend libuv
    python -m tests.cpython --python .venv/bin/python --python .venv-3.13/bin/python    everything, on two Pythons
    python -m tests.cpython --write-docs                   the tables of docs/cpython-tests.md, from what is kept

Each module runs in a process of its own, and once without hubcore, whose outcome is kept in build/cpython-tests: what
passes there has to pass here, unless expected.toml gives the reason. A test that is listed there and passes is an error
too.
"""

import argparse
import sys
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from tests.cpython import report, suites
from tests.cpython.run import RESULTS, Job, Python, load, modules_of, python_at, run
from tests.cpython.verdict import EXPECTED, Verdict, expected, judge, reasons

BACKENDS = ("libev", "libuv")
_ALONE: defaultdict[Job, threading.Lock] = defaultdict(threading.Lock)


def jobs(pythons: list[Python], backends: list[str], modes: list[str], names: list[str]) -> list[Job]:
    """Every run that was asked for; without names all of the mode's modules."""
    found = []
    for mode in modes:
        wanted = names or list(suites.PATCHED if mode == "patched" else suites.REPLACED)
        for python in pythons:
            for name in modules_of(python, wanted):
                found += [Job(name, python, mode, backend) for backend in backends]
    return found


def verdict_of(job: Job, arguments: argparse.Namespace) -> Verdict:
    """Run `job`, and without hubcore what it is compared with, unless that is known."""
    known = [reason for reason in reasons(expected(), job.mode, job.name) if reason.holds(job)]
    alone = Job(job.name, job.python, "stdlib")
    with _ALONE[alone]:  # both backends want it at the same time
        baseline = None if arguments.only else load(alone)
        if baseline is None:
            baseline = run(alone, arguments.only, arguments.bound)
    outcome = load(job) if arguments.keep and not arguments.only else None
    if outcome is None:
        outcome = run(job, arguments.only, arguments.bound, lambda test: any(each.covers(test) for each in known))
    return judge(job, outcome, baseline, known)


def tell(verdict: Verdict, lines: int) -> None:
    """Print what came of it."""
    job, outcome = verdict.job, verdict.outcome
    print(
        f"{job.name}, {job.mode}, {job.python.version} {job.backend}: {verdict.good} of {verdict.of} pass"
        f" ({100 * verdict.score:.1f}%), {len(outcome.again)} of them at the second try;"
        f" {len(outcome.skipped)} skipped, {len(verdict.explained)} fail for a known reason,"
        f" {len(verdict.wrong)} otherwise; {outcome.seconds:.0f} s",
        flush=True,
    )
    for test, why in sorted(verdict.wrong.items()):
        print(f"  {test}:")
        for line in why.strip().splitlines()[-lines:]:
            print(f"    {line}")
    for pattern in verdict.stale:
        print(f"  {pattern} passes; take it out of {EXPECTED.name}")


def write_docs() -> int:
    """The tables of everything that is kept, into the page."""
    verdicts = []
    names = {name: i for i, name in enumerate((*suites.REPLACED, *suites.PATCHED))}
    for file in RESULTS.glob("*/*/*.json"):
        mode, _, backend = file.parent.name.partition("-")
        job = Job(file.stem, Python("", file.parent.parent.name), mode, backend)
        outcome, baseline = load(job), load(Job(job.name, job.python, "stdlib"))
        if backend and outcome is not None and baseline is not None:
            verdicts.append(judge(job, outcome, baseline, reasons(expected(), mode, job.name)))
    verdicts.sort(key=lambda each: (names.get(each.job.name.partition(".")[0], 999), each.job.name))
    report.write(verdicts)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--patched", action="append_const", dest="modes", const="patched", help="after patch_all")
    parser.add_argument("--replaced", action="append_const", dest="modes", const="replaced", help="modules replaced")
    parser.add_argument("--python", action="append", help="an interpreter with hubcore; this one without")
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="both without")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="of Class.test; nothing is kept")
    parser.add_argument("--keep", action="store_true", help="what was run before is not run again")
    parser.add_argument("--parallel", type=int, default=2, metavar="N")
    parser.add_argument("--bound", type=float, default=90.0, help="seconds that one test may take")
    parser.add_argument("--lines", type=int, default=12, help="of each traceback")
    parser.add_argument("--write-docs", action="store_true", help="only write the tables of what is kept")
    arguments = parser.parse_args()
    if arguments.write_docs:
        return write_docs()
    modes = arguments.modes or (["replaced"] if arguments.names else ["replaced", "patched"])
    pythons = [python_at(path) for path in arguments.python or [sys.executable]]
    verdicts = []
    with ThreadPoolExecutor(arguments.parallel) as pool:
        for verdict in pool.map(
            lambda job: verdict_of(job, arguments),
            jobs(pythons, arguments.backend or list(BACKENDS), modes, arguments.names),
        ):
            tell(verdict, arguments.lines)
            verdicts.append(verdict)
    for mode in modes:
        print(f"\n{mode}: how many of what the standard library passes\n")
        print(report.table(verdict for verdict in verdicts if verdict.job.mode == mode))
    return int(any(verdict.wrong or verdict.stale for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
