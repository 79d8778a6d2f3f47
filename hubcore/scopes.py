"""Cancel scopes: a call or a deadline can end the waits in a `with` block.

Each greenlet has a chain of scopes, from its innermost scope outward. The chain of a task in a group continues with the
group's scope. The scope that cancels a greenlet is the outermost cancelled scope in its chain; the search goes outward
from the innermost scope and ends at the first one that shields. The result is the greenlet's mark (see
`_core.interrupts`): every wait raises Cancelled until the greenlet leaves that scope or enters one that shields. The
mark is computed when a chain or a scope in it changes, so a wait pays nothing for scopes.
"""

from __future__ import annotations

from math import inf

from hubcore._base import uncompiled as cython
from hubcore._core.interrupts import PersistentInterrupt
from hubcore.exceptions import Cancelled
from hubcore.hub import get_hub, get_hub_if_any

if not cython.compiled:
    from hubcore._base.hints import Any, Collection, Self
    from hubcore._capi.fallback import get_ident, getcurrent, greenlet, import_greenlet

    UNUSED, ACTIVE, LEFT, LOST = range(4)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.raw_greenlet import RawGreenlet
    from hubcore.hub import Hub

import_greenlet()


class CancelScope(PersistentInterrupt):
    """A block of code that can be cancelled: after that, every call in it that waits raises Cancelled.

    The scope itself stops that exception where the block ends; `cancelled_caught` is then true. `deadline` is the time
    of the hub's loop (`get_hub().loop.now()`, in seconds) at which the scope cancels itself. With `shield`, the scopes
    around it do not cancel the block. A scope is entered once, and left by the greenlet that entered it.
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
        self._after = after  # seconds from the entry to the deadline; negative if `deadline` was given
        self._fails = fails  # whether to raise TimeoutError if the deadline cut the block short
        self._shield = bool(shield)
        self._state = UNUSED
        self._by_deadline = False
        self.cancel_called: bool = False  # whether it is cancelled, by a call or by its deadline
        self.cancelled_caught: bool = False  # whether it stopped a Cancelled, so its block was cut short
        self.reason: object = None  # the argument of the first `cancel`
        self._hub: Hub | None = None
        self._greenlet: greenlet | None = None
        self._parent: CancelScope | None = None
        # The tasks of the group whose scope this is; their chains begin here. The group owns the set.
        self._members: Collection[RawGreenlet] | None = None

    # Cancelling.

    def cancel(self, reason: object = None) -> None:
        """Cancel the block. Never switches; any thread. In the hub's own thread it takes effect at once.

        A cancellation is permanent. Before the block is entered: its first wait raises. After the block was left: no
        effect.
        """
        if self.cancel_called:
            return
        hub = self._hub
        if hub is None:
            # The GIL is held since the hub was read: no greenlet has entered the scope meanwhile.
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
        # If an outer scope is in effect already, the greenlets in this one are marked with the outer scope.
        if self._shield or self._parent is None or self._parent._in_effect() is None:
            self._update_marks()

    def _fire(self, now: float) -> None:
        """Cancel the block: the deadline has come."""
        self._expire()

    def _expire(self) -> None:
        if not self.cancel_called:
            self._by_deadline = True
            self._cancel("the deadline has passed")

    def _make_exception(self) -> BaseException:
        """Return the Cancelled that a wait in the block raises."""
        return Cancelled(self.reason, self)

    # What can be changed while the block runs.

    @property
    def deadline(self) -> float:
        """The time of the loop, in seconds, at which the scope cancels itself, or infinity.

        Set it in the hub's thread only. A new deadline does not undo a cancellation.
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
        """Whether the scopes around it do not cancel the block. Set it in the hub's thread only."""
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
            raise RuntimeError(f"cannot enter {self!r} again; make a new scope for each block")
        self._enter(get_hub(), getcurrent())
        return self

    def _enter(self, hub: Hub, current: greenlet) -> None:
        if hub.loop.polling:
            hub.loop.check_interruptible()
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
        """Add the scope to the loop's deadlines at `_deadline`."""
        loop = self._hub.loop  # type: ignore[union-attr]
        loop.deadlines.remove(self)
        if self.cancel_called or self._deadline == inf:
            return
        if self._deadline <= loop.update_now():
            self._expire()
        else:
            loop.add_deadline_at(self, self._deadline)

    def __exit__(self, kind: object, value: BaseException | None, traceback: object) -> bool:
        return self._exit(value)

    def _exit(self, value: BaseException | None) -> bool:
        """End the block, with the exception that ends it; return whether that exception stops here."""
        current = getcurrent()
        if self._state != ACTIVE or self._greenlet is not current or self._hub._scope_of(current) is not self:  # type: ignore[union-attr]
            self._leave_in_disorder(current)
        self._leave()
        parent = self._parent
        self._parent = None
        if value is None or not self.cancel_called:
            return False
        if not self._shield and parent is not None and parent._in_effect() is not None:
            return False  # an outer scope ends more than this block
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
        """Stop the cancellations in `value`; return True if nothing is left. Raise the rest of an exception group."""
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
            raise TimeoutError(f"the block did not finish{allowed}: its deadline has passed") from value
        return True

    def _leave_in_disorder(self, current: greenlet) -> None:
        """Leave the scope as far as possible, and raise RuntimeError with the reason."""
        if self._state != ACTIVE:
            what = ("was never entered", "", "was already left", "ended when a scope around it was left")[self._state]
            raise RuntimeError(f"cannot leave {self!r}: it {what}")
        if self._greenlet is not current:
            raise RuntimeError(
                f"{self!r} was entered by {self._greenlet!r} and cannot be left by {current!r}; a `with` block over a "
                "scope must stay in one greenlet, so it must not contain a yield of a generator that others resume"
            )
        hub: Any = self._hub
        inner = hub._scope_of(current)
        scope = inner
        while scope is not None and scope is not self:
            # If it is a group's scope, its tasks are still in it and it can still cancel them.
            scope._state = LOST
            scope._greenlet = None
            hub.loop.deadlines.remove(scope)
            scope = scope._parent
        hub._set_scope(current, self)
        self._leave()
        raise RuntimeError(f"{self!r} was left before {inner!r}, which is inside it; leave the innermost scope first")

    # Which scope cancels which greenlet.

    def _in_effect(self) -> CancelScope | None:
        """Return the scope that cancels a greenlet whose innermost scope is this one, or None."""
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
        """Recompute the marks of all greenlets in this scope, after a change of it."""
        hub: Any = self._hub
        for each in self._inside():
            _mark(hub, each)

    def _inside(self) -> list[greenlet]:
        """Return the greenlets in this scope, in the scopes inside it, and in their groups."""
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
        """The greenlets that its deadline will cancel: those in it that no inner scope shields."""
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

    def _serve_group(self, members: Collection[RawGreenlet]) -> None:
        """Become the scope of a group that keeps its tasks in the set `members`, now and later."""
        self._members = members

    def _adopt(self, task: RawGreenlet) -> None:
        """Make this scope the innermost one of `task`, which has not run yet."""
        task._scope = self
        if self._in_effect() is not None:
            self._hub.set_persistent(task, self._in_effect())  # type: ignore[union-attr]

    def _begin_for(self, task: RawGreenlet) -> CancelScope:
        """Return a new scope inside this one, in which `task`, which has not run yet, begins."""
        inner = CancelScope()
        inner._parent = self
        inner._hub = self._hub
        inner._greenlet = task
        inner._state = ACTIVE
        inner._adopt(task)
        return inner

    def _release(self, task: RawGreenlet) -> None:
        """Drop all references from `task`, which has ended, to scopes."""
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
        """Whether its block is running."""
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
    """Recompute the mark of `target`."""
    scope: Any = hub._scope_of(target)
    hub.set_persistent(target, None if scope is None else scope._in_effect())


