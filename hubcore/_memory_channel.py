"""Memory channels: what is sent at one end is received at the other, until all who could send have closed theirs.

Both ends may be cloned. The clones of an end share one queue of those who wait, first come, first served. An end that
is dropped without being closed counts as closed, so whoever waits at the other end need not wait for ever.
"""

from __future__ import annotations

from _collections import deque
from collections import namedtuple
from queue import Empty, Full

import cython

from hubcore._park import Source, WaitQueue
from hubcore.exceptions import BrokenChannel, ClosedChannel, EndOfChannel

if not cython.compiled:
    from hubcore._awaitable import check_timeout, park, waiter_at
    from hubcore._park import WAITING, new_entry
    from hubcore._uncompiled import atomic, process_ends

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import GenericAlias
    from typing import Any, Self

    from hubcore._park import WaitEntry, Waiter

_NOTHING = object()
# What those are woken with who wait in vain.
_CLOSED = object()
_END = object()
_BROKEN = object()


_Numbers = namedtuple(
    "_Numbers", "items max_items open_senders open_receivers waiting_senders waiting_receivers", module=__name__
)


class ChannelStatistics(_Numbers):
    """What a channel was like at one moment; `max_items` None stands for any number."""

    __slots__ = ()


class Conduit:
    """What lies between the ends. Its methods are called in one step with the look at the end that calls them."""

    __slots__ = ("bound", "items", "open_receivers", "open_senders", "receivers", "senders")

    def __init__(self, bound: int) -> None:
        self.bound = bound  # -1 for none
        self.items: deque[Any] = deque()
        self.senders = WaitQueue()
        self.receivers = WaitQueue()
        self.open_senders = 0
        self.open_receivers = 0

    def has_room(self) -> bool:
        return self.bound < 0 or len(self.items) < self.bound

    def put(self, item: Any) -> bool:
        """Hand `item` to who waits for one, or store it; False if there is no room."""
        if self.receivers.count and self.receivers.wake_first(item):
            return True
        if not self.has_room():
            return False
        self.items.append(item)
        return True

    def take(self) -> Any:
        """The next item, removed; _NOTHING if there is none."""
        if len(self.items):
            item = self.items.popleft()
            if self.senders.count:
                self.admit()
            return item
        while self.senders._first is not None:
            entry = self.senders._first
            if self.senders.wake(entry, None):
                return entry.item
        return _NOTHING

    def admit(self) -> None:
        """There is room: let in the items of those who wait to send."""
        while self.senders._first is not None and self.has_room():
            entry = self.senders._first
            waiter = self.senders.claim(entry, None)
            if waiter is not None:
                # Before its thread can go on, or what that sends next could come before this.
                self.items.append(entry.item)
                waiter.resume()

    def take_back(self, item: Any) -> None:
        """`item` was taken and cannot be used: it is the next again."""
        if self.open_receivers and not self.receivers.wake_first(item):
            self.items.appendleft(item)

    def describe(self) -> str:
        bound = "" if self.bound < 0 else f" of {self.bound}"
        return f"{len(self.items)}{bound} items, {self.senders.count} sending, {self.receivers.count} receiving"


class _End(Source):
    """What the two kinds of end have in common."""

    __slots__ = ("__weakref__", "_conduit", "_open")

    def __init__(self) -> None:
        self._open = False
        self._conduit: Conduit = Conduit(0)  # for its end, which comes as soon as this has raised
        raise TypeError(f"a {type(self).__name__} is made by open_channel(), or as a clone of another one")

    def _begin(self, conduit: Conduit, model: _End | None) -> None:
        """Be open, as a clone of `model` if there is one; ClosedChannel if that was closed."""
        self._open = False
        self._conduit = conduit
        if model is not None:
            model._refuse_if_closed()
        self._open = True

    def _refuse_if_closed(self) -> None:
        if not self._open:
            raise ClosedChannel(self)

    def _check_timeout(self, timeout: float) -> None:
        """Before a wait of `timeout` seconds: TimeoutError if that is none."""
        check_timeout(timeout)
        if timeout == 0:
            raise TimeoutError(f"not possible at once: {self!r}")

    def _dismiss(self, queue: WaitQueue) -> None:
        """This end was closed: those who wait at it, and at no clone of it, wait in vain."""
        if queue.count:
            for entry in queue.entries():
                if entry._queue is queue and entry.on is self:
                    queue.wake(entry, _CLOSED)

    def close(self) -> None:
        """Close this end: who waits at it gets ClosedChannel.

        Once all clones of a sending end are closed, receivers get what is left, and then EndOfChannel. Once all of a
        receiving end are, senders get BrokenChannel, and what nobody can receive any more is dropped. Never switches;
        any thread, also a finalizer; harmless if it is closed already.
        """
        if self._open:
            self._shut()

    def _shut(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not process_ends():  # then modules may have lost their names
            self.close()

    @property
    def closed(self) -> bool:
        """Whether this end was closed."""
        return not self._open

    def statistics(self) -> ChannelStatistics:
        """How many items, ends and waits there are. Never switches."""
        conduit = self._conduit
        return ChannelStatistics(
            items=len(conduit.items),
            max_items=None if conduit.bound < 0 else conduit.bound,
            open_senders=conduit.open_senders,
            open_receivers=conduit.open_receivers,
            waiting_senders=conduit.senders.count,
            waiting_receivers=conduit.receivers.count,
        )

    @classmethod
    def __class_getitem__(cls, item: object) -> GenericAlias:
        from types import GenericAlias

        return GenericAlias(cls, item)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} {self._conduit.describe() if self._open else 'closed'}>"


