"""Runs a suite in one way, and reads what became of each test."""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path

from tools.ecosystem.projects import Project

WAYS = ("plain", "libev", "libuv")
TEST_SECONDS = 120  # of one test, as pytest-timeout counts
SUITE_SECONDS = 1800


class Outcomes(dict[str, str]):
    """Test -> "passed", "failed" or "skipped", of one run."""

    def count(self, what: str) -> int:
        """Return how many tests have this outcome."""
        return sum(each == what for each in self.values())


def run(
    project: Project, source: Path, python: Path, way: str,
    only: Iterable[str] = (),
) -> tuple[Outcomes, str]:  # fmt: skip
    """Run the suite, or `only` these tests of it; return the outcomes and the end of the output."""
    report = source.with_name(f"{way}.xml")
    report.unlink(missing_ok=True)
    run_it = ["-m", "hubcore", "run"] if way != "plain" else []
    command = [
        str(python), *run_it, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1",
        f"--junitxml={report}", f"--timeout={TEST_SECONDS}", *project.options, *(list(only) or project.tests),
    ]  # fmt: skip
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "HUB_", "HUBCORE_"))}
    env |= project.env
    if way != "plain":
        env["HUB_BACKEND"] = way
    log = source.with_name(f"{way}.log")
    with log.open("w") as output:
        try:
            subprocess.run(
                command, cwd=source, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                timeout=SUITE_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            output.write(f"\nthe suite was ended after {SUITE_SECONDS} seconds\n")
    return read_report(report), "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def read_report(report: Path) -> Outcomes:
    """Return the outcomes in a JUnit file, none if it is missing. A test that both failed and errored failed."""
    outcomes = Outcomes()
    if not report.exists():
        return outcomes
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        name = _node_id(case)
        if outcomes.get(name) != "failed":
            outcomes[name] = outcome
    return outcomes


def _node_id(case: ElementTree.Element) -> str:
    """The name by which pytest takes the test: file::Class::name."""
    file, of_class, name = case.get("file"), case.get("classname") or "", case.get("name") or ""
    if not file:
        return f"{of_class}::{name}"
    module = file.removesuffix(".py").replace("/", ".")
    classes = of_class.removeprefix(module).strip(".").split(".") if of_class.startswith(module) else []
    return "::".join([file, *(each for each in classes if each), name])
