"""Memory channels: items sent at one end are received at the other, until every sending end is closed.

Both ends can be cloned. The clones of an end share one queue of waiters, first come, first served. An end that is
dropped without a close counts as closed, so waiters at the other end do not wait forever.
"""

from __future__ import annotations

from _collections import deque
from collections import namedtuple
from queue import Empty, Full

from hubcore._base import uncompiled as cython
from hubcore._base.hints import class_getitem
from hubcore._core.deadlines import ended_by
from hubcore._core.waiter import Source, WaitQueue
from hubcore._queues.store import NOTHING as _NOTHING
from hubcore.exceptions import BrokenChannel, ClosedChannel, EndOfChannel

if not cython.compiled:
    from hubcore._base.hints import Any, Generic, Self, T, T_co, T_contra
    from hubcore._capi.fallback import atomic, process_ends, publish
    from hubcore._core.waiter import WAITING, new_entry
    from hubcore._sync.waitable import check_timeout, park, waiter_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    from hubcore._core.waiter import WaitEntry, Waiter

# Wake the waiters that can get or send nothing any more.
_CLOSED = object()
_END = object()
_BROKEN = object()


if TYPE_CHECKING:

    class _Numbers(NamedTuple):
        items: int
        max_items: int | None
        open_senders: int
        open_receivers: int
        waiting_senders: int
        waiting_receivers: int

else:
    _Numbers = namedtuple(
        "_Numbers", "items max_items open_senders open_receivers waiting_senders waiting_receivers", module=__name__
    )


class ChannelStatistics(_Numbers):
    """The state of a channel at one moment; `max_items` is None for any number."""

    __slots__ = ()


class Conduit:
    """The state that the ends share. An end calls its methods in one atomic step with the test of its own state."""

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
        """Hand `item` over to the first receiver, or store it; False if there is no room."""
        if self.receivers.count and self.receivers.wake_first(item):
            return True
        if not self.has_room():
            return False
        self.items.append(item)
        return True

    def take(self) -> Any:
        """Remove and return the next item; _NOTHING if there is none."""
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
        """Accept the items of waiting senders while there is room."""
        while self.senders._first is not None and self.has_room():
            entry = self.senders._first
            waiter = self.senders.claim(entry, None)
            if waiter is not None:
                # Before the sender's thread can go on, or its next item could overtake this one.
                self.items.append(entry.item)
                waiter.resume()

    def take_back(self, item: Any) -> None:
        """Make `item`, which was taken but not delivered, the next item again."""
        if self.open_receivers and not self.receivers.wake_first(item):
            self.items.appendleft(item)

    def describe(self) -> str:
        bound = "" if self.bound < 0 else f" of {self.bound}"
        return f"{len(self.items)}{bound} items, {self.senders.count} sending, {self.receivers.count} receiving"


