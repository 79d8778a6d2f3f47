"""Runs one of CPython's test modules in this process: `python -m tests.cpython.child test_ssl [-m PATTERN] [--stdlib]`.

The last line of the output is JSON: which tests passed, how many were skipped, the traceback of each that failed.
"""

import argparse
import faulthandler
import importlib
import json
import sys
import unittest
from typing import Any

# What is replaced, once hubcore has it: the name in the standard library, which is the name in hubcore.
REPLACED = ("socket", "ssl", "select", "selectors")
# What hangs here and there with the standard library, too.
LEFT_OUT = {"test_socket": {"ThreadedVSOCKSocketStreamTest": "not every virtual machine passes VSOCK on to itself"}}


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
    from hubcore import _workers

    _workers._IDLE_SECONDS = 0.02  # the tests wait for every thread to end; those of look-ups stay for longer


def short_name(test: unittest.TestCase) -> str:
    """`Class.test_name`; for what failed outside any test, whatever it says of itself."""
    return ".".join(test.id().split(".")[-2:])


class Result(unittest.TextTestResult):
    """Knows a test by its class and name, and a subtest by its test."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.passed: list[str] = []

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self.passed.append(short_name(test))

    def failed(self) -> dict[str, str]:
        """Each test that failed, with its first traceback."""
        failed: dict[str, str] = {}
        for test, traceback in (*self.failures, *self.errors):
            whole = getattr(test, "test_case", test)
            failed.setdefault(short_name(whole), traceback)
        failed.update({short_name(test): "succeeded unexpectedly" for test in self.unexpectedSuccesses})
        return failed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("-m", dest="patterns", action="append", help="only tests whose name matches")
    parser.add_argument("--stdlib", action="store_true", help="replace nothing")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("--timeout", type=float, default=900.0)
    arguments = parser.parse_args()
    faulthandler.dump_traceback_later(arguments.timeout, exit=True)
    if not arguments.stdlib:
        replace(REPLACED)
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{pattern}*" for pattern in arguments.patterns] if arguments.patterns else None
    module = importlib.import_module(f"test.{arguments.name}")
    for case, reason in LEFT_OUT.get(arguments.name, {}).items():
        unittest.skip(reason)(getattr(module, case))
    tests = loader.loadTestsFromModule(module)
    runner = unittest.TextTestRunner(sys.stderr, verbosity=2 if arguments.v else 1, resultclass=Result)
    result = runner.run(tests)
    assert isinstance(result, Result)
    print(json.dumps({"passed": result.passed, "skipped": len(result.skipped), "failed": result.failed()}))


if __name__ == "__main__":
    main()
