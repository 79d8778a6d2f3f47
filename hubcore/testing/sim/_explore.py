"""`explore`: many seeds, and the first failure reduced to what it needs."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from hubcore._base.hints import Late
from hubcore._version import __version__
from hubcore.testing.sim._errors import Nondeterminism, SimulationFailure
from hubcore.testing.sim._inside import install, simulate, uninstall
from hubcore.testing.sim._run import TAIL, ProgramTraceback
from hubcore.testing.sim._settings import Outcome, Settings, checked, order_for
from hubcore.testing.sim._shrink import Reduction
from hubcore.testing.sim._template import Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._faults import Fault
else:
    Fault = Late("hubcore.testing.sim._faults:Fault")


class Failure:
    """What `search` has found: the failure as it came, and as it is reduced."""

    def __init__(self, outcome: Outcome, reduction: Reduction, passed: int, total: int | None) -> None:
        self.first = outcome
        self.reduction = reduction
        self.passed = passed
        self.total = total

    @property
    def outcome(self) -> Outcome:
        """The reduced one."""
        return self.reduction.outcome

    @property
    def error(self) -> BaseException:
        """What the program raised."""
        error = self.outcome.error
        assert error is not None
        if error.__traceback__ is None:
            error.__cause__ = ProgramTraceback(self.outcome.trace)
        return error

    def lines(self, again: str = "") -> list[str]:
        """What is told of it, beside the error."""
        reduction, first = self.reduction, self.first
        of = f" (of {self.total}; {self.passed} passed)" if self.total is not None else ""
        line = f"seed {first.seed}{of}, order {first.order}"
        if reduction.fifo_fails:
            line += "; fails in order fifo, too, so no reordering is needed"
        elif reduction.settings.only is not None:
            count = len(reduction.settings.only)
            line += f"; {count} change{'' if count == 1 else 's'} of order needed"
        lines = [line]
        if reduction.planned:
            needed = list(self.outcome.faults)
            verb = "fault" if reduction.planned == 1 else "faults"
            if not needed:
                lines.append(f"no fault of {reduction.planned} is needed")
            else:
                many = "is" if len(needed) == 1 else "are"
                lines.append(f"{len(needed)} {verb} of {reduction.planned} {many} needed:")
                lines += [f"    {fault}" for fault in needed]
        if again:
            lines.append(again)
        lines += [f"    {event}" for event in self.outcome.log[-TAIL:]]
        if first.summary:
            lines.append(first.summary)
        return lines

    def as_json(self) -> str:
        """What it takes to have the reduced failure again."""
        settings = self.reduction.settings
        return json.dumps(
            {
                "seed": settings.seed,
                "order": settings.order,
                "picks": settings.picks,
                "only": None if settings.only is None else sorted(settings.only),
                "faults": None if settings.faults is None else [list(fault) for fault in settings.faults],
                "latency": list(settings.latency),
                "timeout": settings.timeout,
                "hubcore": __version__,
                "python": platform.python_version(),
            },
            indent=2,
        )


def from_json(text: str) -> tuple[Settings, list[str]]:
    """The settings that `Failure.as_json` wrote, and warnings of what is not as it was."""
    try:
        given = json.loads(text)
        settings = checked({name: given[name] for name in ("seed", "timeout", "order", "latency", "faults")})
        settings.picks = given["picks"]
        settings.only = None if given["only"] is None else frozenset(given["only"])
        versions = {"hubcore": __version__, "python": platform.python_version()}
        then = {name: given[name] for name in versions}
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no file of a failure of a simulation: {error!r}") from None
    warnings = [
        f"the failure is of {name} {then[name]}, this is {now}: it may not come again"
        for name, now in versions.items()
        if then[name] != now
    ]
    return settings, warnings


def explore(
    main: Callable[..., object],
    *args: object,
    seeds: int | Iterable[int] = 200,
    shrink: float = 20.0,
    timeout: float = 3600.0,
    order: str = "mixed",
    latency: float | tuple[float, float] = (0.0005, 0.005),
    faults: Sequence[Fault] | None = None,
    fork: bool = True,
) -> None:
    """Call `main(sim, *args)` once for each seed: so many, from 0 on, or those given. At the first failure, reduce it
    for up to `shrink` real seconds and raise SimulationFailure; its cause is what the program raised.

    The first seed is run twice: Nondeterminism if the two differ. The others are as for `run`. Blocks the thread.
    """
    failure = search(
        main, args, seeds=seeds, shrink=shrink, fork=fork, timeout=timeout, order=order, latency=latency, faults=faults
    )
    if failure is not None:
        error = failure.error
        text = f"{type(error).__name__}: {error}"
        raise SimulationFailure(
            "\n".join([text, *failure.lines()]),
            seed=failure.first.seed,
            order=failure.outcome.order,
            faults=failure.outcome.faults,
            error=error,
            log=failure.outcome.log[-TAIL:],
        ) from error


def search(
    main: Callable[..., object],
    args: tuple[object, ...],
    *,
    seeds: int | Iterable[int],
    shrink: float,
    fork: bool = True,
    passing: tuple[type[BaseException], ...] = (),
    before_each: Callable[[], object] | None = None,
    host: str = "test",
    **given: Any,
) -> Failure | None:
    """As `explore`, but return the failure, None where there is none. What is in `passing` is raised at once;
    `before_each` is called before each run; `host` is the name of the main program's host."""
    __tracebackhide__ = True
    if not callable(main):
        raise TypeError(f"what is simulated is something callable, not {main!r}")
    if not isinstance(shrink, (int, float)) or not shrink >= 0.0:
        raise ValueError(f"shrink is {shrink!r}; it takes real seconds, 0 for none")
    wanted, total = _checked_seeds(seeds)
    base = replace(checked({**given, "seed": 0}), host=host)
    template = Template(main, args) if fork else None
    if template is None:
        install()

    def run(settings: Settings) -> Outcome:
        if before_each is not None:
            before_each()
        return template.run(settings) if template is not None else simulate(main, args, settings)

    try:
        for number, seed in enumerate(wanted):
            if isinstance(seed, bool) or not isinstance(seed, int):
                raise TypeError(f"a seed is a whole number, not {seed!r}")
            settings = replace(base, seed=seed, order=order_for(seed, given["order"]))
            outcome = run(settings)
            if outcome.error is not None and isinstance(outcome.error, passing):
                raise outcome.error
            if number == 0:
                check_twice(run, settings, outcome)
            if outcome.error is not None:
                reduction = Reduction(run, settings, outcome, shrink)
                reduction.reduce()
                if outcome.output:
                    sys.stdout.write(reduction.outcome.output)
                return Failure(outcome, reduction, number, total)
    finally:
        if template is not None:
            template.close()
        else:
            uninstall()
    return None


