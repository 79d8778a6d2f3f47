"""History: what clients asked a service for, when, and what they got; and whether one order of it all explains that.

The search is Wing and Gong's (1993) with Lowe's memory of states that were tried (2017): operations are placed one
after the other, each after all that had ended when it began, and a result that the model does not have is a dead end.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import inf
from types import TracebackType
from typing import Any, NamedTuple

from hubcore.testing.sim import _builtins
from hubcore.testing.sim._errors import NotLinearizable
from hubcore.testing.sim._models import UNKNOWN

MOST_STATES = 1_000_000


class Operation(NamedTuple):
    """One operation of a history."""

    process: Any  #: whose it is
    name: str
    argument: Any
    result: Any  #: UNKNOWN where nobody got an answer
    began: int  #: its place among the beginnings and ends of all
    ended: float  #: the same; infinity where it may still happen
    time: float  #: when it began, in virtual seconds

    def __str__(self) -> str:
        argument = "" if self.argument is None else repr(self.argument)
        how = "and nobody knows whether it happened" if self.result is UNKNOWN else f"-> {self.result!r}"
        return f"{self.time:.4f} {self.process}: {self.name}({argument}) {how}"


class Call:
    """An operation under way. Used with `with`."""

    def __init__(self, history: History, process: Any, name: str, argument: Any) -> None:
        self._history = history
        self._process = process
        self._name = name
        self._argument = argument
        self._result: Any = None
        self._refused = False
        self._began = 0
        self._time = 0.0

    def returned(self, value: object) -> None:
        """It has happened, and returned that. Without, a block that ends is one that returned None."""
        self._result = value

    def refused(self) -> None:
        """It did not happen, and never will."""
        self._refused = True

    def __enter__(self) -> Call:
        self._began = self._history._next()
        self._time = _now()
        self._history._under_way[self] = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._history._under_way.pop(self, None)
        if not self._refused:
            self._history._add(self._operation(UNKNOWN if kind is not None else self._result))

    def _operation(self, result: Any) -> Operation:
        ended = inf if result is UNKNOWN else self._history._next()
        return Operation(self._process, self._name, self._argument, result, self._began, ended, self._time)


class History:
    """Operations of the clients of a service, noted by the clients; it may be shared by several hosts' programs."""

    def __init__(self) -> None:
        self._operations: list[Operation] = []
        self._under_way: dict[Call, None] = {}
        self._events = 0

    def _next(self) -> int:
        self._events += 1
        return self._events

    def _add(self, operation: Operation) -> None:
        self._operations.append(operation)

    def call(self, process: Hashable, operation: str, *argument: Any) -> Call:
        """An operation of `process`, to be made in a `with` block: its beginning and end are the operation's.

        A block that ends by an exception is of an operation that may have happened, now or later.
        """
        if not isinstance(operation, str):
            raise TypeError(f"an operation is given by its name, not by {operation!r}")
        given: Any = argument[0] if len(argument) == 1 else argument or None
        return Call(self, process, operation, given)

    @property
    def operations(self) -> list[Operation]:
        """All so far, in the order of their beginnings; those under way may still happen."""
        under_way = [call._operation(UNKNOWN) for call in self._under_way]
        return sorted(self._operations + under_way, key=lambda each: each.began)

    def check(self, model: Any) -> None:
        """NotLinearizable unless some order of the operations explains all results by `model` (an object or a class),
        each operation being done at one moment between its beginning and its end.

        RuntimeError if that takes more than a million states to find out. Never switches.
        """
        if isinstance(model, type):
            model = model()
        if not callable(getattr(model, "step", None)) or not hasattr(model, "init"):
            raise TypeError(f"a model has init and step(state, operation, argument, result), not {model!r}")
        operations = self.operations
        if hasattr(model, "key"):
            by_key: dict[Any, list[Operation]] = {}
            for each in operations:
                by_key.setdefault(model.key(each.name, each.argument), []).append(each)
            for key, some in by_key.items():
                _check(model, some, f" of key {key!r}")
        else:
            _check(model, operations, "")

    def __len__(self) -> int:
        return len(self._operations)

    def __repr__(self) -> str:
        return f"<History of {len(self._operations)} operations, {len(self._under_way)} under way>"


def _now() -> float:
    return 0.0 if _builtins.world is None else _builtins.world.now


class Search:
    """Looks for an order of `operations`, sorted by their beginnings, that `model` explains."""

    def __init__(self, model: Any, operations: list[Operation]) -> None:
        self._model = model
        self._operations = operations
        self.states = 0  # that were tried
        #: The most operations that could be placed, and the states in which that ends.
        self.deepest = -1
        self.ends: dict[Any, None] = {}

    def run(self) -> bool:
        """Whether there is one."""
        operations, model = self._operations, self._model
        every = 0  # those that must be placed, as bits
        for i, each in enumerate(operations):
            if each.ended < inf:
                every |= 1 << i
        seen: set[tuple[int, Any]] = set()
        stack: list[tuple[int, Any, int]] = [(0, model.init, 0)]  # placed, state, the first that is not placed
        while stack:
            placed, state, low = stack.pop()
            if (placed, state) in seen:
                continue
            seen.add((placed, state))
            self.states += 1
            if self.states > MOST_STATES:
                raise RuntimeError(
                    f"the history takes more than {MOST_STATES:,} states to check: have fewer operations at a time, "
                    "fewer that nobody got an answer to, or several keys (KeyValue checks each by itself)"
                )
            self._note(placed & every, state)
            if placed & every == every:
                return True
            while placed >> low & 1:
                low += 1
            end = inf
            following = []
            i = low
            # What has ended before another began comes before it.
            while i < len(operations) and operations[i].began < end:
                if not placed >> i & 1:
                    each = operations[i]
                    end = min(end, each.ended)
                    following.append(i)
                i += 1
            for i in reversed(following):
                each = operations[i]
                if each.began < end:
                    right, new = model.step(state, each.name, each.argument, each.result)
                    if right:
                        stack.append((placed | 1 << i, new, low))
        return False

    def _note(self, placed: int, state: Any) -> None:
        depth = placed.bit_count()
        if depth > self.deepest:
            self.deepest = depth
            self.ends.clear()
        if depth == self.deepest:
            self.ends[state] = None


def _check(model: Any, operations: list[Operation], which: str) -> None:
    if Search(model, operations).run():
        return
    ends = sorted(each.ended for each in operations if each.ended < inf)
    low, high = 0, len(ends)  # the prefix of `low` ends is right, that of `high` is not
    while high - low > 1:
        middle = (low + high) // 2
        if Search(model, _prefix(operations, ends[middle - 1])).run():
            low = middle
        else:
            high = middle
    prefix = _prefix(operations, ends[high - 1])
    last = next(each for each in prefix if each.ended == ends[high - 1])
    search = Search(model, [each for each in prefix if each is not last])
    search.run()
    beside = [each for each in prefix if each is not last and each.ended > last.began]
    lines = [f"no order of the operations{which} explains what they returned", f"  this one cannot be placed: {last}"]
    if beside:
        lines.append("  beside it were:")
        lines += [f"    {each}" for each in beside]
    lines.append("  before it the state could be: " + ", ".join(map(repr, list(search.ends)[:10])))
    raise NotLinearizable("\n".join(lines), prefix, [last, *beside])


def _prefix(operations: list[Operation], end: float) -> list[Operation]:
    """`operations` as they were known at `end`: what ended later may still happen then."""
    return [
        each if each.ended <= end else each._replace(ended=inf, result=UNKNOWN)
        for each in operations
        if each.began < end
    ]
