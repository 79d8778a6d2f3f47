"""`hubcore doctor`: runs a program and reports at its end what holds up all greenlets, and the remedy."""

from __future__ import annotations

import atexit
import os
import sys

from hubcore import config, events
from hubcore._base.originals import saved
from hubcore._patching import import_origins as _import_origins
from hubcore.events import DidPatchAllEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore._patching.existing.stale_references import Stale

_MOST_PLACES = 20
_MOST_LINES = 6  # of a stack, the innermost


class Examination:
    """The findings made while the program runs."""

    def __init__(self, patched_first: bool) -> None:
        self.patched_first = patched_first
        self.found: list[Stale] = []  # references that existed when the program patched
        self.by_itself: bool = False
        self.blocked: dict[str, tuple[int, float, list[str]]] = {}  # by place: count, most seconds, stack
        self.pid: int = os.getpid()

    def on_event(self, event: Any) -> None:
        """Record an event of hubcore.events. Called in any thread."""
        if isinstance(event, DidPatchAllEvent):
            from hubcore._patching.existing import stale_references as _stale_references

            self.by_itself = True
            self.found = _stale_references.everything()
        elif isinstance(event, events.EventLoopBlocked):
            stack = [line.strip() for entry in event.info[2:] for line in entry.splitlines() if line.strip()]
            place = next((line for line in reversed(stack) if line.startswith("File ")), repr(event.greenlet))
            often, longest, first = self.blocked.get(place, (0, 0.0, stack))
            self.blocked[place] = (often + 1, max(longest, event.blocking_time), first)

    def lines(self) -> list[str]:
        """Return the lines of the report."""
        from hubcore._patching.existing import stale_references as _stale_references
        from hubcore._patching.libraries import blocking_drivers as _blocking_drivers

        lines = [*self._patching(), *_name_of_gevent()]
        found = self.found or (_stale_references.everything() if saved else [])
        if found:
            lines += ["", *_stale_references.report(found)]
        drivers = _blocking_drivers.find()
        if drivers:
            lines += ["", "Libraries that wait in C and block all greenlets meanwhile:"]
            lines += [f"  {each.library}: {each.remedy}" for each in drivers]
        if self.blocked:
            lines += ["", f"Code that blocked its hub for more than {config.max_blocking_time:g} s:"]
            worst = sorted(self.blocked.items(), key=lambda item: -item[1][1])
            for place, (often, longest, stack) in worst[:_MOST_PLACES]:
                times = "once" if often == 1 else f"{often} times"
                lines.append(f"  {times}, at least {longest:.3g} s: {place}")
                lines += [f"      {line}" for line in stack[-_MOST_LINES:]]
        if saved and not (found or drivers or self.blocked):
            lines.append("No code was found that blocks other greenlets.")
        return lines

    def _patching(self) -> list[str]:
        if not saved:
            return [
                "The program did not patch the standard library. Patch it with `hubcore run`, or here with "
                "`hubcore doctor --patch`."
            ]
        if self.patched_first:
            return ["hubcore patched the standard library before the program began, as `hubcore run` does."]
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


def main(options: Any) -> int:
    """Run and examine `options.program`. Return its exit status; SystemExit passes through."""
    from hubcore.cli import _dropin, _patch_options, run

    examination = Examination(options.patch)

    def patch() -> None:
        _import_origins.start()
        config.monitor_thread = True
        config.print_blocking_reports = False
        _dropin.install(options)
        if options.patch:
            _patch_options.patch(options)
        events.subscribers.append(examination.on_event)

    def begin() -> None:
        # atexit runs handlers in reverse order: registered first, this one sees what the program's own handlers do.
        atexit.register(examination.report)

    return run.main(options.program, module=options.module, backend=options.backend, patch=patch, begin=begin)
