"""CPython's own tests of files, with hubcore's files in place of those that `open` makes."""

import importlib.util
import json

import pytest

from hubcore.testing import run_python

RUN = """
import json, os, sys, tempfile, unittest
from hubcore import fileobject

os.chdir(tempfile.mkdtemp())
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


@pytest.mark.parametrize("kind", ["FileObjectPosix", "FileObjectThread", "FileObjectBlock"])
def test_they_succeed(kind, hub_backend):
    if importlib.util.find_spec("test") is None or importlib.util.find_spec("test.test_file") is None:
        pytest.skip("this Python came without its tests")
    done = run_python(RUN.replace("KIND", kind), hub_backend)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["failed"] == [], done.stderr
    assert result["ran"] > 25