class SendChannel(_End):
    """The end at which items go in. Any thread. A context manager, which closes it."""

    __slots__ = ()

    def send(self, item: Any, timeout: float | None = None) -> None:
        """Send `item`. Switches only if the channel is full: then it waits for room, `timeout` seconds at most.

        TimeoutError if there still is none, and the item was not sent; with a timeout of 0 that never switches.
        BrokenChannel if nobody is left to receive, ClosedChannel if this end was closed, both also while it waits.
        """
        if not self._try_send(item):
            self._send_later(item, timeout)

    def send_nowait(self, item: Any) -> None:
        """As `send`, but never switches: queue.Full if the channel is."""
        if not self._try_send(item):
            raise Full

    def _try_send(self, item: Any) -> bool:
        if not self._open or self._conduit.open_receivers == 0:
            self._refuse()
        return self._conduit.put(item)

    def _refuse(self) -> None:
        self._refuse_if_closed()
        raise BrokenChannel(self)

    def _send_later(self, item: Any, timeout: float | None) -> None:
        if timeout is not None:
            self._check_timeout(timeout)
        entry = new_entry(self, item, "send to")
        waiter = waiter_at(entry)
        if self._join(entry, waiter):
            return
        if not park(waiter, timeout):
            raise TimeoutError(f"no room within {timeout} seconds: {self!r}")
        if waiter.value is not None:
            self._conclude(entry, waiter.value)

    def _join(self, entry: WaitEntry, waiter: Waiter) -> bool:
        """Queue up, unless there is room now; whether the item was sent."""
        if self._try_send(entry.item):
            return True
        self._conduit.senders.add(entry, waiter)
        return False

    def _serve(self, entry: WaitEntry, waiter: Waiter, stay: bool) -> bool:
        """As Source._serve."""
        if waiter.outcome != WAITING:
            return True
        conduit = self._conduit
        if not self._open or conduit.open_receivers == 0:
            self._refuse()
        other = conduit.receivers.first_but(waiter)
        if other is not None:
            if entry.claim(waiter, None):
                conduit.receivers.wake(other, entry.item)
            return True
        if conduit.has_room():
            if entry.claim(waiter, None):
                conduit.items.append(entry.item)
            return True
        if stay:
            conduit.senders.add(entry, waiter)
        return False

    def _conclude(self, entry: WaitEntry, value: object) -> object:
        """As Source._conclude."""
        if value is _CLOSED:
            raise ClosedChannel(self)
        if value is _BROKEN:
            raise BrokenChannel(self)
        return value

    def clone(self) -> SendChannel:
        """Another end of the same channel, to be closed by itself. ClosedChannel if this one was closed."""
        return _open_sender(self._conduit, self)

    def _shut(self) -> None:
        if not self._open:
            return
        conduit = self._conduit
        self._open = False
        conduit.open_senders -= 1
        self._dismiss(conduit.senders)
        if conduit.open_senders == 0:
            conduit.receivers.wake_all(_END)


