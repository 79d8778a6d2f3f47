"""Runs one test module on one Python with one backend, and keeps what came of it.

A run that hangs or crashes in a test goes on behind it, in a new process. What failed is tried a second time by
itself: what succeeds then was disturbed by another test or by the machine's other work.
"""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.cpython.suites import LEFT_OUT, REPLACED, SHARES

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RESULTS = ROOT / "build" / "cpython-tests"
RESTARTS = 24  # a module that hangs or crashes more often than that is given up
TRIED_AGAIN = 40  # more failures than that are no accident


@dataclass(frozen=True)
class Python:
    """An interpreter with hubcore."""

    path: str
    version: str  # such as 3.13.0

    @property
    def short(self) -> str:
        return self.version.rpartition(".")[0]


@dataclass(frozen=True)
class Job:
    """A test module, where and how it runs: `mode` is stdlib (then there is no backend), replaced or patched."""

    name: str
    python: Python
    mode: str
    backend: str = ""

    @property
    def file(self) -> Path:
        """Where its outcome is kept."""
        return RESULTS / self.python.version / f"{self.mode}-{self.backend}".rstrip("-") / f"{self.name}.json"


@dataclass
class Outcome:
    """What one run of a module came to."""

    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)  # each with its traceback
    skipped: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)  # those of `passed` that needed a second try
    seconds: float = 0.0
    broken: str = ""  # why the module did not come to its end, if so


def python_at(path: str) -> Python:
    """The interpreter at `path`."""
    code = "import platform; print(platform.python_version())"
    return Python(path, subprocess.run([path, "-c", code], capture_output=True, text=True, check=True).stdout.strip())


def modules_of(python: Python, names: list[str]) -> list[str]:
    """Those of the test modules `names` that `python` has; instead of a package its modules."""
    code = (
        "import sys, pathlib, test\n"
        "here = pathlib.Path(test.__file__).parent\n"
        "for name in sys.argv[1:]:\n"
        "    parts = sorted(here.joinpath(name).glob('test_*.py'))\n"
        "    if parts: print(*(f'{name}.{part.stem}' for part in parts), sep='\\n')\n"
        "    else:\n"
        "        file = here.joinpath(*name.split('.')).with_suffix('.py')\n"
        "        if file.exists() or name == 'test_multiprocessing_fork': print(name)\n"
    )
    done = subprocess.run([python.path, "-c", code, *names], capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split() if name not in LEFT_OUT]


def load(job: Job) -> Outcome | None:
    """What is kept of `job`, if anything."""
    return Outcome(**json.loads(job.file.read_text())) if job.file.exists() else None


def run(job: Job, only: list[str], bound: float, known: Callable[[str], bool] = lambda test: False) -> Outcome:
    """The tests of `job` that match one of `only`, all without; `bound` is the seconds that one test may take.

    What fails is tried again, unless it is `known` to.
    """
    outcome = _through(job, only or list(SHARES.get(job.name, ())), bound)
    doubtful = sorted(test for test in outcome.failed if not known(test))
    if doubtful and len(doubtful) <= TRIED_AGAIN and job.mode != "stdlib":
        second = _through(job, doubtful, bound)
        for test in set(second.passed) & set(outcome.failed):
            del outcome.failed[test]
            outcome.passed.append(test)
            outcome.again.append(test)
    outcome.passed.sort()
    if not only:
        job.file.parent.mkdir(parents=True, exist_ok=True)
        job.file.write_text(json.dumps(asdict(outcome), indent=1))
    return outcome


def _through(job: Job, only: list[str], bound: float) -> Outcome:
    """Run it until each test has its result."""
    with tempfile.TemporaryDirectory(prefix="cpython-tests-") as folder:
        results = Path(folder, "results")
        results.touch()
        broken = ""
        for _ in range(RESTARTS):
            status, said = _process(job, only, bound, folder)
            found = [json.loads(line) for line in results.read_text().splitlines()]
            if found and "end" in found[-1]:
                if status:
                    broken = f"the process ended with {status} after the tests:\n{said}"
                break
            test = _unfinished(found)
            if test is None:
                broken = f"the process ended with {status} between two tests:\n{said}"
                break
            why = f"the process ended with {status} in it:\n{said}"
            with results.open("a") as file:
                print(json.dumps({"test": test, "outcome": "failed", "why": why, "seconds": bound}), file=file)
        else:
            broken = f"given up: it hung or crashed {RESTARTS} times"
        found = [json.loads(line) for line in results.read_text().splitlines()]
    return _outcome(found, broken)


def _unfinished(found: list[dict[str, Any]]) -> str | None:
    started = ""
    for each in found:
        if "start" in each:
            started = each["start"]
        elif each.get("test") == started:
            started = ""
    return started or None


def _outcome(found: list[dict[str, Any]], broken: str) -> Outcome:
    outcome = Outcome(broken=broken)
    by_kind: dict[str, set[str]] = {"passed": set(), "failed": set(), "skipped": set()}
    for each in found:
        if "test" in each:
            by_kind[each["outcome"]].add(each["test"])
            outcome.seconds += each["seconds"]
            if each["outcome"] == "failed":
                outcome.failed.setdefault(each["test"], each["why"])
    # Two tests of one name: the worse counts.
    outcome.passed = sorted(by_kind["passed"] - by_kind["failed"])
    outcome.skipped = sorted(by_kind["skipped"] - by_kind["failed"] - by_kind["passed"])
    return outcome


def _process(job: Job, only: list[str], bound: float, folder: str) -> tuple[int, str]:
    """One process of the tests: its status, and what it said last. Nothing that it started is left."""
    child = "tests.cpython.patched" if job.mode == "patched" else "tests.cpython.child"
    command = [job.python.path, "-m", child, job.name, "--results", f"{folder}/results", "--bound", str(bound)]
    command += [word for pattern in only for word in ("--only", pattern)]
    if job.mode == "stdlib":
        command.append("--stdlib")
    environment = {**os.environ, "TMPDIR": folder, "HUB_BACKEND": job.backend or "libev"}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            status = process.wait(bound + 3600)
        except subprocess.TimeoutExpired:
            status = 1
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        said.seek(0)
        text = said.read().decode(errors="replace")
    return status, text[-4000:]


__all__ = ["REPLACED", "RESULTS", "ROOT", "Job", "Outcome", "Python", "load", "modules_of", "python_at", "run"]
