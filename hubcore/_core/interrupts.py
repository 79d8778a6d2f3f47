"""Interrupts: exceptions that wait to be raised in a greenlet, where it is parked or where it parks next.

Each greenlet has one list for both kinds, so that a wait checks one place:

    an exception            a kill, a Timeout      raised once, by the first wait that finds it
    a PersistentInterrupt   a cancelled scope      raised anew by every wait, until it is removed

The list has at most one persistent interrupt, at its end. An exception goes before it, and so also reaches a greenlet
that is being cancelled.
"""

from __future__ import annotations

from hubcore._base import uncompiled as cython
from hubcore._core.deadlines import Deadline
from hubcore._core.raw_greenlet import RawGreenlet

if not cython.compiled:
    from hubcore._capi.fallback import greenlet, import_greenlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import Waiter

import_greenlet()

# Pauses of a greenlet that leave its interrupts pending, before one raises them (`_sync.steps`). Code that
# cleans up after an interrupt hardly makes so many steps without a wait.
_PATIENCE = 32


class PersistentInterrupt(Deadline):
    """Makes every wait of a greenlet raise, from `set_persistent` on. As a deadline it can also act at a time."""

    __slots__ = ()

    def _make_exception(self) -> BaseException:
        """A new exception for the wait to raise: each has a traceback of its own. Never switches."""
        raise NotImplementedError(f"{type(self).__name__} does not implement _make_exception()")


class ForeignState:
    """What a RawGreenlet has in fields, for a greenlet of another class, such as the main greenlet."""

    __slots__ = ("interrupts", "pauses", "scope", "waiter")

    def __init__(self) -> None:
        self.waiter: Waiter | None = None  # while it is parked
        self.interrupts: list[object] | None = None
        self.pauses = 0
        self.scope: PersistentInterrupt | None = None


class InterruptNotes:
    """The interrupts that came for a greenlet from a moment on: by them a caller tells an interrupt from a failure."""

    __slots__ = ("_came", "_own")

    def __init__(self, pending: list[object]) -> None:
        self._came = pending
        self._own: list[object] = []

    def add(self, exception: object) -> None:
        """Note that `exception`, a class or an instance, interrupts the greenlet."""
        self._came.append(exception)

    def disown(self, exception: object) -> None:
        """Note that the greenlet itself has started the Timeout that raises `exception`, so it is no interrupt."""
        self._own.append(exception)

    def has(self, error: BaseException) -> bool:
        """Return whether `error`, which the greenlet has caught, is one of the interrupts."""
        return _is_of(error, self._came) and not _is_of(error, self._own)


def _is_of(error: BaseException, exceptions: list[object]) -> bool:
    return any(each is error or each is type(error) for each in exceptions)


