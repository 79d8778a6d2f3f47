"""Interrupts: what is to be raised in a greenlet where it waits, or when it waits next.

Two kinds stand in one list for each greenlet, so that a wait has one place to look at:

    an exception     a kill, a Timeout            raised once, by the first wait that comes to it
    a PersistentInterrupt   a cancelled scope            raised anew by every wait, until it is taken away

There is at most one mark, and it is the last of the list: whatever is raised once goes first, and so reaches a
greenlet that is being cancelled, too.
"""

from __future__ import annotations

import cython

from hubcore._core.deadlines import Deadline
from hubcore._core.raw_greenlet import RawGreenlet

if not cython.compiled:
    from hubcore._capi.fallback import greenlet, import_greenlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import Waiter

import_greenlet()


class PersistentInterrupt(Deadline):
    """A mark that has every wait of a greenlet raise; `set_persistent` puts it there. It may have a time to act at."""

    __slots__ = ()

    def exception(self) -> BaseException:
        """What the wait raises: a new one each time, for each gets a traceback of its own. Never switches."""
        raise NotImplementedError(f"{type(self).__name__} does not say what to raise")


class InterruptMixin(greenlet):
    """The half of the Scheduler that interrupts its greenlets. Hub's thread only; nothing here switches."""

    def _set_up_interrupts(self) -> None:
        # For greenlets of other makers, the main one among them.
        self._foreign: dict[greenlet, Waiter] = {}
        self._foreign_interrupts: dict[greenlet, list[object]] = {}
        self._foreign_scopes: dict[greenlet, PersistentInterrupt] = {}

    def interrupt(self, target: greenlet, exception: object) -> None:
        """Raise `exception` (class or instance), once, in `target` where it is parked, or when it parks next."""
        waiter = self._waiter_of(target)
        if waiter is not None and waiter.fail(exception):
            return
        alone = [exception]  # before the look: making it may run finalizers, which interrupt, too
        waiting = self._interrupts_of(target)
        if waiting is None:
            self._set_interrupts(target, alone)
        elif isinstance(waiting[-1], PersistentInterrupt):
            waiting.insert(len(waiting) - 1, exception)
        else:
            waiting.append(exception)

    def interrupt_now(self, target: greenlet, exception: BaseException) -> None:
        """As `interrupt`, but also where the wait of `target` is over and it has only to go on.

        For what ends a program, such as Ctrl-C: the main greenlet may never wait again. What the wait handed it goes
        back to whom it came from.
        """
        waiter = self._waiter_of(target)
        if waiter is None or not waiter.overrule(exception):
            self.interrupt(target, exception)

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

    def set_persistent(self, target: greenlet, mark: PersistentInterrupt | None) -> None:
        """Have every wait of `target` raise what `mark` says, the one that it is in, too; None: no longer."""
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
        if waiter is not None and not waiter.ended:
            waiter.fail(mark.exception())

    def _next_interrupt(self, target: greenlet) -> object:
        """What to raise in `target` now, of which there is something."""
        first = self._interrupts_of(target)[0]  # type: ignore[index]
        if isinstance(first, PersistentInterrupt):
            return first.exception()
        return self._take_interrupt(target, 0)

    def _is_marked(self, target: greenlet) -> bool:
        waiting = self._interrupts_of(target)
        return waiting is not None and isinstance(waiting[-1], PersistentInterrupt)

    # Where each kind of greenlet has these.

    def _interrupts_of(self, target: greenlet) -> list[object] | None:
        if isinstance(target, RawGreenlet):
            own = target
            return own._interrupts
        return self._foreign_interrupts.get(target)

    def _set_interrupts(self, target: greenlet, waiting: list[object] | None) -> None:
        if isinstance(target, RawGreenlet):
            own = target
            own._interrupts = waiting
        elif waiting is None:
            del self._foreign_interrupts[target]
        else:
            self._foreign_interrupts[target] = waiting

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
        return self._foreign.get(target)

    def _note_parked(self, target: greenlet, waiter: Waiter | None) -> None:
        if isinstance(target, RawGreenlet):
            own = target
            own._waiter = waiter
        elif waiter is None:
            self._foreign.pop(target, None)
        else:
            self._foreign[target] = waiter

    def _scope_of(self, target: greenlet) -> PersistentInterrupt | None:
        if isinstance(target, RawGreenlet):
            own = target
            scope: PersistentInterrupt | None = own._scope
            return scope
        return self._foreign_scopes.get(target)

    def _set_scope(self, target: greenlet, scope: PersistentInterrupt | None) -> None:
        if isinstance(target, RawGreenlet):
            own = target
            own._scope = scope
        elif scope is None:
            self._foreign_scopes.pop(target, None)
        else:
            self._foreign_scopes[target] = scope
