"""HostHub: the hub of one life of a host's program."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from hubcore.hub import Hub
from hubcore.testing.sim._loop import HostLoop


class HostHub(Hub):
    """A hub in a thread that has several, of which the driver lets one run at a time."""

    hears_signals = False

    def __init__(self, process: Any) -> None:
        self.process = process
        super().__init__(HostLoop(process))
        self.name: Any = process.host.name

    def _woken_from_outside(self) -> bool:
        """Whether another host's program may wake somebody here: by an object that a test shares between them.

        Not where greenlets of this host wait for each other in a circle: that ends in no other way.
        """
        if not self.process.has_company():
            return False
        if not any(getattr(waiter.waiting_on, "cross_thread", False) for waiter in self.parked):
            return False
        from hubcore._diagnostics.deadlocks import find_deadlocks

        return not any(wait.hub is self for each in find_deadlocks() for wait in each.waits)

    def handle_error(
        self, context: object, type: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """As Hub.handle_error; Ctrl-C ends the run."""
        if type is not None and issubclass(type, KeyboardInterrupt) and value is not None:
            self.process.world.fail(value)
            return
        super().handle_error(context, type, value, tb)
