"""CPython's own tests of select and selectors, with hubcore's modules in place of the standard library's."""

import importlib.util
import json

import pytest

from hubcore.testing import run_python

# By its test module, what does not succeed and need not.
EXPECTED = {
    "test_select": set(),
    "test_poll": set(),
    "test_epoll": set(),
    "test_selectors": set(),
}

RUN = """
import importlib, json, sys, unittest
from hubcore import select, selectors
sys.modules.update(select=select, selectors=selectors)
from test import support
support.verbose = 0
tests = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module("test.NAME"))
result = unittest.TextTestRunner(sys.stderr, verbosity=0).run(tests)
failed = [test.id().removeprefix("test.NAME.") for test, _ in result.failures + result.errors]
print(json.dumps({"ran": result.testsRun - len(result.skipped), "failed": failed}))
"""


@pytest.mark.slow
@pytest.mark.hang_after(200)
@pytest.mark.parametrize("name", EXPECTED)
def test_they_succeed(name, hub_backend):
    if hub_backend == "virtual":
        pytest.skip("about real time")
    if importlib.util.find_spec("test") is None or importlib.util.find_spec(f"test.{name}") is None:
        pytest.skip("this Python came without its tests")
    done = run_python(RUN.replace("NAME", name), hub_backend, timeout=180)
    result = json.loads(done.stdout.splitlines()[-1])
    assert set(result["failed"]) == EXPECTED[name], done.stderr
    assert result["ran"] > 5
