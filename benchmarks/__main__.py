"""The command: `python -m benchmarks [--quick] [--cases a,b] [--contenders a,b] [--rounds N] [--publish]`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks import chart, driver, machine, report, targets
from benchmarks.cases import CASES
from benchmarks.contenders import CONTENDERS
from benchmarks.model import RESULTS, ROOT, Settings

FULL = Settings()
QUICK = Settings(seconds=0.25, load_seconds=0.8, warmup_seconds=0.3, repeats=5)
FULL_ROUNDS, QUICK_ROUNDS = 5, 2


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m benchmarks", description="hubcore beside gevent, asyncio, uvloop and the limit."
    )
    result.add_argument("--cases", type=names, default=[], metavar="A,B", help="of: " + ", ".join(CASES))
    result.add_argument("--contenders", type=names, default=[], metavar="A,B", help="of: " + ", ".join(CONTENDERS))
    result.add_argument("--rounds", type=positive, help=f"default {FULL_ROUNDS}, or {QUICK_ROUNDS} with --quick")
    result.add_argument(
        "--seconds", type=float, help=f"of one in-process sample; default {FULL.seconds:g}, or {QUICK.seconds:g}"
    )
    result.add_argument(
        "--load-seconds",
        type=float,
        help=f"of one echo sample; default {FULL.load_seconds:g}, or {QUICK.load_seconds:g}",
    )
    result.add_argument(
        "--output", type=Path, default=RESULTS, metavar="DIR", help="where latest.json and latest.svg go"
    )
    result.add_argument("--quick", action="store_true", help="shorter samples, fewer rounds: for a first impression")
    result.add_argument(
        "--publish", action="store_true", help="also write the chart that the documentation shows, docs/bench.svg"
    )
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    commands = parser()
    options = commands.parse_args(arguments)
    try:
        cases = driver.choose_cases(options.cases, CASES)
        driver.check_contenders(options.contenders, CASES)
    except driver.UnknownName as error:
        commands.error(str(error))
    settings = QUICK if options.quick else FULL
    if options.seconds is not None:
        settings = replace(settings, seconds=options.seconds)
    if options.load_seconds is not None:
        settings = replace(settings, load_seconds=options.load_seconds)
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else FULL_ROUNDS)
    described = machine.describe()
    if machine.load()[0] > 0.5 * (os.cpu_count() or 1):
        print(
            f"note: this machine is busy (load {machine.load()[0]:g}): only ratios mean anything, and not much",
            file=sys.stderr,
        )

    start = time.monotonic()
    outcomes = driver.run(cases, options.contenders, rounds, driver.run_worker(settings), progress)
    progress("")
    verdicts = targets.judge(cases, driver.medians(outcomes))
    described |= {"load_at_end": machine.load(), "seconds": round(time.monotonic() - start, 1)}
    report.show(cases, outcomes, verdicts)
    chosen = {"rounds": rounds, "quick": options.quick, **asdict(settings)}
    details = options.output / "latest.json"
    report.write_json(details, report.record(described, chosen, cases, outcomes, verdicts))
    picture = ROOT / "docs" / "bench.svg" if options.publish else options.output / "latest.svg"
    place = [described["python"], described["cpu"], f"{described['nproc']} processors", str(described["date"])[:10]]
    foot = ", ".join(map(str, place)) + "; x: times gevent"
    chart.write(picture, chart.draw(cases, driver.medians(outcomes), foot))
    print(f"{described['seconds']} s; wrote {shown(details)} and {shown(picture)}")
    return 0


def shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def progress(message: str) -> None:
    """One line that overwrites itself, only where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{message}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
