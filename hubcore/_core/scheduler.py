"""Scheduling: which greenlet runs next in one thread, and parking, the one way to wait.

`_next` takes the next ready waiter; when the batch is spent or no entry is ready, it polls the loop first. A greenlet
that gives up the processor calls `_next` itself and switches straight to the greenlet of the waiter it returns, not by
way of the hub. If that is its own waiter, no switch takes place. The hub greenlet runs only what needs it: callbacks,
the first start of a greenlet, and the end, when no entry is ready and none can become ready.

Invariants:
- user code never runs inside the loop's poll;
- only the hub greenlet starts greenlets: a start builds on the C stack of the greenlet that makes it, so greenlets that
  start each other would pile up there;
- every wait in the package is one `park` (so is a bare `Hub.switch`).

Long because: one compiled class, whose methods share fields; a base class more would cost every check of its type.
"""

from __future__ import annotations

import os
import sys

from greenlet import GreenletExit

from hubcore._base import uncompiled as cython
from hubcore._core.coverage import resumed
from hubcore._core.deadlines import TimeLimit, as_seconds
from hubcore._core.interrupts import InterruptMixin
from hubcore._core.raising import raise_here
from hubcore._core.raw_greenlet import RawGreenlet
from hubcore._core.running_loop import per_greenlet_state, restore_state, save_state
from hubcore._core.waiter import Waiter, WaiterList
from hubcore.exceptions import HubDestroyed, InvalidSwitchError

if not cython.compiled:
    from hubcore._base.hints import Any, Callable, TracebackType
    from hubcore._capi.fallback import (
        call_keeping_failure,
        get_ident,
        getcurrent,
        greenlet,
        import_greenlet,
        is_last_reference,
        raise_failure,
        set_parent,
        switch_fails,
        switch_to,
    )
    from hubcore._core.coverage import is_measured
    from hubcore._core.noted_switch import (
        begin_noting,
        note_beginning,
        note_leaving,
        note_return,
        note_spawn,
        note_turn,
        note_unrun,
        switch_noting,
    )
    from hubcore._core.raw_greenlet import NEW, SCHEDULED
    from hubcore._core.running_loop import OBSERVED
    from hubcore._core.waiter import FAILED, TIMED_OUT, WAITING, WOKEN, new_waiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.base_loop import BaseLoop
    from hubcore._core.ready_queue import ReadyQueue

import_greenlet()

# The least number of entries that may run between two polls, if fewer were ready at the first. A poll is a system call
# and costs far more than a switch; so few switches do not delay I/O.
_SMALLEST_BATCH = 32
# What a greenlet may spend before it lets others run. An operation is one of a socket that succeeds at once; taking a
# free lock costs less (`_sync.steps`).
_BUDGET, _OPERATION = 1024, 16
# Seconds after which a hub that only other threads can wake checks whether such threads still exist.
_PATIENCE = 0.5


