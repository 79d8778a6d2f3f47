"""Cancel scopes: a `with` block whose waits can be ended from outside, by a call or by a deadline.

Each greenlet has a chain of scopes, from the innermost that it is in outward; the chain of a task in a group goes on
with the group's scope. What cancels a greenlet is the outermost cancelled scope that it sees, looking outward from the
innermost and no further than the first that shields. That scope is the greenlet's mark (see `_interrupts`): every wait
raises Cancelled until the greenlet leaves the scope, or enters one that shields. So a mark is looked for where a chain
or something in it changes, and no wait pays for scopes.
"""

from __future__ import annotations

from math import inf

import cython

from hubcore._interrupts import PersistentInterrupt
from hubcore.exceptions import Cancelled
from hubcore.hub import get_hub, get_hub_if_any

if not cython.compiled:
    from hubcore._uncompiled import get_ident, getcurrent, greenlet, import_greenlet

    UNUSED, ACTIVE, LEFT, LOST = range(4)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any, Self

    from hubcore._rawgreenlet import RawGreenlet
    from hubcore.hub import Hub

import_greenlet()


class CancelScope(PersistentInterrupt):
    """A block of code that can be cancelled: from then on every call in it that waits raises Cancelled.

    The scope itself stops that exception where the block ends; `cancelled_caught` says that it did. `deadline` is the
    time of the hub's loop (`get_hub().loop.now()`) at which it cancels itself. With `shield`, nothing that happens to
    the scopes around it is felt inside. It is entered once, and left by the greenlet that entered it.
    """

    __slots__ = (
        "_after",
        "_by_deadline",
        "_deadline",
        "_fails",
        "_greenlet",
        "_hub",
        "_members",
        "_parent",
        "_shield",
        "_state",
        "cancel_called",
        "cancelled_caught",
        "reason",
    )

    def __init__(self, deadline: float = inf, shield: bool = False) -> None:
        _check_deadline(deadline)
        self._begin(deadline, -1.0, shield, False)

    def _begin(self, deadline: float, after: float, shield: bool, fails: bool) -> None:
        if not cython.compiled:
            PersistentInterrupt.__init__(self)
        self.ref = True
        self._deadline = deadline
        self._after = after  # seconds from the entry to the deadline; negative if `deadline` says when
        self._fails = fails  # whether to raise TimeoutError when the deadline has cut the block short
        self._shield = bool(shield)
        self._state = UNUSED
        self._by_deadline = False
        self.cancel_called = False  # whether it is cancelled, by a call or by its deadline
        self.cancelled_caught = False  # whether it has stopped a Cancelled: its block was cut short
        self.reason: object = None  # what the first `cancel` was given
        self._hub: Hub | None = None
        self._greenlet: greenlet | None = None
        self._parent: CancelScope | None = None
        # The tasks whose chains begin here: those of a group. The set is the group's own.
        self._members: Collection[RawGreenlet] | None = None

    # Cancelling.

    def cancel(self, reason: object = None) -> None:
        """Cancel the block, from any thread; in the hub's own it takes effect at once. Never switches.

        Cancelled once is cancelled for good. Before the block is entered: its first wait raises. After it was left:
        without effect.
        """
        if self.cancel_called:
            return
        hub = self._hub
        if hub is None:
            # The GIL is held from the look at the hub to here: nobody has entered it meanwhile.
            if self._state != LEFT:
                self.reason = reason
                self.cancel_called = True
        elif hub.thread_ident == get_ident():
            self._cancel(reason)
        else:
            hub.loop.run_callback_threadsafe(self._cancel_from_outside, reason)

    def _cancel_from_outside(self, reason: object) -> None:
        self._cancel(reason)

    def _cancel(self, reason: object) -> None:
        if self.cancel_called or self._state == LEFT:
            return
        self.cancel_called = True
        self.reason = reason
        self._hub.loop.deadlines.remove(self)  # type: ignore[union-attr]
        # Where an outer one is in effect already, everyone in here is marked with that one.
        if self._shield or self._parent is None or self._parent._in_effect() is None:
            self._update_marks()

    def fire(self, now: float) -> None:
        """Its deadline has come."""
        self._expire()

    def _expire(self) -> None:
        if not self.cancel_called:
            self._by_deadline = True
            self._cancel("the deadline has passed")

    def exception(self) -> BaseException:
        """The Cancelled that a wait in the block raises."""
        return Cancelled(self.reason, self)

    # What can be changed while the block runs.

    @property
    def deadline(self) -> float:
        """The time of the loop at which it cancels itself, or infinity; may be changed in the hub's thread.

        A new deadline does not undo a cancellation.
        """
        return self._deadline

    @deadline.setter
    def deadline(self, value: float) -> None:
        _check_deadline(value)
        if self._state == ACTIVE:
            self._hub.loop.check_thread()  # type: ignore[union-attr]
        self._deadline = value
        self._after = -1.0
        if self._state == ACTIVE:
            self._schedule()

    @property
    def shield(self) -> bool:
        """Whether the scopes around it are not felt inside; may be changed in the hub's thread."""
        return self._shield

    @shield.setter
    def shield(self, value: bool) -> None:
        if self._state == ACTIVE:
            self._hub.loop.check_thread()  # type: ignore[union-attr]
        self._shield = bool(value)
        if self._state == ACTIVE:
            self._update_marks()

    # The block.

    def __enter__(self) -> Self:
        if self._state != UNUSED:
            raise RuntimeError(f"{self!r} was entered before; a scope serves one block, make another one")
        self._enter(get_hub(), getcurrent())
        return self

    def _enter(self, hub: Hub, current: greenlet) -> None:
        self._parent = hub._scope_of(current)  # type: ignore[assignment]
        self._hub = hub
        self._greenlet = current
        self._state = ACTIVE
        hub._set_scope(current, self)
        if self._after > 0.0:
            if not self.cancel_called:
                hub.loop.add_deadline(self, self._after)
                self._deadline = self.at
        elif self._after == 0.0:
            self._deadline = hub.loop.update_now()
            self._expire()
        elif self._deadline < inf:
            self._schedule()
        if self.cancel_called or hub._interrupts_of(current) is not None:
            hub.set_persistent(current, self._in_effect())

    def _schedule(self) -> None:
        """Put it among the loop's deadlines, as `_deadline` says."""
        loop = self._hub.loop  # type: ignore[union-attr]
        loop.deadlines.remove(self)
        if self.cancel_called or self._deadline == inf:
            return
        if self._deadline <= loop.update_now():
            self._expire()
        else:
            loop.deadlines.add(self, self._deadline)

    def __exit__(self, kind: object, value: BaseException | None, traceback: object) -> bool:
        return self._exit(value)

    def _exit(self, value: BaseException | None) -> bool:
        """The end of the block, with the exception that ends it; whether to go on after it."""
        current = getcurrent()
        if self._state != ACTIVE or self._greenlet is not current or self._hub._scope_of(current) is not self:  # type: ignore[union-attr]
            self._leave_in_disorder(current)
        self._leave()
        parent = self._parent
        self._parent = None
        if value is None or not self.cancel_called:
            return False
        if not self._shield and parent is not None and parent._in_effect() is not None:
            return False  # an outer one ends more than this block
        return self._absorb(value)

    def _leave(self) -> None:
        hub: Any = self._hub
        current: Any = self._greenlet
        hub.loop.deadlines.remove(self)
        hub._set_scope(current, self._parent)
        self._state = LEFT
        self._greenlet = None
        if self._shield or hub._interrupts_of(current) is not None:
            hub.set_persistent(current, None if self._parent is None else self._parent._in_effect())
        self._hub = None

    def _absorb(self, value: BaseException) -> bool:
        """Stop `value` as far as it is a cancellation; True if nothing is left. What is left of a group is raised."""
        rest: BaseException | None = None
        if isinstance(value, BaseExceptionGroup):
            cancelled, rest = value.split(Cancelled)
            if cancelled is None:
                return False
        elif not isinstance(value, Cancelled):
            return False
        self.cancelled_caught = True
        if rest is not None:
            raise_as_it_is(rest)
        if self._fails and self._by_deadline:
            allowed = f" within {self._after:g} seconds" if self._after >= 0 else ""
            raise TimeoutError(f"the block was not done{allowed}: its deadline has passed") from value
        return True

    def _leave_in_disorder(self, current: greenlet) -> None:
        """Leave it as far as possible, and say what is wrong."""
        if self._state != ACTIVE:
            what = ("was never entered", "", "was left before", "was left when a scope around it was")[self._state]
            raise RuntimeError(f"{self!r} cannot be left: it {what}")
        if self._greenlet is not current:
            raise RuntimeError(
                f"{self!r} was entered by {self._greenlet!r} and cannot be left by {current!r}; a `with` block over a "
                "scope stays in one greenlet, so it may not contain a yield of a generator that others resume"
            )
        hub: Any = self._hub
        inner = hub._scope_of(current)
        scope = inner
        while scope is not None and scope is not self:
            # Its tasks, if it is a group's, still are in it, and can still be cancelled by it.
            scope._state = LOST
            scope._greenlet = None
            hub.loop.deadlines.remove(scope)
            scope = scope._parent
        hub._set_scope(current, self)
        self._leave()
        raise RuntimeError(f"{self!r} was left before {inner!r}, which is inside it; leave the innermost scope first")

    # Who is cancelled by what.

    def _in_effect(self) -> CancelScope | None:
        """What cancels a greenlet whose innermost scope is this one."""
        found = None
        scope: CancelScope | None = self
        while scope is not None:
            if scope.cancel_called:
                found = scope
            if scope._shield:
                break
            scope = scope._parent
        return found

    def _update_marks(self) -> None:
        """Something about this scope has changed: have everyone in it marked as is now right."""
        hub: Any = self._hub
        for each in self._inside():
            _mark(hub, each)

    def _inside(self) -> list[greenlet]:
        """The greenlets that are in this scope, in those within it, and in their groups."""
        hub: Any = self._hub
        found: list[greenlet] = []
        todo = [self]
        if self._greenlet is not None:
            found.append(self._greenlet)
            _between(hub, self._greenlet, self, todo)
        while todo:
            group = todo.pop()
            if group._members:
                for member in tuple(group._members):
                    found.append(member)
                    _between(hub, member, group, todo)
        return found

    @property
    def targets(self) -> list[greenlet]:
        """The greenlets that it will cancel when its deadline comes: those in it whom no scope further in shields."""
        return self._targets()

    def _targets(self) -> list[greenlet]:
        hub: Any = self._hub
        found: list[greenlet] = []
        if hub is not None:
            for each in self._inside():
                scope: Any = hub._scope_of(each)
                while scope is not None and scope is not self and not scope._shield:
                    scope = scope._parent
                if scope is self:
                    found.append(each)
        return found

    # Groups.

    def serve(self, members: Collection[RawGreenlet]) -> None:
        """Be the scope of a group whose tasks are in the set `members`, now and later."""
        self._members = members

    def adopt(self, task: RawGreenlet) -> None:
        """Have the chain of `task`, which has not run yet, begin here."""
        task._scope = self
        if self._in_effect() is not None:
            self._hub.set_persistent(task, self._in_effect())  # type: ignore[union-attr]

    def begin_for(self, task: RawGreenlet) -> CancelScope:
        """A new scope inside this one, in which `task`, which has not run yet, begins, as if it had entered it."""
        inner = CancelScope()
        inner._parent = self
        inner._hub = self._hub
        inner._greenlet = task
        inner._state = ACTIVE
        inner.adopt(task)
        return inner

    def release(self, task: RawGreenlet) -> None:
        """`task` has ended: it holds on to no scope any more."""
        scope = task._scope
        while scope is not None and scope is not self:
            own: Any = scope
            if own._hub is not None:
                own._hub.loop.deadlines.remove(own)
            own._state = LEFT
            own._greenlet = None
            own._hub = None
            scope = own._parent
        task._scope = None

    @property
    def active(self) -> bool:
        """Whether its block is being run."""
        return self._state == ACTIVE

    def __repr__(self) -> str:
        state = ("not entered", "active", "left", "left out of order")[self._state]
        if self.cancelled_caught:
            state += ", cut its block short"
        elif self.cancel_called:
            state += ", cancelled"
        if self.reason is not None:
            state += f" ({self.reason})"
        if self._shield:
            state += ", shielding"
        return f"<{type(self).__name__} {state} at {id(self):#x}>"


