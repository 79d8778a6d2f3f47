"""A soak: greenlets wait for fds that are closed, replaced, copied and nested at random; hubs end, processes fork."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

SEEDS = int(os.environ.get("SOAK_SEEDS", "40"))
STEPS = 400


def soak(backend, seed, steps, *prefix):
    environment = {**os.environ, "HUB_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    command = [*prefix, sys.executable, "-X", "faulthandler", "-m", "tests.support.fd_soak", str(seed), str(steps)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)


def test_a_few_steps(hub_backend):
    for seed in range(3):
        done = soak(hub_backend, seed, 100)
        assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", ""), f"seed {seed}: {done}"


@pytest.mark.soak
def test_many_steps(hub_backend):
    for seed in range(SEEDS):
        done = soak(hub_backend, seed, STEPS)
        assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", ""), f"seed {seed}: {done}"


@pytest.mark.soak
def test_valgrind_sees_no_bad_access(hub_backend, tmp_path):
    """With the C heap in place of Python's, in which a bad access would stay hidden."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    if hub_backend == "virtual":
        pytest.skip("its loop is written in Python")
    log = tmp_path / "log"
    prefix = ["env", "PYTHONMALLOC=malloc", "valgrind", "--quiet", "--error-exitcode=9", "--undef-value-errors=no"]
    done = soak(hub_backend, 1, 60, *prefix, "--child-silent-after-fork=yes", f"--log-file={log}")
    # "--" begins a warning: valgrind knows no pidfd_open(2).
    errors = [line for line in log.read_text().splitlines() if not line.startswith("--")]
    assert (done.returncode, done.stdout, errors) == (0, "fine\n", [])