class ReceiveChannel(_End):
    """The end at which items come out. Any thread. A context manager, which closes it, and an iterator."""

    __slots__ = ()

    def receive(self, timeout: float | None = None) -> Any:
        """The next item. Switches if there is none: waits for one, `timeout` seconds at most.

        TimeoutError if there still is none; with a timeout of 0 that never switches. EndOfChannel if none can come any
        more, ClosedChannel if this end was closed, both also while it waits.
        """
        item = self._take()
        if item is _NOTHING:
            item = self._receive_later(timeout)
        return item

    def receive_nowait(self) -> Any:
        """As `receive`, but never switches: queue.Empty if there is no item."""
        item = self._take()
        if item is _NOTHING:
            raise Empty
        return item

    def _take(self) -> Any:
        if not self._open:
            self._refuse_if_closed()
        item = self._conduit.take()
        if item is _NOTHING and self._conduit.open_senders == 0:
            raise EndOfChannel(self)
        return item

    def _receive_later(self, timeout: float | None) -> Any:
        if timeout is not None:
            self._check_timeout(timeout)
        entry = new_entry(self, None, "receive from")
        waiter = waiter_at(entry)
        item = self._join(entry, waiter)
        if item is not _NOTHING:
            return item
        if not park(waiter, timeout):
            raise TimeoutError(f"nothing came within {timeout} seconds: {self!r}")
        return self._conclude(entry, waiter.value)

    def _join(self, entry: WaitEntry, waiter: Waiter) -> Any:
        """Queue up, unless there is an item now: that, or _NOTHING."""
        item = self._take()
        if item is _NOTHING:
            self._conduit.receivers.add(entry, waiter)
        return item

    def _serve(self, entry: WaitEntry, waiter: Waiter, stay: bool) -> bool:
        """As Source._serve."""
        if waiter.outcome != WAITING:
            return True
        if not self._open:
            self._refuse_if_closed()
        conduit = self._conduit
        if len(conduit.items):
            if entry.claim(waiter, conduit.items[0]):
                conduit.take()
            return True
        other = conduit.senders.first_but(waiter)
        if other is not None:
            if entry.claim(waiter, other.item):
                conduit.senders.wake(other, None)
            return True
        if conduit.open_senders == 0:
            raise EndOfChannel(self)
        if stay:
            conduit.receivers.add(entry, waiter)
        return False

    def _conclude(self, entry: WaitEntry, value: object) -> object:
        """As Source._conclude."""
        if value is _CLOSED:
            raise ClosedChannel(self)
        if value is _END:
            raise EndOfChannel(self)
        return value

    def _hand_back(self, entry: WaitEntry, value: object) -> None:
        """As Source._hand_back: the item goes to who waits for one, or is the next again."""
        if value is not _CLOSED and value is not _END:
            self._take_back(value)

    def _take_back(self, item: object) -> None:
        self._conduit.take_back(item)

    def clone(self) -> ReceiveChannel:
        """Another end of the same channel, to be closed by itself. ClosedChannel if this one was closed.

        Each item is received once, by whichever clone comes first.
        """
        return _open_receiver(self._conduit, self)

    def _shut(self) -> None:
        if not self._open:
            return
        conduit = self._conduit
        self._open = False
        conduit.open_receivers -= 1
        self._dismiss(conduit.receivers)
        if conduit.open_receivers == 0:
            conduit.senders.wake_all(_BROKEN)
            conduit.items.clear()  # last, because it may run finalizers

    def __iter__(self) -> Self:
        """The items as they come, until the end of the channel."""
        return self

    def __next__(self) -> Any:
        try:
            return self.receive()
        except EndOfChannel:
            raise StopIteration from None


def open_channel(max_items: float | None) -> tuple[SendChannel, ReceiveChannel]:
    """The two ends of a new channel, which holds at most `max_items`; None or math.inf: any number.

    With 0 it holds nothing: whoever sends waits until somebody receives. Belongs to no hub.
    """
    conduit = Conduit(_bound_of(max_items))
    return _open_sender(conduit, None), _open_receiver(conduit, None)


def _bound_of(max_items: float | None) -> int:
    if max_items is None or max_items == float("inf"):
        return -1
    if not isinstance(max_items, int):
        raise TypeError(f"'max_items' must be an integer, math.inf or None, not {max_items!r}")
    if max_items < 0:
        raise ValueError(f"'max_items' must be 0 or more, not {max_items!r}")
    return max_items


def _open_sender(conduit: Conduit, model: _End | None) -> SendChannel:
    new = SendChannel.__new__(SendChannel)
    new._begin(conduit, model)
    conduit.open_senders += 1
    return new


def _open_receiver(conduit: Conduit, model: _End | None) -> ReceiveChannel:
    new = ReceiveChannel.__new__(ReceiveChannel)
    new._begin(conduit, model)
    conduit.open_receivers += 1
    return new


if not cython.compiled:
    atomic(SendChannel, "_try_send", "_join", "_serve", "clone", "_shut")
    atomic(ReceiveChannel, "_take", "_join", "_serve", "clone", "_shut", "_take_back")
