"""`run`: one world from one seed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from hubcore._base.hints import Late
from hubcore.testing.sim._inside import install, simulate, uninstall
from hubcore.testing.sim._settings import Outcome, checked
from hubcore.testing.sim._template import Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._faults import Fault
else:
    Fault = Late("hubcore.testing.sim._faults:Fault")

TAIL = 40  # events of the log that a failure shows


class ProgramTraceback(Exception):
    """The cause of an exception that came from another process: its text is the traceback there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


def run(
    main: Callable[..., object],
    *args: object,
    seed: int = 0,
    timeout: float = 3600.0,
    order: str = "mixed",
    latency: float | tuple[float, float] = (0.0005, 0.005),
    faults: Sequence[Fault] | None = None,
    fork: bool = True,
) -> Any:
    """Call `main(sim, *args)` in a simulated world; return what it returns, or raise what it raises, with notes.

    It runs on the host "test", in a process of its own in which the standard library is patched, for at most `timeout`
    virtual seconds; its result crosses a pipe, pickled. With `fork` False it runs in this process, for a debugger: the
    program must patch by itself, and what it leaves behind stays. `order` is that of ready greenlets: "fifo", "random",
    "pct", or "mixed", one of them drawn from the seed. `latency` is the network's, seconds or a range. `faults` replace
    those that `sim.faults` would draw. Blocks the whole thread.
    """
    if not callable(main):
        raise TypeError(f"what is simulated is something callable, not {main!r}")
    settings = checked({"seed": seed, "timeout": timeout, "order": order, "latency": latency, "faults": faults})
    if fork:
        with Template(main, args) as template:
            outcome = template.run(settings)
        if outcome.error is not None and outcome.error.__traceback__ is None:
            outcome.error.__cause__ = ProgramTraceback(outcome.trace)
    else:
        install()
        try:
            outcome = simulate(main, args, settings)
        finally:
            uninstall()
    if outcome.output:
        sys.stdout.write(outcome.output)
    if outcome.error is not None:
        add_notes(outcome.error, outcome)
        raise outcome.error
    return outcome.result


def add_notes(error: BaseException, outcome: Outcome, more: Sequence[str] = ()) -> None:
    """Tell in notes of `error` what it takes to have it again, and what came before."""
    lines = [f"seed {outcome.seed}, order {outcome.order}", *more]
    lines += [f"    {line}" for line in outcome.log[-TAIL:]]
    if outcome.summary:
        lines.append(outcome.summary)
    error.add_note("\n".join(lines))