class _End(Source):
    """The common base of the two kinds of end."""

    __slots__ = ("__weakref__", "_conduit", "_open")

    def __init__(self) -> None:
        self._open = False
        self._conduit: Conduit = Conduit(0)  # for __del__, which runs as soon as this has raised
        raise TypeError(f"cannot make a {type(self).__name__} directly; call open_channel(), or clone() of another one")

    def _begin(self, conduit: Conduit, model: _End | None) -> None:
        """Open this end, as a clone of `model` if there is one; ClosedChannel if that was closed."""
        self._open = False
        self._conduit = conduit
        if model is not None:
            model._refuse_if_closed()
        self._open = True

    def _refuse_if_closed(self) -> None:
        if not self._open:
            raise ClosedChannel(self)

    def _check_timeout(self, timeout: float) -> None:
        """Check `timeout` before a wait; TimeoutError if it is 0."""
        check_timeout(timeout)
        if timeout == 0:
            raise TimeoutError(f"would have to wait: {self!r}")

    def _dismiss(self, queue: WaitQueue) -> None:
        """Wake the waiters of this end, which was closed, but not those of its clones."""
        if queue.count:
            for entry in queue.entries():
                if entry._queue is queue and entry.on is self:
                    queue.wake(entry, _CLOSED)

    def close(self) -> None:
        """Close this end: its waiters get ClosedChannel.

        Once all clones of a sending end are closed, receivers get the items that are left, and then EndOfChannel. Once
        all clones of a receiving end are closed, senders get BrokenChannel, and the stored items are dropped. Never
        switches; any thread, also a finalizer; no effect if it is closed already.
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
        """Return the numbers of items, open ends and waiters. Never switches."""
        conduit = self._conduit
        return ChannelStatistics(
            items=len(conduit.items),
            max_items=None if conduit.bound < 0 else conduit.bound,
            open_senders=conduit.open_senders,
            open_receivers=conduit.open_receivers,
            waiting_senders=conduit.senders.count,
            waiting_receivers=conduit.receivers.count,
        )

    __class_getitem__ = class_getitem

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} {self._conduit.describe() if self._open else 'closed'}>"


class SendChannel(_End, Generic["T_contra"]):
    """The sending end of a channel. Any thread. Also a context manager, which closes it."""

    __slots__ = ()

    def send(self, item: T_contra, timeout: float | None = None) -> None:
        """Send `item`. If the channel is full, wait for room, at most `timeout` seconds. Switches only if it waits.

        TimeoutError if there is no room; the item was not sent then. A timeout of 0 never switches. BrokenChannel if
        every receiving end is closed, ClosedChannel if this end was closed; both also during the wait.
        """
        if not self._try_send(item):
            self._send_later(item, timeout)

    def send_nowait(self, item: T_contra) -> None:
        """As `send`, but never switches: queue.Full if the channel is full."""
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
            raise ended_by(timeout, TimeoutError(f"no room within {timeout} seconds: {self!r}"))
        if waiter.value is not None:
            self._conclude(entry, waiter.value)

    def _join(self, entry: WaitEntry, waiter: Waiter) -> bool:
        """Send the item if there is room now, else queue up; return whether it was sent."""
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

    def clone(self) -> SendChannel[T_contra]:
        """Return another sending end of the channel, to be closed separately. ClosedChannel if this one was closed."""
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


class ReceiveChannel(_End, Generic["T_co"]):
    """The receiving end of a channel. Any thread. Also an iterator, and a context manager, which closes it."""

    __slots__ = ()

    def receive(self, timeout: float | None = None) -> T_co:
        """Return the next item. If there is none, wait for one, at most `timeout` seconds. Switches only if it waits.

        TimeoutError if no item came. A timeout of 0 never switches. EndOfChannel if every sending end is closed and no
        item is left, ClosedChannel if this end was closed; both also during the wait.
        """
        item = self._take()
        if item is _NOTHING:
            item = self._receive_later(timeout)
        return item

    def receive_nowait(self) -> T_co:
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
            raise ended_by(timeout, TimeoutError(f"no item within {timeout} seconds: {self!r}"))
        return self._conclude(entry, waiter.value)

    def _join(self, entry: WaitEntry, waiter: Waiter) -> Any:
        """Return an item if there is one now; else queue up and return _NOTHING."""
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
        """As Source._hand_back: the item goes to the first receiver, or becomes the next again."""
        if value is not _CLOSED and value is not _END:
            self._take_back(value)

    def _take_back(self, item: object) -> None:
        self._conduit.take_back(item)

    def clone(self) -> ReceiveChannel[T_co]:
        """Return another receiving end of the channel, to be closed separately. ClosedChannel if this one was closed.

        Each item is received once, by the clone that comes first.
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
        """Iterate over the items as they come, until the end of the channel."""
        return self

    def __next__(self) -> T_co:
        try:
            return self.receive()
        except EndOfChannel:
            raise StopIteration from None


def open_channel(max_items: float | None) -> tuple[SendChannel[T], ReceiveChannel[T]]:
    """Return the two ends of a new channel that stores at most `max_items`; None or math.inf: any number.

    With 0 it stores nothing: a sender waits until a receiver takes its item. It belongs to no hub.
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


publish("hubcore.channel", SendChannel)
publish("hubcore.channel", ReceiveChannel)

if not cython.compiled:
    atomic(SendChannel, "_try_send", "_join", "_serve", "clone", "_shut")
    atomic(ReceiveChannel, "_take", "_join", "_serve", "clone", "_shut", "_take_back")
