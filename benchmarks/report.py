"""Tables on the terminal and the record in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.driver import Outcome, Outcomes, medians
from benchmarks.measure import median
from benchmarks.model import GEVENT, LIBEV, Case
from benchmarks.targets import Verdict

HEADER = ("contender", "median", "min .. max", "x gevent", "x libev")
BUSY_ENOUGH = 0.9
# Of what the workers report beside the value: shown under the table, as medians.
DETAILS = {
    "processor_us": "the same in processor time (what other programs do does not count)",
    "requests_per_cpu_second": "per second of the server's own processor time",
    "p50_us": "median latency in us",
    "p99_us": "99th percentile of latency in us",
    "max_us": "longest latency in us",
}


def number(value: float) -> str:
    """Three significant digits below 1,000, whole above."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def rows(case: Case, outcomes: Mapping[str, Outcome]) -> list[tuple[str, ...]]:
    """One row per variant, the ratios being of medians: above 1 is better than gevent, or than hubcore on libev."""
    table: list[tuple[str, ...]] = []
    for name, outcome in outcomes.items():
        value = outcome.median
        if value is None:
            table.append((name, "failed" if outcome.error else "-", "", "", ""))
            continue
        spread = f"{number(min(outcome.values))} .. {number(max(outcome.values))}"
        ratios = []
        for base in (GEVENT, LIBEV):
            against = outcomes[base].median if base in outcomes else None
            ratios.append("" if not against or value <= 0 else f"{case.ratio(value, against):.2f}")
        table.append((name, number(value), spread, *ratios))
    return table


def remarks(case: Case, outcomes: Mapping[str, Outcome]) -> list[str]:
    """What a reader must know beside the figures."""
    found = [case.note] if case.note else []
    for name, outcome in outcomes.items():
        if outcome.error:
            after = f" after {len(outcome.values)} samples" if outcome.values else ""
            found.append(f"{name} failed{after}: {outcome.error}")
    for key, meaning in DETAILS.items():
        figures = {name: outcome.figures(key) for name, outcome in outcomes.items()}
        listed = [f"{name} {number(median(values))}" for name, values in figures.items() if values]
        if listed and not (key == "processor_us" and undisturbed(outcomes)):
            found.append(f"{meaning}: {', '.join(listed)}")
    for name, outcome in outcomes.items():
        busy = outcome.figures("server_busy")
        if busy and min(busy) < BUSY_ENOUGH:
            found.append(
                f"{name}: the server ran only {min(busy):.0%} of the time: the load or other programs held it up"
            )
    return found


def undisturbed(outcomes: Mapping[str, Outcome]) -> bool:
    """Nobody lost time to other programs, so that time and processor time are the same to the eye."""
    for outcome in outcomes.values():
        wall, processor = outcome.median, outcome.figures("processor_us")
        if wall and processor and not 0.95 < median(processor) / wall < 1.05:
            return False
    return True


def show(cases: Mapping[str, Case], outcomes: Outcomes, verdicts: Sequence[Verdict]) -> None:
    for key, case in cases.items():
        better = "higher is better" if case.higher_is_better else "lower is better"
        print_table(f"{key}: {case.title} [{case.unit}, {better}]", HEADER, rows(case, outcomes[key]))
        for remark in remarks(case, outcomes[key]):
            print(f"  {remark}")
        print()
    if verdicts:
        print_table("targets", ("target", "measured", "verdict"), [verdict_row(verdict) for verdict in verdicts])


def verdict_row(verdict: Verdict) -> tuple[str, str, str]:
    if verdict.measured is None:
        return verdict.text, "-", "not measured"
    measured = f"{verdict.measured:.2f}x" if verdict.target.base else number(verdict.measured)
    return verdict.text, measured, "met" if verdict.met else "NOT MET"


def print_table(title: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> None:
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        print(plain_table(title, header, body))
        return
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(header):
        table.add_column(column, justify="right" if index > 0 else "left")
    for row in body:
        table.add_row(*map(Text, row))  # Text: a "[...]" in an error is not markup
    Console().print(table)


def plain_table(title: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [list(header), *map(list, body)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def text(line: Sequence[str]) -> str:
        padded = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        return "  ".join([line[0].ljust(widths[0]), *padded[1:]]).rstrip()

    return "\n".join([title, text(header), "  ".join("-" * width for width in widths), *map(text, body)])


def record(
    machine: Mapping[str, object],
    options: Mapping[str, object],
    cases: Mapping[str, Case],
    outcomes: Outcomes,
    verdicts: Sequence[Verdict],
) -> dict[str, Any]:
    """Everything there is to know about a run, every raw sample included."""
    values = medians(outcomes)
    return {
        **machine,
        "options": dict(options),
        "cases": {
            key: {
                "title": case.title,
                "unit": case.unit,
                "higher_is_better": case.higher_is_better,
                "note": case.note,
                "variants": {
                    name: {
                        "median": values[key].get(name),
                        "samples": outcome.values,
                        "extra": outcome.extras,
                        "error": outcome.error,
                    }
                    for name, outcome in outcomes[key].items()
                },
            }
            for key, case in cases.items()
        },
        "targets": [{"target": verdict.text, "measured": verdict.measured, "met": verdict.met} for verdict in verdicts],
    }


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
