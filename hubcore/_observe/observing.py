"""Who observes: hubs notify their observers while there is an instrument or a recording, and only then."""

from __future__ import annotations

from hubcore._core.hub_observer import HubObserver
from hubcore._core.registry import hubs
from hubcore._core.running_loop import per_greenlet_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hubcore._core.scheduler import Scheduler

# What has to be done for the observer of a new hub, by the one that wants it done.
_wanted: dict[str, Callable[[HubObserver], object]] = {}


def observe(who: str, begin: Callable[[HubObserver], object]) -> list[HubObserver]:
    """Have all hubs notify observers, on behalf of `who`; return the observers of the present hubs. Any thread.

    `begin(observer)` is called for each of them and for that of each later hub.
    """
    _wanted[who] = begin
    per_greenlet_state.observe(_of_new_hub)
    found = []
    for hub in tuple(hubs):
        observer = hub.ready.observer
        if observer is None:
            observer = HubObserver(hub)
            begin(observer)
            hub.ready.observe(observer)
        else:
            begin(observer)  # type: ignore[arg-type]
        found.append(observer)
    return found  # type: ignore[return-value]


def observe_no_more(who: str) -> None:
    """Undo `observe`; hubs have no observer any more once no instrument wants one. Any thread."""
    _wanted.pop(who, None)
    if not _wanted:
        per_greenlet_state.observe(None)
        for hub in tuple(hubs):
            hub.ready.observe(None)


def _of_new_hub(hub: Scheduler) -> HubObserver:
    observer = HubObserver(hub)
    for begin in tuple(_wanted.values()):
        begin(observer)
    return observer
