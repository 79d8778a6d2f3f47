"""The conformance suite fails on each backend of tests/loop/mutants.py: one test on each, the one named there."""

import os
import subprocess
import sys

import pytest

from tests.loop.mutants import load
from tests.support.paths import ROOT


@pytest.mark.hang_after(200)
def test_every_wrong_backend_fails_its_test():
    mutants = load()
    assert len(mutants) > 35
    done = subprocess.run(
        [sys.executable, "-m", "tests.loop.mutants"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == [f"{len(mutants)} mutants; passed: none"], done.stdout + done.stderr
