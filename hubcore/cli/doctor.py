"""`hubcore doctor`: run a program, and tell at its end what of it would hold up all greenlets, and how to mend it."""

from __future__ import annotations

import atexit
import os
import sys

from hubcore import _import_record, config, events
from hubcore._originals import saved
from hubcore._patch_events import DidPatchAllEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore._stale import Stale

_MOST_PLACES = 20
_MOST_LINES = 6  # of a stack, the innermost


class Examination:
    """What is seen while the program runs."""

    def __init__(self, patched_first: bool) -> None:
        self.patched_first = patched_first
        self.found: list[Stale] = []  # when the program patched
        self.by_itself = False
        self.blocked: dict[str, tuple[int, float, list[str]]] = {}  # by place: how often, the longest, its stack
        self.pid = os.getpid()

    def on_event(self, event: Any) -> None:
        """A subscriber of hubcore.events. Any thread."""
        if isinstance(event, DidPatchAllEvent):
            from hubcore import _stale

            self.by_itself = True
            self.found = _stale.everything()
        elif isinstance(event, events.EventLoopBlocked):
            stack = [line.strip() for entry in event.info[2:] for line in entry.splitlines() if line.strip()]
            place = next((line for line in reversed(stack) if line.startswith("File ")), repr(event.greenlet))
            often, longest, first = self.blocked.get(place, (0, 0.0, stack))
            self.blocked[place] = (often + 1, max(longest, event.blocking_time), first)

    def lines(self) -> list[str]:
        """The report."""
        from hubcore import _drivers, _stale

        lines = self._patching()
        found = self.found or (_stale.everything() if saved else [])
        if found:
            lines += ["", *_stale.report(found)]
        drivers = _drivers.find()
        if drivers:
            lines += ["", "Libraries that wait in C, where all greenlets wait with them:"]
            lines += [f"  {each.library}: {each.remedy}" for each in drivers]
        if self.blocked:
            lines += ["", f"Held up its hub for more than {config.max_blocking_time:g} s:"]
            worst = sorted(self.blocked.items(), key=lambda item: -item[1][1])
            for place, (often, longest, stack) in worst[:_MOST_PLACES]:
                lines.append(f"  {often} times, {longest:.3g} s or more: {place}")
                lines += [f"      {line}" for line in stack[-_MOST_LINES:]]
        if saved and not (found or drivers or self.blocked):
            lines.append("Nothing was found that would hold up other greenlets.")
        return lines

    def _patching(self) -> list[str]:
        if not saved:
            return ["The program did not patch the standard library: `hubcore run` does, and `hubcore doctor --patch`."]
        if self.patched_first:
            return ["Patched before the program began, as `hubcore run` does."]
        return ["The program patched the standard library by itself."]

    def tell(self) -> None:
        """Print the report on stderr; once, and not in a forked child."""
        if os.getpid() == self.pid:
            print("\n".join(["", "hubcore doctor", *self.lines()]), file=sys.stderr, flush=True)


def main(options: Any) -> int:
    """Run `options.program` under examination, and return its exit status; SystemExit passes through."""
    from hubcore.cli import _patch_options, run

    examination = Examination(options.patch)

    def patch() -> None:
        _import_record.start()
        config.monitor_thread = True
        config.print_blocking_reports = False
        if options.patch:
            _patch_options.patch(options)
        events.subscribers.append(examination.on_event)

    def begin() -> None:
        # Last, so that what the program's own exit handlers do is seen.
        atexit.register(examination.tell)

    return run.main(options.program, module=options.module, backend=options.backend, patch=patch, begin=begin)