class Scheduler(InterruptMixin):
    """The half of the Hub that decides which greenlet runs; itself a greenlet, the parent of those that it runs."""

    #: Exceptions that may end a greenlet without a report, and those that then are the main greenlet's.
    NOT_ERROR: tuple[type[BaseException], ...] = (GreenletExit, SystemExit)
    SYSTEM_ERROR: tuple[type[BaseException], ...] = (KeyboardInterrupt, SystemExit, SystemError)

    def _set_up(self, loop: BaseLoop) -> None:
        main = getcurrent()
        while main.parent is not None:
            main = main.parent
        self.main = main
        set_parent(self, main)
        self.loop = loop
        self.ready: ReadyQueue = loop.ready
        self.thread_ident: int = get_ident()
        self.parked: WaiterList = WaiterList()
        self.destroyed = False
        self._batch = 0
        self.whole_batch: int = 0
        self.ran: int = 0  # entries of earlier batches
        self.started: int = 0  # greenlets that have begun to run
        self._smallest_batch = _SMALLEST_BATCH
        self._whole_budget = _BUDGET
        self._budget = _BUDGET
        self._closing = 0  # 1 while it is destroyed, and 2 more for each fork that a greenlet of it is about to make
        self._forking_pid = 0  # the process that began the latest fork
        self._per_greenlet = per_greenlet_state
        self._spare: Waiter | None = None  # of a turn that is over: the next one needs no new one
        if self._per_greenlet.enabled & OBSERVED:
            self.ready.observe(self._per_greenlet.make_observer(self))  # type: ignore[misc]
        self._set_up_interrupts()

    def set_pace(self, smallest_batch: int, budget: int) -> None:
        """Set how many entries may run between two polls where fewer were ready at the first, and how many operations
        may succeed at once before their greenlet lets others run; both 1 or more. For tests of other orders."""
        if smallest_batch < 1 or budget < 1:
            raise ValueError(f"a pace is two numbers of 1 or more, not {smallest_batch!r} and {budget!r}")
        self._smallest_batch = smallest_batch
        self._whole_budget = self._budget = budget * _OPERATION

    # Waiting: every blocking call is built on these methods.

    def new_waiter(self, waiting_on: object) -> Waiter:
        """Return a waiter for the current greenlet, to be passed to `park`. Reports name `waiting_on`."""
        return new_waiter(self.ready, getcurrent(), waiting_on, self.loop._now)

    def park(self, waiter: Waiter, timeout: float | None = None, ref: bool = True) -> bool:
        """Wait until `waiter` is woken (True) or `timeout` seconds have passed (False). Switches, unless it was woken.

        `timeout` may also be a Timeout: the wait starts it, unless it runs, and cancels it. With `ref` False the
        deadline does not keep the loop alive. Raises the exception given to `waiter.fail` or `interrupt`;
        BlockingSwitchOutError in the hub greenlet, InvalidThreadUseError in another thread, HubDestroyed while the hub
        is being destroyed.
        """
        current = getcurrent()
        if current is not waiter.greenlet:
            raise InvalidSwitchError(f"{current!r} cannot park with {waiter!r}, which was made for another greenlet")
        if self._is_in_doubt(current):
            self._check_may_wait(current, waiter)
        if waiter.outcome == WAITING:
            # The kind of greenlet is asked for once: the check walks the type's bases.
            raw = None
            state = None
            if isinstance(current, RawGreenlet):
                raw = cython.cast(RawGreenlet, current)
            else:
                # Made before anything is read: making it may run finalizers, which interrupt greenlets.
                state = self._own_state(current)
                if current is not self.main:
                    self._pursue_above(current)
            if self._is_interrupted(current, raw):
                waiter.abandon()
                self._raise_interrupt(current)
            if timeout is not None:
                self._set_deadline(waiter, timeout, ref)
            if waiter.fall_asleep():
                if raw is not None:
                    raw._waiter = waiter
                else:
                    state.waiter = waiter  # type: ignore[union-attr]
                self.parked.link(waiter)
                if _switch_away(self, waiter):
                    self._thrown(current, waiter)
                self.parked.unlink(waiter)
                if raw is not None:
                    raw._waiter = None
                self._budget = self._whole_budget
            if raw is None:
                self._note_parked(current, None)
            if timeout is not None:
                self.loop.deadlines.remove(waiter)
        if waiter.outcome != WOKEN:
            return self._not_woken(current, waiter)
        return True

    def _set_deadline(self, waiter: Waiter, timeout: float, ref: bool) -> None:
        waiter.ref = ref
        try:
            self.loop.add_deadline(waiter, timeout)
            return
        except BaseException:
            self._note_parked(getcurrent(), None)
            if not isinstance(timeout, TimeLimit):
                waiter.abandon()  # from now on no waker can hand anything to this wait
                as_seconds(timeout, "a timeout")
                raise
        self._park_within(waiter, timeout)

    def _park_within(self, waiter: Waiter, limit: Any) -> None:
        """Park until `waiter` is woken or `limit` ends the wait, and cancel `limit`; raise an exception given to it."""
        try:
            limit._begin_here()
            self.park(waiter)
        except BaseException as raised:
            waiter.abandon()
            if raised is not limit:
                raise
            waiter.outcome = TIMED_OUT
        finally:
            limit.cancel()

    def _not_woken(self, current: greenlet, waiter: Waiter) -> bool:
        if waiter.outcome == FAILED:
            exception: Any = waiter.value
            waiter.value = None
            raise_here(exception)
        if waiter.outcome == WAITING:
            waiter.abandon()
            raise InvalidSwitchError(f"{current!r} was resumed by something other than {waiter.waiting_on!r}")
        return False

    def _thrown(self, current: greenlet, waiter: Waiter) -> None:
        """Clean up after a throw into a parked greenlet, and raise the exception there."""
        try:
            raise_failure()
        finally:
            waiter.abandon()
            self.parked.unlink(waiter)
            self._note_parked(current, None)
            self.loop.deadlines.remove(waiter)

    def _thrown_before_its_turn(self, waiter: Waiter) -> None:
        # The error is raised first: while it is set but not raised, any other call would seem to have failed with it.
        try:
            raise_failure()
        finally:
            waiter.abandon()

    def yield_now(self) -> None:
        """Let the ready entries run first; return at once if there are none. May switch; never waits for an event."""
        current = getcurrent()
        if self._is_in_doubt(current):
            self._check_may_wait(current, None)
        raw = None
        if isinstance(current, RawGreenlet):
            raw = cython.cast(RawGreenlet, current)
        elif current is not self.main:
            self._pursue_above(current)
        if self._is_interrupted(current, raw):
            self._raise_interrupt(current)
        if self.ready.count == 0:
            if self._batch > 0:
                self._batch -= 1
                return
            if self._poll(False) and self.ready.count == 0:
                if self._is_interrupted(current, raw):
                    self._raise_interrupt(current)  # a signal handler's, in that poll
                return
        self._let_others_run(current)
        # An interrupt that came while others ran must not stay pending until the next wait.
        if self._is_interrupted(current, raw):
            self._raise_interrupt(current)

    def _let_others_run(self, current: greenlet) -> None:
        waiter = self._queue_up(current)
        if _switch_away(self, waiter):
            self._thrown_before_its_turn(waiter)
        # Another greenlet may have switched here by hand: this also cancels the turn that is still in the queue.
        waiter.greenlet = None
        if is_last_reference(waiter):
            self._spare = waiter
        self._budget = self._whole_budget

    def _raise_interrupt(self, current: greenlet) -> None:
        exception: Any = self._next_interrupt(current)
        if self._is_marked(current):
            # Otherwise a greenlet that swallows the exception of every wait in a loop would never let others run.
            self._budget -= _OPERATION
            if self._budget <= 0:
                self._take_turn(current)
        raise_here(exception)

    def _take_turn(self, current: greenlet) -> None:
        """Let the ready entries run first, and poll if there are none, even if `current` has a pending interrupt."""
        if self.ready.count == 0:
            self._poll(False)
        waiter = self._queue_up(current)
        note_leaving(self.ready, waiter)
        if _after_switch(switch_noting(self.ready, self) if self._per_greenlet.enabled else switch_fails(self)):
            self._thrown_before_its_turn(waiter)
        waiter.greenlet = None  # as in `yield_now`
        self._budget = self._whole_budget

    def _queue_up(self, current: greenlet) -> Waiter:
        """Make `current` ready, behind the others; return the waiter that stands for it in the queue."""
        waiter = self._spare
        if waiter is None:
            waiter = new_waiter(self.ready, current, "yield", 0.0)
            waiter.outcome = WOKEN
        else:
            self._spare = None
            waiter.greenlet = current
        self.ready.push(waiter)
        return waiter

    def spend(self) -> None:
        """Count one operation that succeeded without a wait; when the budget is spent, let others run. May switch."""
        self._budget -= _OPERATION
        if self._budget <= 0:
            self._budget = self._whole_budget
            self.yield_now()

    def schedule(self, new: RawGreenlet) -> None:
        """Schedule the first start of `new`, after the ready entries. The hub's thread only; never switches.

        HubDestroyed if the hub was destroyed; InvalidSwitchError if `new` was scheduled before.
        """
        if self.thread_ident != get_ident():
            self.loop.check_thread()
        if self.destroyed:
            raise HubDestroyed(self)
        if new._phase != NEW:
            raise InvalidSwitchError(f"{new!r} was scheduled before")
        new._phase = SCHEDULED
        self.ready.push(new)

    def run_now(self, new: RawGreenlet) -> None:
        """Run `new`, which was never started, at once; when it waits or ends, resume the caller before all others.

        For signal handlers: no other greenlet notices. The hub's thread only; not in the hub greenlet.
        """
        waiter = new_waiter(self.ready, getcurrent(), "a signal handler", 0.0)
        waiter.wake()
        self.ready.push_first(waiter)
        new._phase = SCHEDULED
        budget, self._budget = self._budget, self._whole_budget  # a handler has its own
        note_leaving(self.ready, waiter)
        failed = _after_switch(begin_noting(self.ready, new) if self._per_greenlet.enabled else switch_fails(new))
        self._budget = budget
        if failed:
            self._thrown_before_its_turn(waiter)

    def run_from_hub(self, new: RawGreenlet) -> None:
        """Run `new`, which was never started, at once, until it waits or ends; in another greenlet than this hub,
        schedule it. For links, whose greenlets come in the order of the waiters. The hub's thread only.
        """
        if getcurrent() is not self or self._closing & 1:
            self.schedule(new)
            return
        new._phase = SCHEDULED
        note_spawn(self.ready, new)
        self._start(new)
        note_turn(self.ready)

    def fork_begins(self) -> None:
        """Note that the current greenlet is about to fork: until `fork_ends` it can wait here, but not in the child."""
        self._closing += 2
        self._forking_pid = os.getpid()

    def fork_ends(self) -> None:
        """Undo `fork_begins`, in the parent, after the fork."""
        self._closing -= 2

    def switch(self, *args: object, **kwargs: object) -> object:
        """Give up the processor until a callback or greenlet switches back to the caller; return what that passed.

        For programs that resume greenlets by hand (`watcher.start(greenlet.switch)`). All other code parks.
        """
        current = getcurrent()
        if self._is_in_doubt(current):
            self._check_may_wait(current, None)
        waiter = new_waiter(self.ready, current, "a switch back to it", self.loop.now())
        self._note_parked(current, waiter)
        waiter.fall_asleep()
        self.parked.link(waiter)
        aside = save_state() if self._per_greenlet.enabled else None
        note_leaving(self.ready, waiter)
        try:
            result: object = greenlet.switch(self, *args, **kwargs)
        finally:
            _after_switch(False)
            if aside is not None:
                restore_state(aside)
            note_return(self.ready, False)
            self.parked.unlink(waiter)
            self._note_parked(current, None)
            failed = waiter.outcome == FAILED
            waiter.abandon()
        if failed:
            exception: Any = waiter.value
            waiter.value = None
            raise_here(exception)
        return result

    # Scheduling.

    def _next(self) -> Waiter | None:
        """Take the next waiter to resume; return None if the hub greenlet has to act first. Polls when it is due."""
        ready = self.ready
        while True:
            if self._batch <= 0 or ready.count == 0:
                if not self._poll(True):
                    return None
                continue
            entry = ready.pop()
            if not isinstance(entry, Waiter):
                ready.push_first(entry)
                return None
            self._batch -= 1
            waiter = entry
            if waiter.greenlet is not None:
                return waiter

    def _poll(self, may_block: bool) -> bool:
        """Poll the loop, and wait if no entry is ready; return False if none is ready and none can become so."""
        ready = self.ready
        try:
            if ready.count == 0 and may_block:
                self.loop.patience = -1.0
                if not self.loop.alive():
                    # A thread may have woken a greenlet and ended between the two checks, so the loop is checked again.
                    if not self._woken_from_outside() and not self.loop.alive():
                        return False
                    # The end of the last thread that could wake a greenlet causes no event.
                    self.loop.patience = _PATIENCE
            else:
                may_block = False
            self.loop.run_pass(may_block)
        except BaseException as error:
            # Most likely of a signal handler. On which greenlet's stack the poll runs is chance, so the exception is
            # raised in the main greenlet.
            self.interrupt_now(self.main, error)
            if self.loop.closed and ready.count == 0:
                return False  # the program closed the loop: every further poll would fail in the same way
        if ready.observer is not None:
            ready.observer.pass_over()
        self.ran += self.whole_batch - self._batch
        self._batch = self.whole_batch = ready.count if ready.count > self._smallest_batch else self._smallest_batch
        return True

    def run(self, *ended: object) -> None:
        """Entry point of the hub greenlet: schedule until the hub is destroyed.

        `ended` is the result of the greenlet whose end switched here first, as that of a greenlet that has forked does
        in the child.
        """
        while not self.destroyed:
            try:
                self._run_one()
            except GreenletExit:
                return  # thrown by destroy()
            except BaseException:
                try:
                    self.handle_error(None, *sys.exc_info())
                except BaseException as error:
                    # The hub greenlet must not end: no greenlet would ever start again. The main greenlet gets the
                    # failure of the report.
                    self.interrupt_now(self.main, error)

    def _run_one(self) -> None:
        if self._per_greenlet.enabled:
            note_turn(self.ready)
        waiter = self._next()
        if waiter is not None:
            target: Any = waiter.greenlet
            waiter = None
            switch_to(target)
            return
        entry = self.ready.pop()
        self._batch -= 1
        if entry is None:
            self._nothing_left()
        elif isinstance(entry, RawGreenlet):
            raw = entry
            if self._closing & 1:
                raw._finish_unstarted(HubDestroyed(self))
            elif raw._phase == SCHEDULED:
                self._start(raw)
            elif self._per_greenlet.enabled:
                note_unrun(self.ready, raw)
        else:
            try:
                entry.run()  # type: ignore[attr-defined]
            except BaseException:
                watcher = getattr(entry, "source", None)
                self.handle_error(entry if watcher is None else watcher, *sys.exc_info())

    def _start(self, raw: RawGreenlet) -> None:
        self.started += 1
        if self._per_greenlet.enabled:
            note_beginning(self.ready, raw)
        try:
            switch_to(raw)
        finally:
            if raw._phase == SCHEDULED:  # a trace function's error ended it before its first line
                raw._finish_unstarted(InvalidSwitchError(f"{raw!r} ended before it could begin"))

    def progress(self) -> tuple[int, int, bool]:
        """Return how far the scheduling is: (passes, rest of the batch, whether the loop polls now). Any thread.

        If a greenlet has given up the processor between two calls, the two numbers differ.
        """
        return (self.loop.passes, self._batch, self.loop.polling)

    def run_signal_callbacks(self, callback: Callable[[], object]) -> None:
        """Call `callback()`; raise an exception of it, or of a signal handler, in the main greenlet.

        Python runs signal handlers before the first instruction of a Python function, outside of its try blocks; so
        the try block is here, in the caller.
        """
        try:
            callback()
        except BaseException as error:
            self.interrupt_now(self.main, error)

    def _pursue(self, target: greenlet) -> None:
        if target is not getcurrent() and not self.loop.closed:
            from hubcore._core.by_hand import reach

            self.loop._queue_callback(reach, (self, target))

    def _pursue_above(self, current: greenlet) -> None:
        """See to the interrupts of the greenlets that may have switched to `current` by hand, before it waits."""
        above: Any = current.parent
        while above is not None and above is not self:
            if self._interrupts_of(above) is not None:
                self._pursue(above)
            above = above.parent

    # Policies that Hub implements.

    def _nothing_left(self) -> None:
        raise NotImplementedError

    def _woken_from_outside(self) -> bool:
        raise NotImplementedError

    def handle_error(
        self, context: object, type: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def _is_in_doubt(self, current: greenlet) -> bool:
        """Whether `current` may perhaps not wait here now: `_check_may_wait` decides."""
        return current is self or self._closing != 0 or self.loop.polling or self.thread_ident != get_ident()

    def _is_interrupted(self, current: greenlet, raw: RawGreenlet | None) -> bool:
        """Whether an interrupt of `current` waits to be raised; `raw` is `current` itself if it is a RawGreenlet."""
        if raw is not None:
            return raw._interrupts is not None
        state = self._foreign.get(current)
        return state is not None and state.interrupts is not None

    def _check_may_wait(self, current: greenlet, waiter: Waiter | None) -> None:
        """Raise the reason why `current` cannot wait now; return if it can: at a fork, but not in the child."""
        from hubcore._core.wait_errors import check_may_wait

        try:
            check_may_wait(self, current, self._closing, self._forking_pid)
        except BaseException:
            if waiter is not None:
                waiter.abandon()
            raise


def _switch_away(hub: Scheduler, waiter: Waiter) -> bool:
    """Switch to the next greenlet; return whether a throw resumed the caller. Its error is then set."""
    if hub._per_greenlet.enabled:
        note_leaving(hub.ready, waiter)
    following = hub._next()
    # A separate local: `following` holds the value that its greenlet was woken with, and the caller may sleep for long.
    target: Any = hub if following is None else following.greenlet
    if following is waiter:
        note_return(hub.ready, False)
        return False
    following = None
    if hub._per_greenlet.enabled:
        return _after_switch(switch_noting(hub.ready, target))
    failed = switch_fails(target)
    if hub._per_greenlet.enabled:  # an observer has come meanwhile
        note_return(hub.ready, failed)
    return _after_switch(failed)


def _after_switch(failed: bool) -> bool:
    """Return `failed`, after a switch, once coverage.py has noticed that the caller goes on."""
    if is_measured():
        call_keeping_failure(resumed, ())
    return failed
