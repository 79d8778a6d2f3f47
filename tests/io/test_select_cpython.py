"""CPython's own tests of select and selectors, with hubcore's modules in place of the standard library's."""

import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor

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

def run(tests):
    result = unittest.TextTestRunner(sys.stderr, verbosity=0).run(tests)
    return result, [getattr(test, "test_case", test) for test, _ in result.failures + result.errors]

result, failed = run(unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module("test.NAME")))
if failed and all(isinstance(test, unittest.TestCase) for test in failed):
    # Some measure time. What a busy machine disturbed succeeds by itself.
    _, failed = run(unittest.TestSuite(failed))
failed = [test.id().removeprefix("test.NAME.") for test in failed]
print(json.dumps({"ran": result.testsRun - len(result.skipped), "failed": failed}))
"""

pytestmark = [pytest.mark.slow, pytest.mark.together, pytest.mark.hang_after(300)]


def missing(name):
    return importlib.util.find_spec("test") is None or importlib.util.find_spec(f"test.{name}") is None


@pytest.fixture(scope="module")
def runs(request):
    """What is to come of each module on each backend. All run at once, since most of the time they sleep."""
    items = [item for item in request.session.items if item.path == request.path]
    wanted = {(item.callspec.params["name"], item.callspec.params["hub_backend"]) for item in items}
    wanted = [(name, backend) for name, backend in sorted(wanted) if backend != "virtual" and not missing(name)]
    with ThreadPoolExecutor(max(1, len(wanted))) as pool:
        yield {
            (name, backend): pool.submit(run_python, RUN.replace("NAME", name), backend, timeout=280)
            for name, backend in wanted
        }


@pytest.mark.parametrize("name", EXPECTED)
def test_they_succeed(name, hub_backend, runs):
    if hub_backend == "virtual":
        pytest.skip("about real time")
    if missing(name):
        pytest.skip("this Python came without its tests")
    done = runs[name, hub_backend].result()
    result = json.loads(done.stdout.splitlines()[-1])
    assert set(result["failed"]) == EXPECTED[name], done.stderr
    assert result["ran"] > 5
