"""Runs CPython's own tests with hubcore's modules in place of the standard library's.

    python -m tests.cpython test_ssl test_socket

Each module runs in a process of its own. A test may fail if expected.toml gives the reason, or if it fails here with
the standard library as well. A test that is listed there and passes is an error too.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXPECTED = HERE / "expected.toml"
BOUND = 900.0  # seconds for one module


@dataclass(frozen=True)
class Outcome:
    """What one run of a module came to."""

    passed: frozenset[str]
    failed: dict[str, str]  # each with its traceback
    skipped: int


def run(name: str, *options: str) -> Outcome:
    """The module's tests in a process of their own; RuntimeError if that did not come to its end."""
    command = [sys.executable, "-m", "tests.cpython.child", name, "--timeout", str(BOUND), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=BOUND + 60)
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise RuntimeError(f"{name} ended with {done.returncode}:\n{done.stderr[-3000:]}") from None
    return Outcome(frozenset(found["passed"]), found["failed"], found["skipped"])


def judge(name: str, outcome: Outcome, expected: dict[str, str], fails_anyway: frozenset[str]) -> list[str]:
    """What is wrong with `outcome`, one text each."""
    wrong = [
        f"{name}: {test} failed:\n{traceback}"
        for test, traceback in outcome.failed.items()
        if test not in expected and test not in fails_anyway
    ]
    return wrong + [
        f"{name}: {test} passes; take it out of {EXPECTED.name}" for test in sorted(outcome.passed & set(expected))
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME")
    expected = tomllib.loads(EXPECTED.read_text())
    status = 0
    for name in parser.parse_args().names:
        reasons = expected.get(name, {})
        try:
            outcome = run(name)
            unknown = set(outcome.failed) - set(reasons)
            patterns = [word for test in sorted(unknown) for word in ("-m", test)]
            fails_anyway = frozenset(run(name, "--stdlib", *patterns).failed) if unknown else frozenset()
        except RuntimeError as error:
            print(error)
            status = 1
            continue
        wrong = judge(name, outcome, reasons, fails_anyway)
        print(
            f"{name}: {len(outcome.passed)} passed, {outcome.skipped} skipped,"
            f" {len(set(outcome.failed) & set(reasons))} failed for a known reason,"
            f" {len(unknown & fails_anyway)} with the standard library too, {len(unknown - fails_anyway)} otherwise"
        )
        for text in wrong:
            print(text)
        status |= bool(wrong)
    return status


if __name__ == "__main__":
    sys.exit(main())
