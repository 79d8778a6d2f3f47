"""assert_switches: for tests and for code that must let others run.

The hub's counters show whether the hub ran, which adds no cost to a switch. A trace function, set until the first
switch, notices a switch by hand, which bypasses the hub. To measure the time between two switches, the trace function
stays set while the block runs.
"""

from __future__ import annotations

from functools import wraps
from time import perf_counter

import greenlet as greenlet_module

from hubcore._base.hints import Any, Callable, Late, Self
from hubcore._core.deadlines import as_seconds
from hubcore.hub import get_hub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub
    from hubcore.loop import Loop
else:
    Hub = Late("hubcore.hub:Hub")
    Loop = Late("hubcore.loop:Loop")


class assert_switches:
    """Assert that a block (or as a decorator, a function) gives up the processor: AssertionError if it does not.

    With `max_blocking_time` the block need not switch, but must not run for more seconds than that at a stretch (real
    time, on every backend). With `hub_only`, only a switch by way of the hub counts, and not a switch to another
    greenlet by hand. A block that raises is not checked.
    """

    hub: Any = None
    tracer: Any = None

    def __init__(self, max_blocking_time: float | None = None, hub_only: bool = False) -> None:
        if max_blocking_time is not None:
            as_seconds(max_blocking_time, "max_blocking_time")
        self.max_blocking_time = max_blocking_time
        self.hub_only = hub_only
        self._progress: tuple[int, int, bool] = (0, 0, False)

    def __enter__(self) -> Self:
        self.hub = get_hub()
        self.tracer = None
        if not self.hub_only or self.max_blocking_time is not None:
            self.tracer = Tracer(self.hub, self.max_blocking_time is not None)
            self.tracer.begin()
        self._progress = self.hub.progress()
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        hub, tracer = self.hub, self.tracer
        self.hub = self.tracer = None
        if tracer is not None:
            tracer.end()
        if kind is not None or hub is None:
            return
        switched = hub.destroyed or hub.progress() != self._progress
        if not self.hub_only and tracer is not None:
            switched = switched or tracer.switched
        if self.max_blocking_time is None:
            if not switched:
                raise AssertionError(f"{self._who()} did not let {self._whom()} run")
        elif tracer is not None and tracer.longest > self.max_blocking_time:
            raise AssertionError(
                f"{self._who()} ran for {tracer.longest:.4g} seconds without letting {self._whom()} run; "
                f"the limit is {self.max_blocking_time:g} seconds"
            )

    def _who(self) -> str:
        return f"{greenlet_module.getcurrent()!r}"

    def _whom(self) -> str:
        return "the hub" if self.hub_only else "any other greenlet"

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            with assert_switches(self.max_blocking_time, self.hub_only):
                return function(*args, **kwargs)

        return checked


class Tracer:
    """Observes the calling greenlet: whether it switches away and, if `timed`, how long it runs between switches."""

    def __init__(self, hub: Hub, timed: bool) -> None:
        self.timed = timed
        self.hub = hub
        self.greenlet: greenlet_module.greenlet = greenlet_module.getcurrent()
        self.switched: bool = False
        self._watching = False
        self.longest: float = 0.0
        self._since: float | None = None

    def begin(self) -> None:
        """Start observing."""
        self._watching = True
        _watch(self)
        if self.timed:
            _observe_polls(self.hub.loop, self)
        self._run()

    def end(self) -> None:
        """Stop observing; a second call does nothing."""
        if self._watching:
            self._watching = False
            self._stop()
            _unwatch(self)
            if self.timed:
                _unobserve_polls(self.hub.loop, self)

    def seen(self, event: str, origin: greenlet_module.greenlet, target: greenlet_module.greenlet) -> None:
        """Note a switch. The arguments are those of a trace function for greenlet.settrace."""
        if origin is self.greenlet:
            self.switched = True
            self._stop()
            if not self.timed:
                self.end()  # one switch is enough
        if target is self.greenlet:
            self._run()

    def polls(self) -> None:
        """Note that the loop is about to poll."""
        if self._since is not None and greenlet_module.getcurrent() is self.greenlet:
            self._stop()

    def polled(self) -> None:
        """Note that the loop has polled."""
        if greenlet_module.getcurrent() is self.greenlet:
            self._run()

    def _run(self) -> None:
        self._since = perf_counter()

    def _stop(self) -> None:
        if self._since is not None:
            self.longest = max(self.longest, perf_counter() - self._since)
            self._since = None


class _Traced:
    """The trace function of a thread while it has tracers; it passes every event on to the previous trace function."""

    def __init__(self) -> None:
        self.tracers: list[Tracer] = []
        self.before: Any = greenlet_module.settrace(self)

    def __call__(self, event: str, args: tuple[Any, Any]) -> None:
        if self.before is not None:
            self.before(event, args)
        if event in ("switch", "throw"):
            for tracer in tuple(self.tracers):
                tracer.seen(event, *args)


_traced: dict[int, _Traced] = {}  # by thread


def _watch(tracer: Tracer) -> None:
    ident = tracer.hub.thread_ident
    traced = _traced.get(ident)
    if traced is None:
        traced = _traced[ident] = _Traced()
    traced.tracers.append(tracer)


def _unwatch(tracer: Tracer) -> None:
    ident = tracer.hub.thread_ident
    traced = _traced[ident]
    traced.tracers.remove(tracer)
    if not traced.tracers:
        del _traced[ident]
        # If the program has set another trace function since, which calls this one, this one stays and only passes on.
        now: Any = greenlet_module.gettrace()
        if now is traced:
            greenlet_module.settrace(traced.before)


def _observe_polls(loop: Loop, observer: Any) -> None:
    """Call `observer.polls()` before each poll and `observer.polled()` after it. They must not switch."""
    loop._lists.setdefault("observers", []).append(observer)
    loop._hooks += 1


def _unobserve_polls(loop: Loop, observer: Any) -> None:
    """Undo one `_observe_polls`."""
    loop._lists["observers"].remove(observer)
    loop._hooks -= 1
