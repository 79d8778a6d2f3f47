"""What a case, a sample and a variant are: the vocabulary of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench-results"

GEVENT = "gevent"
LIBEV = "hubcore-libev"
LIBUV = "hubcore-libuv"


class Unavailable(Exception):
    """This variant cannot run here; the message says why."""


@dataclass(frozen=True)
class Settings:
    """How long one sample takes."""

    seconds: float = 0.4  # of the in-process cases; calibrated to this
    load_seconds: float = 3.0  # of the TCP echo
    warmup_seconds: float = 0.5  # before the echo's seconds count
    repeats: int = 9  # processes per import sample


@dataclass(frozen=True)
class Sample:
    """One measurement, and what else is worth keeping beside it."""

    value: float
    extra: dict[str, Any] = field(default_factory=dict)


# A variant is called with its own name ("gevent", "uvloop-protocol"), so that one function serves several contenders.
Variant = Callable[[str, Settings], Sample]


@dataclass(frozen=True)
class Case:
    """One question, asked of every contender that can answer it."""

    name: str
    title: str
    unit: str
    variants: Mapping[str, Variant]
    higher_is_better: bool = False
    note: str = ""

    def ratio(self, value: float, base: float) -> float:
        """How many times better `value` is than `base`: above 1 is better, whichever way the unit runs."""
        return value / base if self.higher_is_better else base / value
