"""The runner of CPython's own tests: what it replaces, and what it makes of a result."""

import subprocess
import sys
import tomllib

import pytest

from tests.cpython.__main__ import EXPECTED, ROOT, Outcome, judge

pytest.importorskip("test.test_ssl", reason="needs CPython's own tests (Debian: apt-get install libpython3-testsuite)")

REASONS = {"Class.test_known": "because"}


@pytest.mark.parametrize(
    ("passed", "failed", "anyway", "wrong"),
    [
        ({"Class.test_one"}, {}, set(), []),
        (set(), {"Class.test_known": "..."}, set(), []),
        (set(), {"Class.test_one": "..."}, {"Class.test_one"}, []),
        (set(), {"Class.test_one": "Traceback"}, set(), ["test_x: Class.test_one failed:\nTraceback"]),
        ({"Class.test_known"}, {}, set(), ["test_x: Class.test_known passes; take it out of expected.toml"]),
    ],
    ids=["passed", "failed as expected", "failed anyway", "failed", "passed unexpectedly"],
)
def test_what_a_result_comes_to(passed, failed, anyway, wrong):
    assert judge("test_x", Outcome(frozenset(passed), failed, 0), REASONS, frozenset(anyway)) == wrong


def test_every_expected_failure_has_a_reason():
    for tests in tomllib.loads(EXPECTED.read_text()).values():
        assert all(isinstance(reason, str) and reason for reason in tests.values())


def test_the_modules_are_replaced():
    code = (
        "from tests.cpython.child import REPLACED, replace; replace(REPLACED)\n"
        "import ssl, socket, http.client\n"
        "print(ssl.__name__, socket.__name__, http.client.socket.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["hubcore.ssl", "hubcore.socket", "hubcore.socket"]


@pytest.mark.slow
def test_some_of_cpythons_tests_of_ssl_pass():
    command = [sys.executable, "-m", "tests.cpython.child", "test_ssl", "-m", "SimpleBackgroundTests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert '"failed": {}' in done.stdout.splitlines()[-1], done.stderr[-3000:]