class InterruptMixin(greenlet):
    """The part of the Scheduler that interrupts its greenlets. Hub's thread only; no method switches."""

    def _set_up_interrupts(self) -> None:
        self._foreign: dict[greenlet, ForeignState] = {}
        self._noted: dict[greenlet, InterruptNotes] | None = None

    def interrupt(self, target: greenlet, exception: object) -> None:
        """Raise `exception` (class or instance), once, in `target` where it is parked, or when it parks next."""
        if self._noted is not None:
            self.note_interrupt(target, exception)
        waiter = self._waiter_of(target)
        if waiter is not None and waiter.fail(exception):
            return
        alone = [exception]  # made before the list is read: making it may run finalizers, which interrupt, too
        waiting = self._interrupts_of(target)
        if waiting is None:
            self._set_interrupts(target, alone)
        elif isinstance(waiting[-1], PersistentInterrupt):
            waiting.insert(len(waiting) - 1, exception)
        else:
            waiting.append(exception)
        if waiter is None:
            self._pursue(target)

    def interrupt_now(self, target: greenlet, exception: BaseException) -> None:
        """As `interrupt`, but also if the wait of `target` is over and it has only to go on.

        For exceptions that end a program, such as Ctrl-C: the main greenlet may never wait again. What the wait was
        handed goes back to its source.
        """
        waiter = self._waiter_of(target)
        if waiter is None or not waiter.overrule(exception):
            self.interrupt(target, exception)
        elif self._noted is not None:
            self.note_interrupt(target, exception)

    def retract(self, target: greenlet, exception: object) -> bool:
        """Take back an `interrupt` that was not raised yet; whether there was one."""
        for i, other in enumerate(self._interrupts_of(target) or ()):
            if other is exception:
                self._take_interrupt(target, i)
                return True
        return False

    def has_interrupt(self, target: greenlet, exception: object) -> bool:
        """Whether an `interrupt` of `target` with `exception` is still to be raised."""
        waiting = self._interrupts_of(target)
        return waiting is not None and any(other is exception for other in waiting)

    def is_about_to_raise(self, target: greenlet, kind: type[BaseException]) -> bool:
        """Return whether `target` has still to raise an interrupt that is an instance of `kind`."""
        waiter = self._waiter_of(target)
        if waiter is not None and waiter.ended and isinstance(waiter.value, kind):
            return True
        return any(isinstance(each, kind) for each in self._interrupts_of(target) or ())

    def take_interrupt(self, target: greenlet) -> object:
        """Take back the first `interrupt` of `target` that was not raised yet, and return it; None if there is none."""
        waiting = self._interrupts_of(target)
        if waiting is None or isinstance(waiting[0], PersistentInterrupt):
            return None
        return self._take_interrupt(target, 0)

    def set_persistent(self, target: greenlet, mark: PersistentInterrupt | None) -> None:
        """Make every wait of `target`, also its present one, raise `mark._make_exception()`. None: no longer."""
        waiting = self._interrupts_of(target)
        before = None
        if waiting is not None and isinstance(waiting[-1], PersistentInterrupt):
            before = waiting[-1]
        if before is mark:
            return
        if mark is None:
            self._take_interrupt(target, -1)
            return
        if before is not None:
            waiting[-1] = mark  # type: ignore[index]
        elif waiting is not None:
            waiting.append(mark)
        else:
            self._set_interrupts(target, [mark])
        waiter = self._waiter_of(target)
        if waiter is None:
            self._pursue(target)
        elif not waiter.ended:
            waiter.fail(mark._make_exception())

    def take_notes(self, target: greenlet) -> InterruptNotes:
        """Return the notes of the interrupts of `target`, those that are pending included, until `end_notes`."""
        if self._noted is None:
            self._noted = {}
        pending = self._interrupts_of(target) or ()
        notes = InterruptNotes([each for each in pending if not isinstance(each, PersistentInterrupt)])
        self._noted[target] = notes
        return notes

    def notes_of(self, target: greenlet) -> InterruptNotes | None:
        """Return the notes of `target` that are being taken; None if there are none."""
        return None if self._noted is None else self._noted.get(target)

    def end_notes(self, target: greenlet) -> None:
        """Undo `take_notes`."""
        if self._noted is not None:
            self._noted.pop(target, None)
            if not self._noted:
                self._noted = None

    def note_interrupt(self, target: greenlet, exception: object) -> None:
        """Note that `exception` interrupts `target`, if notes of its interrupts are taken."""
        notes = self.notes_of(target)
        if notes is not None:
            notes.add(exception)

    def _pursue(self, target: greenlet) -> None:
        """See to an interrupt of `target`, which is not parked."""
        raise NotImplementedError

    def _next_interrupt(self, target: greenlet) -> object:
        """What to raise in `target` now. There is an interrupt."""
        first = self._interrupts_of(target)[0]  # type: ignore[index]
        if isinstance(first, PersistentInterrupt):
            return first._make_exception()
        return self._take_interrupt(target, 0)

    def _is_marked(self, target: greenlet) -> bool:
        waiting = self._interrupts_of(target)
        return waiting is not None and isinstance(waiting[-1], PersistentInterrupt)

    def _is_overdue(self, target: greenlet) -> bool:
        """Count a pause of `target` that leaves its interrupts pending; return whether there were too many."""
        if isinstance(target, RawGreenlet):
            own = target
            own._pauses += 1
            if own._pauses < _PATIENCE:
                return False
            own._pauses = 0
            return True
        state = self._own_state(target)
        state.pauses += 1
        if state.pauses < _PATIENCE:
            return False
        state.pauses = 0
        return True

    # The state of a greenlet: fields of a RawGreenlet, a ForeignState of others, which exists while it holds anything.

    def _own_state(self, target: greenlet) -> ForeignState:
        state = self._foreign.get(target)
        if state is None:
            fresh = ForeignState()
            state = self._foreign.setdefault(target, fresh)
        return state

    def _drop_if_empty(self, target: greenlet, state: ForeignState) -> None:
        if state.waiter is None and state.interrupts is None and state.scope is None:
            self._foreign.pop(target, None)

    def _interrupts_of(self, target: greenlet) -> list[object] | None:
        if isinstance(target, RawGreenlet):
            own = target
            return own._interrupts
        state = self._foreign.get(target)
        return None if state is None else state.interrupts

    def _set_interrupts(self, target: greenlet, waiting: list[object] | None) -> None:
        if isinstance(target, RawGreenlet):
            own = target
            own._interrupts = waiting
        else:
            state = self._own_state(target)
            state.interrupts = waiting
            self._drop_if_empty(target, state)

    def _take_interrupt(self, target: greenlet, i: int) -> object:
        waiting = self._interrupts_of(target)
        exception: object = waiting.pop(i)  # type: ignore[union-attr]
        if not waiting:
            self._set_interrupts(target, None)
        return exception

    def _waiter_of(self, target: greenlet) -> Waiter | None:
        if isinstance(target, RawGreenlet):
            own = target
            return own._waiter
        state = self._foreign.get(target)
        return None if state is None else state.waiter

    def _note_parked(self, target: greenlet, waiter: Waiter | None) -> None:
        if isinstance(target, RawGreenlet):
            own = target
            own._waiter = waiter
        else:
            state = self._own_state(target)
            state.waiter = waiter
            self._drop_if_empty(target, state)

    def _scope_of(self, target: greenlet) -> PersistentInterrupt | None:
        if isinstance(target, RawGreenlet):
            own = target
            scope: PersistentInterrupt | None = own._scope
            return scope
        state = self._foreign.get(target)
        return None if state is None else state.scope

    def _set_scope(self, target: greenlet, scope: PersistentInterrupt | None) -> None:
        if isinstance(target, RawGreenlet):
            own = target
            own._scope = scope
        else:
            state = self._own_state(target)
            state.scope = scope
            self._drop_if_empty(target, state)
