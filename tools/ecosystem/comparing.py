"""Compares a suite on hubcore with the plain run, test by test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tools.ecosystem.projects import Project
from tools.ecosystem.running import Outcomes


@dataclass
class Comparison:
    """What became, on one backend, of the tests that pass plain."""

    ran: int = 0  # tests that pass plain
    same: int = 0
    skipped: list[str] = field(default_factory=list)  # the test itself declined
    unsteady: list[str] = field(default_factory=list)  # failed once, and then passed, or fails plain at times, too
    explained: dict[str, str] = field(default_factory=dict)  # why it fails
    differing: list[str] = field(default_factory=list)  # fails each time, and passes plain each time


def compare(
    project: Project, plain: Outcomes, patched: Outcomes, again: Callable[[list[str]], tuple[Outcomes, Outcomes]]
) -> Comparison:
    """Compare two runs. `again(tests)` runs a few tests once more, and returns the outcomes plain and patched."""
    passing = [test for test, outcome in plain.items() if outcome == "passed"]
    result = Comparison(ran=len(passing))
    suspects = []
    for test in passing:
        outcome = patched.get(test, "missing")
        reason = project.reason(test)
        if outcome == "passed":
            result.same += 1
        elif outcome == "skipped":
            result.skipped.append(test)
        elif reason is not None:
            result.explained[test] = reason
        else:
            suspects.append(test)
    if suspects:
        plain_again, patched_again = again(suspects)
        for test in suspects:
            # Of many suspects only some were run again; the others count as steady.
            steady = plain_again.get(test, "passed") == "passed" and patched_again.get(test) != "passed"
            (result.differing if steady else result.unsteady).append(test)
    return result
