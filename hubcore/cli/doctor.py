"""`hubcore doctor`: runs a program and reports at its end what holds up all greenlets, and the remedy."""

from __future__ import annotations

import atexit
import os
import sys
import textwrap
from time import monotonic

from hubcore import config, events
from hubcore._base.originals import saved
from hubcore._diagnostics.monitor import PeriodicMonitoringThread
from hubcore._patching import import_origins as _import_origins
from hubcore.cli import _doctor_advice, _doctor_calls
from hubcore.events import DidPatchAllEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore._patching.existing.stale_references import Stale
    from hubcore.cli._program import Program

_MOST_PLACES = 20
_MOST_CALLS = 4  # of a stack, the innermost
_WIDTH = 100


class Place:
    """A place in the program that blocked: how often and for how many seconds, its stack, and what to do."""

    def __init__(self, stack: list[str], call: str, advice: str) -> None:
        self.stack = stack
        self.call = call
        self.advice = advice
        self.times: int = 0
        self.seconds: float = 0.0
        self.longest: float = 0.0

    def add(self, seconds: float) -> None:
        """Count a block of `seconds`."""
        self.times += 1
        self.seconds += seconds
        self.longest = max(self.longest, seconds)

    def lines(self) -> list[str]:
        """Return the lines of the report."""
        head = f"  {self.seconds:.2f} s, once" if self.times == 1 else f"  {self.seconds:.2f} s in {self.times} times"
        if self.times > 1:
            head += f", {self.longest:.2f} s at most"
        head += f": {self.call}" if self.call else ""
        return [head, *(f"    {line}" for line in self.stack), *_wrapped(self.advice)]


class Examination:
    """The findings made while the program runs."""

    def __init__(self, patched_first: bool) -> None:
        self.patched_first = patched_first
        self.found: list[Stale] = []  # references that existed when the program patched
        self.by_itself: bool = False
        self.blocked: dict[object, Place] = {}
        self.lasting: dict[object, tuple[Place, float]] = {}  # by event: the place, and when it began
        self.pid: int = os.getpid()

    def on_event(self, event: Any) -> None:
        """Record an event of hubcore.events. Called in any thread."""
        if isinstance(event, DidPatchAllEvent):
            from hubcore._patching.existing import stale_references as _stale_references

            self.by_itself = True
            self.found = _stale_references.everything()
        elif isinstance(event, events.EventLoopBlocked):
            self.lasting[event] = self._place(event), monotonic() - event.blocking_time
        elif isinstance(event, events.EventLoopUnblocked):
            place, _ = self.lasting.pop(event.blocked)
            place.add(event.blocking_time)

    def _place(self, event: events.EventLoopBlocked) -> Place:
        thread = event.hub.thread_ident if event.hub is not None else None
        frame = _doctor_calls.frame_of_thread(thread)
        stack = _doctor_calls.stack_lines(frame, _MOST_CALLS)
        call, function = _doctor_calls.call_in_progress(frame)
        if frame is not None and _doctor_calls.moves(frame, thread):
            call, function = "", None
        key = (*[line for line in stack if line.startswith("  File")][-1:], call)
        if key not in self.blocked:
            advice = _doctor_advice.advice(call, _doctor_calls.name_of(function))
            self.blocked[key] = Place(stack, call, advice)
        return self.blocked[key]

    def lines(self) -> list[str]:
        """Return the lines of the report."""
        from hubcore._patching.existing import stale_references as _stale_references
        from hubcore._patching.libraries import blocking_drivers as _blocking_drivers

        lines = [*self._patching(), *_name_of_gevent()]
        for event, (place, began) in list(self.lasting.items()):
            if self.lasting.pop(event, None) is not None:  # it lasts still
                place.add(monotonic() - began)
        if self.blocked:
            limit = f"{config.max_blocking_time:g} s"
            lines += ["", f"Code that blocked its hub for more than {limit} at a time, the longest in all first:"]
            worst = sorted(self.blocked.values(), key=lambda place: -place.seconds)
            for place in worst[:_MOST_PLACES]:
                lines += place.lines()
            if len(worst) > _MOST_PLACES:
                rest = sum(place.seconds for place in worst[_MOST_PLACES:])
                lines.append(f"  {rest:.2f} s at {len(worst) - _MOST_PLACES} more places")
        found = self.found or (_stale_references.everything() if saved else [])
        if found:
            lines += ["", *_stale_references.report(found)]
        drivers = _blocking_drivers.find()
        if drivers:
            lines += ["", "Libraries that wait in C and block all greenlets meanwhile:"]
            lines += [f"  {each.library}: {each.remedy}" for each in drivers]
        if saved and not (found or drivers or self.blocked):
            lines.append("No code was found that blocks other greenlets.")
        return lines

    def _patching(self) -> list[str]:
        if not saved:
            return [
                "The program did not patch the standard library. `hubcore run` patches it first, and so does "
                "`hubcore doctor` without --no-patch."
            ]
        if self.patched_first:
            lines = ["hubcore patched the standard library before the program began, as `hubcore run` does."]
            if self.by_itself:
                lines.append(
                    "The program patches it, too: `hubcore doctor --no-patch` examines how it does so by itself."
                )
            return lines
        return ["The program itself patched the standard library."]

    def report(self) -> None:
        """Print the report on stderr, but not in a forked child."""
        if os.getpid() == self.pid:
            print("\n".join(["", "hubcore doctor", *self.lines()]), file=sys.stderr, flush=True)


def _name_of_gevent() -> list[str]:
    """Return the lines about `import gevent`: none if the program has nothing to do with it."""
    from hubcore import dropin

    by, module = dropin.installed_by(), sys.modules.get("gevent")
    if by:
        return [f"`import gevent` gives hubcore, as {by} asked."]
    if module is None:
        return []
    where = getattr(module, "__file__", None) or "an unknown place"
    return [
        f"The program uses the real gevent, from {where}, "
        "with a hub of its own beside hubcore's: each blocks the other.",
        *filter(None, [_import_origins.chain("gevent")]),
        "Run it with --as-gevent or HUB_DROPIN=gevent, or call hubcore.dropin.install() before that import.",
    ]


def _wrapped(advice: str) -> list[str]:
    return textwrap.wrap(
        advice, _WIDTH, initial_indent="      -> ", subsequent_indent="         ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def main(options: Any, program: Program) -> int:
    """Run and examine `program`. Return its exit status; SystemExit passes through."""
    from hubcore.cli import _dropin, _patch_options, run

    examination = Examination(not options.no_patch)

    def patch() -> None:
        _import_origins.start()
        config.monitor_thread = True
        config.print_blocking_reports = False
        PeriodicMonitoringThread.looks_per_limit = 20
        _dropin.install(options)
        _patch_options.patch(options)
        events.subscribers.append(examination.on_event)

    def begin() -> None:
        # atexit runs handlers in reverse order: registered first, this one sees what the program's own handlers do.
        atexit.register(examination.report)

    return run.main(program, backend=options.backend, patch=patch, begin=begin)
