"""Steps of a thread that is a greenlet, counted so that a loop that never waits lets other greenlets run.

Fact: a native thread can wait for another in a loop that only tries (`while not lock.acquire(blocking=False): pass`),
because the interpreter takes the GIL from it now and then. Consequence: what a thread can try or look at in such a loop
spends from the run's budget, a try as much as a socket operation that succeeds at once, a lock that is free or a flag
that is read a sixteenth of that. When the budget is spent, the thread pauses: the others run.

The objects of `hubcore.threading` always count. Those that programs without threads use, too (`hubcore.lock`, queues),
promise that a try never switches; they count only after `hubcore.monkey` has made threads greenlets.

A pause does not happen in the hub, and not in code that has interrupted other code, which relies on running alone until
its next call that may wait: a finalizer (`__del__`, `weakref.finalize`), or a signal handler that Python has called on
the greenlet's own stack. A handler that `hubcore.signal` has set runs in a greenlet, and with a budget, of its own.

A pause leaves an interrupt pending, because locks are taken also where a greenlet cleans up after one. Only after many
pauses in a row does it raise the interrupt: a loop that only tries has to end by it.
"""

from __future__ import annotations

# The C module under `signal`; see `_watchers.signals`.
import _signal
import sys

from hubcore._base import uncompiled as cython

if not cython.compiled:
    from hubcore._capi.fallback import getcurrent, import_greenlet, process_ends
    from hubcore.hub import hub_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from hubcore.hub import Hub

import_greenlet()

_PART = 64
_POLL = 8  # of a batch: a poll takes as long as many steps, so not every pause polls

_left = _PART  # of the part of a budget that all threads of the process spend together, before one looks for its hub
_all_count = False
_getsignal = _signal.getsignal
_signals = tuple(_signal.valid_signals())


def count_all() -> None:
    """Count the tries of shared objects, too, from now on: threads are greenlets."""
    global _all_count
    _all_count = True


if not cython.compiled:
    # Compiled, these are inline; see the .pxd.

    def count_step() -> None:
        """Count a lock taken at once, or a look at a flag. May switch."""
        global _left
        _left -= 1
        if _left <= 0:
            spend_part()

    def count_try() -> None:
        """Count a try that does not wait; else as `count_step`."""
        global _left
        _left -= 16
        if _left <= 0:
            spend_part()

    def count_step_if_patched() -> None:
        """As `count_step`, if threads are greenlets; for objects that programs without threads use, too."""
        if _all_count:
            count_step()

    def count_try_if_patched() -> None:
        """As `count_try`, if threads are greenlets; for objects that programs without threads use, too."""
        if _all_count:
            count_try()


def note_try() -> None:
    """As `count_try`, for code that is not compiled."""
    count_try()


def note_try_if_patched() -> None:
    """As `count_try_if_patched`, for code that is not compiled."""
    count_try_if_patched()


def begin_part() -> None:
    """Begin a part of a budget anew: what a simulated run spends must not depend on what the process did before it."""
    global _left
    _left = _PART


def spend_part() -> int:
    """Spend a part of the budget of the calling thread's hub, if it has one. May switch."""
    global _left
    part, _left = _PART - _left, _PART
    hub = hub_here()
    if hub is not None:
        hub._budget -= part
        if hub._budget <= 0:
            hub._budget = hub._whole_budget
            if not process_ends():
                _pause(hub)
    return 0


def _pause(hub: Hub) -> None:
    current = getcurrent()
    if hub._is_in_doubt(current):
        return
    if hub.ready.count == 0:
        hub._batch -= _POLL
        if hub._batch < 0:
            hub._poll(False)
        hub.loop.spins()
    if hub.ready.count != 0 and not interrupts_other_code():
        hub._let_others_run(current)
    if hub._interrupts_of(current) is not None and hub._is_overdue(current):
        hub._raise_interrupt(current)


def interrupts_other_code() -> bool:
    """Return whether a finalizer or a signal handler runs on the calling greenlet's stack. Never switches."""
    interrupting = _handlers()
    weakref = sys.modules.get("weakref")
    if weakref is not None:
        interrupting.append(weakref.finalize.__call__.__code__)
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or _is_one_of(interrupting, code):
            return True
        frame = frame.f_back
    return False


def _handlers() -> list[object]:
    """Return the code of the functions that Python calls for signals."""
    found: list[object] = []
    for number in _signals:
        handler = _getsignal(number)
        if handler is not None and not isinstance(handler, int):
            found.append(getattr(getattr(handler, "__func__", handler), "__code__", None))
    return found


def _is_one_of(them: list[object], it: object) -> bool:
    for each in them:
        if each is it:  # to compare two code objects for equality takes long
            return True
    return False
