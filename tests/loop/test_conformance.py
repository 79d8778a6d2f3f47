"""The published conformance suite runs against a third party's backend."""

import os
import re
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.hang_after(150)


def conformance(folder, *arguments):
    """Run the suite as the author of a backend does, from a folder that is not the tree."""
    command = [sys.executable, "-m", "pytest", "-p", "hubcore.testing.plugin", "-p", "no:cacheprovider"]
    command += ["--pyargs", "hubcore.testing.conformance", "-q", "-W", "error", *arguments]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("backend", ["example_backend:ExampleLoop", "select"])
def test_the_suite_passes_on_a_backend_of_plain_python(tmp_path, backend):
    done = conformance(tmp_path, f"--hub-backend={backend}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 100


def test_a_backend_that_breaks_the_contract_does_not_pass(tmp_path):
    (tmp_path / "broken_backend.py").write_text(
        "from hubcore.backends.select_ import SelectLoop\n"
        "class EarlyLoop(SelectLoop):\n"
        "    def run_pass(self, block):\n"
        "        self.deadlines.fire_due(self.clock() + 0.01)\n"
        "        super().run_pass(block)\n"
    )
    done = conformance(tmp_path, "--hub-backend=broken_backend:EarlyLoop", "-k", "never_fires_early")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "test_a_timer_never_fires_early[broken_backend:EarlyLoop-0.0015]" in done.stdout