def _mark(hub: Hub, target: greenlet) -> None:
    """Have `target` marked as its scopes say."""
    scope: Any = hub._scope_of(target)
    hub.set_persistent(target, None if scope is None else scope._in_effect())


def _between(hub: Hub, target: greenlet, outer: CancelScope, found: list[CancelScope]) -> None:
    """Append to `found` the scopes that `target` is in, from its innermost up to `outer`, without that."""
    scope: Any = hub._scope_of(target)
    while scope is not None and scope is not outer:
        found.append(scope)
        scope = scope._parent


def raise_as_it_is(error: BaseException) -> None:
    """Raise `error` without making what is being handled its context: that contains it."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context


def _check_deadline(deadline: float) -> None:
    try:
        known = deadline <= inf
    except TypeError:
        raise TypeError(
            f"a scope's deadline is a time of the hub's loop, or infinity for none; not {deadline!r}"
        ) from None
    if not known:
        raise ValueError("a scope's deadline is a time of the hub's loop, or infinity for none; not nan")


def _scope_of_seconds(function: str, seconds: float | None, shield: bool, fails: bool) -> CancelScope:
    if seconds is None or seconds == inf:
        after = -1.0
    else:
        try:
            after = seconds
            valid = after >= 0.0
        except TypeError:
            raise TypeError(_wrong_seconds(function, seconds)) from None
        if not valid:
            raise ValueError(_wrong_seconds(function, seconds))
    scope = CancelScope.__new__(CancelScope)
    scope._begin(inf, after, shield, fails)
    return scope


def _wrong_seconds(function: str, seconds: object) -> str:
    return f"{function} takes a number of seconds from 0 on, or None for no limit; not {seconds!r}"


def _scope_until(deadline: float, shield: bool, fails: bool) -> CancelScope:
    _check_deadline(deadline)
    scope = CancelScope.__new__(CancelScope)
    scope._begin(deadline, -1.0, shield, fails)
    return scope


def move_on_after(seconds: float | None, *, shield: bool = False) -> CancelScope:
    """A scope for a block that may take `seconds` from its beginning: then it is cut short, and what follows it runs.

    None: without limit. `with move_on_after(5) as scope: ...`; then `scope.cancelled_caught` says whether it was.
    """
    return _scope_of_seconds("move_on_after", seconds, shield, False)


def move_on_at(deadline: float, *, shield: bool = False) -> CancelScope:
    """As `move_on_after`, until the time `deadline` of the hub's loop."""
    return _scope_until(deadline, shield, False)


def fail_after(seconds: float | None, *, shield: bool = False) -> CancelScope:
    """As `move_on_after`, but TimeoutError when the deadline has cut the block short."""
    return _scope_of_seconds("fail_after", seconds, shield, True)


def fail_at(deadline: float, *, shield: bool = False) -> CancelScope:
    """As `fail_after`, until the time `deadline` of the hub's loop."""
    return _scope_until(deadline, shield, True)


def current_effective_deadline() -> float:
    """The time of the loop at which the caller will be cancelled as things stand; infinity: never, minus it: it is.

    Of the scopes that the calling greenlet is in, those count that are not beyond one that shields. Never switches.
    """
    hub = get_hub_if_any()
    if hub is None:
        return inf
    earliest = inf
    scope: Any = hub._scope_of(getcurrent())
    while scope is not None:
        if scope.cancel_called:
            return -inf
        if scope._deadline < earliest:
            earliest = scope._deadline
        if scope._shield:
            break
        scope = scope._parent
    return earliest
