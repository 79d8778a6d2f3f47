"""Runs the rounds: within each, the variants of a case one after the other (A B C, A B C), each in a fresh process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.contenders import CONTENDERS
from benchmarks.measure import median
from benchmarks.model import ROOT, Case, Settings

SAMPLE_TIMEOUT = 40.0
Take = Callable[[str, str], dict[str, object]]  # (case, variant) to the worker's answer


class UnknownName(Exception):
    """A name on the command line that is none of ours; the message lists the right ones."""


@dataclass
class Outcome:
    """All samples of one variant in one case."""

    values: list[float] = field(default_factory=list)
    extras: list[dict[str, object]] = field(default_factory=list)
    error: str = ""

    @property
    def median(self) -> float | None:
        return median(self.values) if self.values else None

    def figures(self, key: str) -> list[float]:
        """What the samples say of `key` beside their value."""
        found = [extra.get(key) for extra in self.extras]
        return [float(figure) for figure in found if isinstance(figure, int | float)]


Outcomes = dict[str, dict[str, Outcome]]  # by case and variant


def medians(outcomes: Mapping[str, Mapping[str, Outcome]]) -> dict[str, dict[str, float]]:
    return {
        case: {name: outcome.median for name, outcome in variants.items() if outcome.median is not None}
        for case, variants in outcomes.items()
    }


def choose_cases(names: Sequence[str], cases: Mapping[str, Case]) -> dict[str, Case]:
    """The named cases in the package's order, all of them if none is named. "pingpong" names both its sizes."""
    for name in names:
        if not _meant([name], cases):
            raise UnknownName(f"unknown case {name!r}; there are: {', '.join(cases)}")
    return {key: cases[key] for key in _meant(names, cases)} if names else dict(cases)


def choose_variants(names: Sequence[str], case: Case) -> list[str]:
    """The variants of `case` that the names mean: "hubcore" both backends, "uvloop" both its styles if it has any."""
    return _meant(names, case.variants) if names else list(case.variants)


def check_contenders(names: Iterable[str], cases: Mapping[str, Case]) -> None:
    known = dict.fromkeys([*CONTENDERS, *(variant for case in cases.values() for variant in case.variants)])
    for name in names:
        if not _meant([name], known):
            raise UnknownName(f"unknown contender {name!r}; there are: {', '.join(known)}")


def _meant(names: Sequence[str], known: Iterable[str]) -> list[str]:
    """Those of `known` that have one of the names, or where none has exactly that name, begin with it and a dash."""
    known = list(known)
    prefixes = tuple(f"{name}-" for name in names if name not in known)
    return [full for full in known if full in names or full.startswith(prefixes)]


def run_worker(settings: Settings) -> Take:
    """Samples come from `python -m benchmarks.worker`."""
    arguments = {
        "--seconds": settings.seconds,
        "--load-seconds": settings.load_seconds,
        "--warmup-seconds": settings.warmup_seconds,
        "--repeats": settings.repeats,
    }
    options = [str(part) for pair in arguments.items() for part in pair]
    # What a variant needs it sets itself; a caller's backend must not leak into it.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HUB_", "GEVENT"))}

    def take(case: str, variant: str) -> dict[str, object]:
        return _ask([sys.executable, "-m", "benchmarks.worker", case, variant, *options], environment)

    return take


def _ask(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, object]:
    """The last line a worker prints. It has a session of its own, so that the servers it started end with it."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=SAMPLE_TIMEOUT)
        except subprocess.TimeoutExpired:
            return {"error": f"no answer within {SAMPLE_TIMEOUT:g} s"}
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
    try:
        answer: dict[str, object] = json.loads(output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = (errors.strip() or "no message").splitlines()[-1]
        return {"error": f"the worker ended with {process.returncode}: {last}"}
    return answer


def run(
    cases: Mapping[str, Case],
    contenders: Sequence[str],
    rounds: int,
    take: Take,
    tell: Callable[[str], None] = lambda message: None,
) -> Outcomes:
    """Every case in every round. A variant that failed is not tried again, and its reason is kept."""
    outcomes: Outcomes = {
        key: {name: Outcome() for name in choose_variants(contenders, case)} for key, case in cases.items()
    }
    for number in range(1, rounds + 1):
        for key in cases:
            for variant, outcome in outcomes[key].items():
                if outcome.error:
                    continue
                tell(f"round {number} of {rounds}: {key} {variant}")
                answer = take(key, variant)
                _keep(outcome, answer)
    return outcomes


def _keep(outcome: Outcome, answer: dict[str, object]) -> None:
    value, extra = answer.get("value"), answer.get("extra")
    if isinstance(value, int | float):
        outcome.values.append(float(value))
        outcome.extras.append(extra if isinstance(extra, dict) else {})
    else:
        outcome.error = str(answer.get("error", "the worker gave no value"))
