"""Runs the suite in two pytest processes at a time on two or more cores, and reports the result in one line.

    python -m tests.parts --hub-backend=all    passes the arguments to each pytest
    PARTS=3 python -m tests.parts              runs three processes; with 1, plain pytest

    python -m pytest -p tests.parts --part=2/2 --hub-backend=all    runs one of the parts

The place of a test among the collected ones decides its part. So each run of the same tests splits them alike, and
neighbours, which tend to take a similar time, go to different parts. Tests marked `together` share a costly fixture:
those of one file stay in one part. Each process is a whole pytest with its own hubs, watchdog and leak checks. The
output of the first appears at once, that of each other process when it has ended. The run fails if a process dies, or
if the parts did not collect the same tests, because some tests may then have run in no part.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

MOST = 2  # processes, unless PARTS says otherwise; some tests are about real time
CLOSING = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "warnings", "error")  # in pytest's order
NOTHING_COLLECTED = int(pytest.ExitCode.NO_TESTS_COLLECTED)


# In each pytest.


def pytest_addoption(parser):
    """The options --part and --part-report."""
    group = parser.getgroup("parts")
    group.addoption("--part", metavar="I/N", type=part_named, help="run only the I-th of N parts of what is collected")
    group.addoption("--part-report", metavar="FILE", help="write there what came of it")


def part_named(text):
    """The number and the count in `text`, such as 1/2."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ValueError
    return int(number), int(count)


def place(index, count):
    """The part, from 0, of the test at `index`: of each `count` neighbours every part has one, in changing order.

    Tests of three backends, or with a slow and a fast variant, come in such a rhythm that taking turns would give one
    part all of the slow ones.
    """
    return (index + zlib.crc32(b"%d" % (index // count))) % count


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Leave only this part's tests."""
    if config.getoption("part") is None:
        return
    number, count = config.getoption("part")
    config.stash[_collected] = hashlib.sha256("\n".join(item.nodeid for item in items).encode()).hexdigest()
    mine = []
    for index, item in enumerate(items):
        together = item.get_closest_marker("together") is not None
        if (zlib.crc32(item.path.name.encode()) % count if together else place(index, count)) == number - 1:
            mine.append(item)
    items[:] = mine


_collected = pytest.StashKey[str]()


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    """Write the report."""
    if config.getoption("part_report") is not None:
        counts = {
            category: sum(getattr(report, "count_towards_summary", True) for report in reports)
            for category, reports in terminalreporter.stats.items()
            if category in CLOSING
        }
        report = {"status": int(exitstatus), "collected": config.stash.get(_collected, ""), "counts": counts}
        Path(config.getoption("part_report")).write_text(json.dumps(report))


# In the process that starts them.


class Outcome(NamedTuple):
    """What came of the parts."""

    status: int
    closing: str


def sum_up(statuses, reports, seconds):
    """Put together each process's exit status and what it reported, None where it did not get to that."""
    counts, wrong = Counter(), []
    for number, (status, report) in enumerate(zip(statuses, reports, strict=True), 1):
        counts.update(report["counts"] if report else {})
        if report is None or report["status"] != status:
            wrong.append(f"part {number} ended with status {status}{'' if report else ' before its time'}")
    if len({report["collected"] for report in reports if report}) > 1:
        wrong.append("the parts collected different tests, so some may have run in none")
    bad = [status for status in statuses if status not in (0, NOTHING_COLLECTED)]
    if wrong:
        status = 1
        counts["error"] += len(wrong)
    elif bad:
        status = max(bad)
    else:
        status = 0 if 0 in statuses else NOTHING_COLLECTED
    words = [f"{counts[category]} {plural(category, counts[category])}" for category in CLOSING if counts[category]]
    clock = f" ({int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02})" if seconds >= 60 else ""
    closing = f"{', '.join(words) or 'no tests ran'} in {seconds:.2f}s{clock}"
    return Outcome(status, "\n".join([*(f"ERROR: {each}" for each in wrong), closing]))


def plural(category, count):
    """As pytest's own closing line has it."""
    if category == "error":
        return "error" if count == 1 else "errors"
    return "warning" if (category, count) == ("warnings", 1) else category


def main(arguments):
    """Run the parts with `arguments`; the exit status."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = int(os.environ.get("PARTS") or min(MOST, cores))
    command = [sys.executable, "-m", "pytest", *arguments]
    if count == 1:
        os.execv(sys.executable, command)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        reports = [Path(folder, f"{number}.json") for number in range(count)]
        outputs = [stack.enter_context(Path(folder, f"{number}.txt").open("w+b")) for number in range(count)]
        processes = []
        for number, (report, output) in enumerate(zip(reports, outputs, strict=True)):
            part = ["-p", "tests.parts", f"--part={number + 1}/{count}", f"--part-report={report}"]
            shown = output if number else None
            processes.append(subprocess.Popen([*command, *part], stdin=subprocess.DEVNULL, stdout=shown, stderr=shown))
        for number, (process, output) in enumerate(zip(processes, outputs, strict=True)):
            wait(process)
            if number:
                print(f"\npart {number + 1} of {count}:", flush=True)
                output.seek(0)
                shutil.copyfileobj(output, sys.stdout.buffer)
                sys.stdout.flush()
        told = [json.loads(path.read_text()) if path.exists() else None for path in reports]
    outcome = sum_up([process.returncode for process in processes], told, time.monotonic() - began)
    print(f"\nin {count} parts:\n{outcome.closing}")
    return outcome.status


def wait(process):
    """Until it ends. Ctrl-C reaches the parts, too, which end by it and tell what they have."""
    while True:
        try:
            process.wait()
            return
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
