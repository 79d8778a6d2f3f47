"""The time at which a greenlet of `start_later` starts."""

from __future__ import annotations

from hubcore._core.deadlines import Deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.raw_greenlet import RawGreenlet


class StartDeadline(Deadline):
    """Makes `greenlet`, which is scheduled but not yet ready, ready when its time comes."""

    __slots__ = ("greenlet",)

    def __init__(self, greenlet: RawGreenlet) -> None:
        Deadline.__init__(self)
        self.greenlet = greenlet

    def _fire(self, now: float) -> None:
        self.greenlet.hub.ready.push(self.greenlet)

    def _give_up(self, exception: BaseException) -> None:
        self.greenlet._finish_unstarted(exception)