def _checked_seeds(seeds: Any) -> tuple[Iterable[int], int | None]:
    if isinstance(seeds, (bool, str, bytes)):
        raise TypeError(f"seeds is a number of them, or the seeds themselves, not {seeds!r}")
    if isinstance(seeds, int):
        if seeds < 1:
            raise ValueError(f"seeds is {seeds!r}; it takes 1 or more")
        return range(seeds), seeds
    try:
        listed = seeds if isinstance(seeds, range) else list(seeds)
    except TypeError:
        raise TypeError(f"seeds is a number of them, or the seeds themselves, not {seeds!r}") from None
    if not listed:
        raise ValueError("seeds is empty; it takes one or more")
    return listed, len(listed)


def check_twice(run: Callable[[Settings], Outcome], settings: Settings, outcome: Outcome) -> None:
    """Run once more, and raise Nondeterminism if that is not the same."""
    __tracebackhide__ = True
    again = run(settings)
    if again.digest == outcome.digest and again.place == outcome.place:
        return
    first, second = run(replace(settings, record=True)), run(replace(settings, record=True))
    number = next(
        (i for i, pair in enumerate(zip(first.events, second.events, strict=False)) if pair[0] != pair[1]),
        min(len(first.events), len(second.events)),
    )
    lines = [
        f"two runs of seed {settings.seed} differ: something in the program depends on what is not simulated, such as "
        "the order of a set of objects, an address, a real clock or file",
    ]
    if first.digest == second.digest:
        lines.append("two more runs were the same, so it happens now and then")
    else:
        for which, each in (("one run", first), ("the other", second)):
            event = each.events[number] if number < len(each.events) else None
            stack = run(replace(settings, trap=number + 1)).stack if event is not None else ""
            what = "nothing more" if event is None else "{:.9f} s  {} {} {} bytes".format(*event)
            lines.append(f"event {number + 1}, {which}: {what}")
            if stack and which == "one run":
                lines += ["made by (in a third run)", stack]
    raise Nondeterminism("\n".join(lines))
