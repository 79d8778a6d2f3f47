"""Runs one of CPython's test modules in this process: `python -m tests.cpython.child test_ssl [--only PATTERN]`.

Writes each result to a file (or the standard output) as a line of JSON when it is known, so that it also tells how
far a run came that hung or crashed; a test that has its result there already is not run again. `--stdlib` replaces
nothing. For the tests after `patch_all` there is tests.cpython.patched.
"""

import argparse
import faulthandler
import fnmatch
import importlib
import json
import os
import sys
import tempfile
import types
import unittest
from time import monotonic  # by itself: a test may put something else in its place
from typing import Any

# What is replaced, once hubcore has it: the name in the standard library, which is the name in hubcore.
REPLACED = ("socket", "ssl", "select", "selectors", "subprocess")
# Classes, or tests of them, that hang here and there with the standard library, too, or that disturb those behind them.
LEFT_OUT = {
    "test_threading": {
        "ThreadTests.test_PyThreadState_SetAsyncExc_interrupts_sleep": "asks the interpreter for a thread by the ident "
        "of a greenlet; where there is none, a thread is left that sleeps for a day, and the process waits for it",
    },
    "test_socket": {"ThreadedVSOCKSocketStreamTest": "not every virtual machine passes VSOCK on to itself"},
}
# Of regrtest's resources, those that need nothing but time.
RESOURCES = ("cpu", "subprocess", "walltime")
# These ask for the network, and are about 127.0.0.1 but for tests that skip themselves where there is no more.
WITH_NETWORK = ("test_socketserver", "test_timeout")


def replace(names: tuple[str, ...]) -> None:
    """From now on whoever imports one of `names` gets hubcore's module."""
    ours = {}
    for name in names:
        full = f"hubcore.{name}"
        try:
            ours[name] = importlib.import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
    sys.modules.update(ours)
    hurry_workers()


def hurry_workers() -> None:
    """The tests wait for every thread to end; those of hubcore's look-ups stay for longer."""
    from hubcore._base import worker_threads as _worker_threads

    _worker_threads._IDLE_SECONDS = 0.02


def short_name(test: unittest.TestCase) -> str:
    """`Class.test_name`; for what failed outside any test `Class.setUpClass` or the like."""
    name = test.id()
    if "(" in name:  # "setUpClass (test.test_x.Class)", the id of something that is no test
        step, _, where = name.partition(" (")
        return f"{where.rstrip(')').rpartition('.')[2]}.{step}"
    return ".".join(name.split(".")[-2:])


def each_test(suite: Any) -> Any:
    """The test cases of `suite`, however deep they are."""
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from each_test(part)
        else:
            yield part


class Result(unittest.TextTestResult):
    """Tells `write` of each test that has ended, a subtest by its test; `bound` is the seconds that one may take."""

    def __init__(self, *args: Any, write: Any, bound: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._write, self._bound = write, bound
        self._outcome = ("passed", "")
        self._began = 0.0

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        faulthandler.dump_traceback_later(self._bound, exit=True)
        self._outcome = ("passed", "")
        self._began = monotonic()
        self._write({"start": short_name(test)})

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        faulthandler.dump_traceback_later(self._bound, exit=True)  # what comes between two tests may hang, too
        outcome, why = self._outcome
        seconds = round(monotonic() - self._began, 2)
        self._write({"test": short_name(test), "outcome": outcome, "why": why, "seconds": seconds})

    def _set(self, test: Any, outcome: str, why: str) -> None:
        if isinstance(test, unittest.suite._ErrorHolder):
            self._write({"test": short_name(test), "outcome": outcome, "why": why, "seconds": 0.0})
        elif self._outcome[0] != "failed":
            self._outcome = (outcome, why)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._set(test, "failed", self.errors[-1][1])

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._set(test, "failed", self.failures[-1][1])

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            found = self.failures if issubclass(err[0], test.failureException) else self.errors
            self._set(test, "failed", found[-1][1])

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self._set(test, "skipped", reason)

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._set(test, "failed", "succeeded unexpectedly")


def load(name: str) -> types.ModuleType:
    """CPython's test module `name`, which some distributions leave out where it has nothing of its own."""
    try:
        return importlib.import_module(f"test.{name}")
    except ModuleNotFoundError as error:
        if name != "test_multiprocessing_fork" or error.name != f"test.{name}":
            raise
    module = types.ModuleType(f"test.{name}")
    sys.modules[module.__name__] = module
    common: Any = importlib.import_module("test._test_multiprocessing")
    common.install_tests_in_module_dict(vars(module), "fork")
    return module


def tests_of(name: str, only: list[str], known: set[str]) -> unittest.TestSuite:
    """Its tests that match one of `only`, if there are any such, without those `known` already."""
    module = load(name)
    for case, reason in LEFT_OUT.get(name, {}).items():
        of, _, test = case.partition(".")
        skipped = unittest.skip(reason)
        holder = getattr(module, of, None)  # not every Python has each test
        if test and hasattr(holder, test):
            setattr(holder, test, skipped(getattr(holder, test)))
        elif not test and holder is not None:
            skipped(holder)
    suite = unittest.TestSuite()
    for test in each_test(unittest.TestLoader().loadTestsFromModule(module)):
        short = short_name(test)
        if short not in known and (not only or any(fnmatch.fnmatch(short, pattern) for pattern in only)):
            suite.addTest(test)
    return suite


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="of Class.test; several may be")
    parser.add_argument("--stdlib", action="store_true", help="replace nothing")
    parser.add_argument("--patched", action="store_true", help="replace nothing: patch_all has been called")
    parser.add_argument("--results", help="the file that the results are added to")
    parser.add_argument("--bound", type=float, default=90.0, help="seconds that one test may take")
    parser.add_argument("-v", action="store_true")
    arguments = parser.parse_args()
    faulthandler.dump_traceback_later(arguments.bound, exit=True)
    known: set[str] = set()
    output = sys.stdout
    if arguments.results:
        output = open(arguments.results, "a+")  # noqa: SIM115 # until the end of the process
        output.seek(0)
        known = {found["test"] for found in map(json.loads, output) if "test" in found}
    process = os.getpid()

    def write(found: dict[str, Any]) -> None:
        if os.getpid() == process:  # not in a child that a test has forked and that came as far as this
            print(json.dumps(found), file=output, flush=True)

    if arguments.patched:
        hurry_workers()
    elif not arguments.stdlib:
        replace(REPLACED)
    from test import support

    support.use_resources = (*RESOURCES, "network") if arguments.name in WITH_NETWORK else RESOURCES
    support.verbose = 0
    os.chdir(tempfile.mkdtemp(prefix="cpython-tests-"))
    try:
        tests = tests_of(arguments.name, arguments.only, known)
    except unittest.SkipTest as skipped:
        print(f"{arguments.name} is skipped: {skipped}", file=sys.stderr)
        tests = unittest.TestSuite()
    runner = unittest.TextTestRunner(
        sys.stderr,
        verbosity=2 if arguments.v else 0,
        resultclass=lambda *args: Result(*args, write=write, bound=arguments.bound),
    )
    runner.run(tests)
    write({"end": True})
    faulthandler.dump_traceback_later(arguments.bound, exit=True)  # for what the interpreter does at its end


if __name__ == "__main__":
    main()