def _between(hub: Hub, target: greenlet, outer: CancelScope, found: list[CancelScope]) -> None:
    """Append to `found` the scopes that `target` is in, from its innermost outward to `outer`, which is excluded."""
    scope: Any = hub._scope_of(target)
    while scope is not None and scope is not outer:
        found.append(scope)
        scope = scope._parent


def raise_as_it_is(error: BaseException) -> None:
    """Raise `error`, and keep its context: the exception being handled contains `error`."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context


def _check_deadline(deadline: float) -> None:
    try:
        known = deadline <= inf
    except TypeError:
        raise TypeError(f"deadline must be a time of the hub's loop, or math.inf for none, not {deadline!r}") from None
    if not known:
        raise ValueError("deadline must be a time of the hub's loop, or math.inf for none, not nan")


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
    return f"{function}(): seconds must be a number >= 0, or None for no limit, not {seconds!r}"


def _scope_until(deadline: float, shield: bool, fails: bool) -> CancelScope:
    _check_deadline(deadline)
    scope = CancelScope.__new__(CancelScope)
    scope._begin(deadline, -1.0, shield, fails)
    return scope


def move_on_after(seconds: float | None, *, shield: bool = False) -> CancelScope:
    """Return a scope that cuts its block short `seconds` after the block begins. The code after the block then runs.

    None: no limit. After `with move_on_after(5) as scope: ...`, `scope.cancelled_caught` is true if it was cut short.
    """
    return _scope_of_seconds("move_on_after", seconds, shield, False)


def move_on_at(deadline: float, *, shield: bool = False) -> CancelScope:
    """As `move_on_after`, with a `deadline` in the hub's loop's time, in seconds."""
    return _scope_until(deadline, shield, False)


def fail_after(seconds: float | None, *, shield: bool = False) -> CancelScope:
    """As `move_on_after`, but raise TimeoutError if the deadline cut the block short."""
    return _scope_of_seconds("fail_after", seconds, shield, True)


def fail_at(deadline: float, *, shield: bool = False) -> CancelScope:
    """As `fail_after`, with a `deadline` in the hub's loop's time, in seconds."""
    return _scope_until(deadline, shield, True)


def current_effective_deadline() -> float:
    """Return the loop time, in seconds, at which the current scopes will cancel the caller. Never switches.

    Infinity: never. Minus infinity: the caller is cancelled already. Scopes outside one that shields do not count.
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
