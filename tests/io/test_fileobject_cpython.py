"""CPython's own tests of files, with hubcore's files in place of those that `open` makes."""

import importlib.util
import json

import pytest

from hubcore.testing import run_python

RUN = """
import json, os, sys, tempfile, unittest
from hubcore import fileobject

os.chdir(tempfile.mkdtemp())
if sys.version_info >= (3, 15):
    from test.test_io import test_file, test_univnewlines
else:
    from test import test_file, test_univnewlines

kind = getattr(fileobject, "KIND")

def open_ours(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True):
    return kind(file, mode, buffering, closefd, encoding, errors, newline)

suite = unittest.TestSuite()
for module in (test_file, test_univnewlines):
    for name, found in vars(module).items():
        if name[0] == "C" and isinstance(found, type) and issubclass(found, unittest.TestCase):
            ours = type(name, (found,), {"open": staticmethod(open_ours)})
            suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(ours))
result = unittest.TextTestRunner(sys.stderr, verbosity=0).run(suite)
failed = [test.id() for test, _ in result.failures + result.errors]
print(json.dumps({"ran": result.testsRun - len(result.skipped), "failed": failed}))
"""


def _there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # test.test_io is a module of its own until CPython 3.14
        return False


@pytest.mark.parametrize("kind", ["FileObjectPosix", "FileObjectThread", "FileObjectBlock"])
def test_they_succeed(kind, hub_backend):
    if not _there("test.test_file") and not _there("test.test_io.test_file"):
        pytest.skip("this Python came without its tests")
    done = run_python(RUN.replace("KIND", kind), hub_backend)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["failed"] == [], done.stderr
    assert result["ran"] > 25
