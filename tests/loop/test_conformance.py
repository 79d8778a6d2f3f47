"""The published conformance suite runs from outside the tree, and each of its tests says what it is about."""

import ast
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
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_the_suite_passes_on_a_backend_of_plain_python(tmp_path):
    done = conformance(tmp_path, "--hub-backend=select")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 120


def test_every_test_of_the_suite_says_what_a_backend_must_do():
    folder = ROOT / "hubcore" / "testing" / "conformance"
    silent = []
    for path in sorted(folder.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                if not (ast.get_docstring(node) or "").startswith("A backend must "):
                    silent.append(f"{path.name}:{node.lineno} {node.name}")
    assert silent == []
