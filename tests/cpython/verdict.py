"""What an outcome is worth beside that of the standard library on the same Python."""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.cpython.run import Job, Outcome

EXPECTED = Path(__file__).resolve().parent / "expected.toml"


@dataclass(frozen=True)
class Reason:
    """Why the tests that match `pattern` may fail, and where: everywhere, or on some Pythons or backends only."""

    pattern: str
    text: str
    pythons: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    sometimes: bool = False  # it may also pass

    def covers(self, test: str) -> bool:
        return fnmatchcase(test, self.pattern)

    def holds(self, job: Job) -> bool:
        return (not self.pythons or job.python.short in self.pythons) and (
            not self.backends or job.backend in self.backends
        )


def reasons(tables: dict[str, Any], mode: str, name: str) -> list[Reason]:
    """Those that `tables` has for a module; of a module of a package also those of the package."""
    tables = tables.get("patched", {}) if mode == "patched" else tables
    found = []
    for key in {name, name.partition(".")[0]}:
        for pattern, given in tables.get(key, {}).items():
            entry = {"reason": given} if isinstance(given, str) else dict(given)
            text = entry.pop("reason")
            found.append(Reason(pattern, text, **{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}))
    return found


def expected() -> dict[str, Any]:
    """The tables of expected.toml."""
    return tomllib.loads(EXPECTED.read_text())


@dataclass(frozen=True)
class Verdict:
    """An outcome beside the standard library's."""

    job: Job
    outcome: Outcome
    of: int  # how many pass on the standard library
    good: int  # how many of these pass here
    explained: dict[str, Reason]  # those that do not, with their reasons
    wrong: dict[str, str]  # those without one, with their tracebacks
    stale: tuple[str, ...]  # patterns of reasons that nothing fails for

    @property
    def score(self) -> float:
        """The share of what passes on the standard library that passes here."""
        return self.good / self.of if self.of else 1.0


def judge(job: Job, outcome: Outcome, baseline: Outcome, known: list[Reason]) -> Verdict:
    """What `outcome` is worth."""
    passed = set(outcome.passed)
    lost = [test for test in baseline.passed if test not in passed]
    explained: dict[str, Reason] = {}
    wrong: dict[str, str] = {}
    known = [reason for reason in known if reason.holds(job)]
    for test in lost:
        reason = next((reason for reason in known if reason.covers(test)), None)
        if reason is not None:
            explained[test] = reason
        elif test in outcome.failed:
            wrong[test] = outcome.failed[test]
        else:
            wrong[test] = "skipped" if test in outcome.skipped else "not run"
    if outcome.broken:
        wrong[job.name] = outcome.broken
    stale = tuple(
        reason.pattern
        for reason in known
        if not reason.sometimes
        and any(reason.covers(test) for test in passed)
        and not any(reason.covers(test) for test in lost)
    )
    good = len(baseline.passed) - len(lost)
    return Verdict(job, outcome, len(baseline.passed), good, explained, wrong, stale)
