"""Runs the packages that live on gevent on hubcore under its name; see the package's docstring.

python -m tests.interplay.dropin                         every job, way and backend; then writes docs/gevent.md
python -m tests.interplay.dropin celery --way wheel      some of them
python -m tests.interplay.dropin celery --real           on the real gevent: does the job itself make sense?
python -m tests.interplay.dropin --way run --write-page  a part; the page also shows what earlier runs have kept
python -m tests.interplay.dropin --scan                  names of gevent that installed packages use and hubcore lacks
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.interplay.dropin import page, scan
from tests.interplay.dropin.run import Outcome, Services, jobs, keep, kept, run
from tests.interplay.dropin.ways import REAL, WAYS, Start, prepare


def main() -> int:
    """Run what the command line asks for. Return 1 if a job failed that is not known to fail."""
    parser = argparse.ArgumentParser(prog="python -m tests.interplay.dropin")
    every = jobs()
    parser.add_argument("names", nargs="*", metavar="JOB", help=", ".join(job.name for job in every))
    parser.add_argument("--way", action="append", choices=WAYS)
    parser.add_argument("--backend", action="append", choices=("libev", "libuv"))
    parser.add_argument("--real", action="store_true", help="run the jobs on the real gevent")
    parser.add_argument("--write-page", action="store_true", help="write docs/gevent.md also after a part of the runs")
    parser.add_argument("--scan", action="store_true", help="only look for names that hubcore lacks")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - {job.name for job in every})
    if unknown:
        parser.error(f"there is no job {', '.join(unknown)}; there are {', '.join(job.name for job in every)}")
    wrong = [] if options.names or options.real else scan.missing()
    for line in wrong:
        print(f"name  {line}", flush=True)
    if options.scan:
        return 1 if wrong else 0
    outcomes: list[Outcome] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-", dir="/tmp")))
        prepare(folder)
        services = Services(stack)
        for job in every:
            if options.names and job.name not in options.names:
                continue
            for way in [REAL] if options.real else [way for way in options.way or WAYS if way in job.ways]:
                for backend in options.backend or ("libev", "libuv"):
                    outcome = run(job, Start(way, backend, folder), services)
                    outcomes.append(outcome)
                    if not options.real:
                        keep(outcome)
                    result = "ok  " if outcome.passed else "FAIL"
                    print(f"{result}  {job.name}, {way}, {backend}, {outcome.seconds:.1f} s", flush=True)
                    if not outcome.passed:
                        print("    " + outcome.text[-3000:].replace("\n", "\n    "), flush=True)
    bad = [each for each in outcomes if not each.passed and each.job not in page.KNOWN]
    print(f"{len(outcomes)} jobs, {sum(each.passed for each in outcomes)} passed, {len(bad)} failed unexpectedly")
    if options.write_page or not (options.names or options.way or options.backend or options.real):
        page.write(kept())
    return 1 if bad or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
