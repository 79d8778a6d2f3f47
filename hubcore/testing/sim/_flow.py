"""One direction of a TCP connection: bytes arrive in order and whole, or not at all.

What the network does to packets only delays them: what is lost, or cut off by a partition, is sent again, after 0.2
seconds, doubled each time, and after fifteen times in vain the connection is given up, as Linux does it. How a stream
is cut into segments is drawn: a receiver may get one byte of a message.

Acknowledgements are no events: when each arrives is worked out when it leaves, and read when somebody asks for room.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from hubcore.testing.sim._network import NEXT, RETRANSMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._network import Link
    from hubcore.testing.sim._world import Event

_MOST = 16384  # bytes of one segment
_CUT = 0.25  # how often a segment is shorter than it could be
_TRIES = 15
_ORPHANS_TRIES = 8
_LONGEST = 120.0
_ACK = 40  # bytes of a packet without data
_PAGE = 2920  # bytes that the window opens by before the sender is told

OPEN, QUEUED, SENT, ACKNOWLEDGED = range(4)  # of the end of the stream


class Flow:
    """What `sender`, a Tcp, sends to its peer."""

    __slots__ = (
        "ack_lost", "acks", "armed", "back", "end", "in_flight", "last_ack", "last_arrival", "link", "lost", "lost_at",
        "outstanding", "probing", "retry", "sender", "starved", "stopped", "tries", "unsent", "world",
    )  # fmt: skip

    def __init__(self, sender: Any, link: Link, back: Link) -> None:
        self.sender = sender
        self.world = sender.world
        self.link = link
        self.back = back
        self.unsent: deque[bytes] = deque()
        self.outstanding = 0  # bytes that were written and not acknowledged
        self.acks: deque[tuple[float, int]] = deque()  # on their way back: when they arrive, and for how many bytes
        self.in_flight = 0  # bytes that were sent and have not arrived
        self.last_arrival = 0.0
        self.last_ack = 0.0
        self.lost: deque[bytes] = deque()  # segments to be sent again, in order; b"" is the end
        self.lost_at = 0.0
        self.ack_lost = 0  # bytes whose acknowledgement was lost
        self.probing = False  # the word that the window is open again was lost
        self.starved = False  # the window is closed
        self.retry: Event[Any] | None = None
        self.tries = 0
        self.armed: Event[Any] | None = None  # when there will be room for who waits for it
        self.end = OPEN
        self.stopped = False

    # The sender's side.

    def room(self) -> int:
        """How many bytes can be written now."""
        acks = self.acks
        if acks:
            now = self.world.now
            while acks and acks[0][0] <= now:
                self.outstanding -= acks.popleft()[1]
        limit: int = self.sender.send_limit
        return limit - self.outstanding

    def has_room(self) -> bool:
        """Whether there is so much room that a writer is woken for it, a third; if not, it will be."""
        limit: int = self.sender.send_limit
        if self.room() * 3 >= limit:
            return True
        self._arm()
        return False

    def _arm(self) -> None:
        if self.armed is not None:
            return
        limit: int = self.sender.send_limit
        free = limit - self.outstanding
        for at, count in self.acks:
            free += count
            if free * 3 >= limit:
                self.armed = self.world.at(at, self._has_room_now)
                return

    def _has_room_now(self) -> None:
        self.armed = None
        self.sender.changed()

    def write(self, data: bytes) -> None:
        """Take `data`, for which there is room."""
        self.unsent.append(data)
        self.outstanding += len(data)
        self.pump()

    def finish(self) -> None:
        """Nothing comes after what was written."""
        if self.end == OPEN:
            self.end = QUEUED
            self.pump()

    def pump(self) -> None:
        """Send what the window has room for."""
        unsent = self.unsent
        receiver = self.sender.peer
        while unsent:
            window = receiver.receive_limit - receiver.unread - self.in_flight
            if window <= 0:
                self.starved = True
                return
            segment = self._cut(window)
            self.in_flight += len(segment)
            self._transmit(segment)
        if self.end == QUEUED:
            self.end = SENT
            self._transmit(b"")

    def _cut(self, window: int) -> bytes:
        head = self.unsent[0]
        size = len(head)
        most = min(size, window, _MOST)
        random = self.link.random
        if most > 1 and not self.link.local and random() < _CUT:
            most = 1 if random() < 0.3 else 1 + int(random() * (most - 1))
        if most == size:
            return self.unsent.popleft()
        self.unsent[0] = head[most:]
        return head[:most]

    def _transmit(self, segment: bytes) -> None:
        if self.lost:
            self.lost.append(segment)
        else:
            self._try(segment)

    def _try(self, segment: bytes) -> None:
        link = self.link
        size = len(segment)
        now = self.world.now
        if link.cuts:
            link.dropped(self.sender.label, size, "partition")
            self._lose(segment)
            return
        self.world.log.add(now, link.source, "send" if segment else "end", size, self.sender.label)
        if link.hold:
            link.held.append((self._arrive, (segment,), size))
            return
        at = now + link.reliable_delay(size)
        if at <= self.last_arrival:
            at = self.last_arrival + NEXT
        self.last_arrival = at
        self.world.at(at, self._arrive, segment)

    # The network's.

    def _arrive(self, segment: bytes) -> None:
        if self.stopped:
            return
        receiver = self.sender.peer
        if self.link.cuts or self.lost or not receiver.kernel.up:
            if not receiver.kernel.up and receiver.host.kernel.up and not self.back.cuts:
                # The host has been started anew since, and knows nothing of this connection.
                self.world.after(self.back.delay(_ACK), self.sender.got_reset)
                return
            why = "partition" if self.link.cuts else "out of order" if self.lost else "the host is down"
            self.link.dropped(self.sender.label, len(segment), why)
            self._lose(segment)
            return
        self.tries = 0
        taken = receiver.takes(segment)
        if not taken:
            if taken is None or self.back.cuts:
                self._lose(segment)  # until there is room, or the reset gets through
            else:
                receiver.send_reset()
            return
        size = len(segment)
        self.in_flight -= size
        if segment:
            self._acknowledge(size)
        elif self.back.cuts:
            self._lose(segment)
        else:
            self.back.send(self._end_acknowledged, (), _ACK)

    def _acknowledge(self, size: int) -> None:
        back = self.back
        if back.cuts:
            self.ack_lost += size
            self._arm_retry()
            return
        if back.hold:
            back.held.append((self._acknowledged, (size,), _ACK))
            return
        at = self.world.now + back.delay(_ACK)
        if at < self.last_ack:
            at = self.last_ack
        self.last_ack = at
        self.acks.append((at, size))
        if self.sender.wants_room:
            self._arm()

    def _acknowledged(self, size: int) -> None:
        self.acks.append((self.world.now, size))
        if self.sender.wants_room:
            self.sender.changed()

    def _end_acknowledged(self) -> None:
        if not self.stopped and self.end == SENT:
            self.end = ACKNOWLEDGED
            self.sender.end_acknowledged()

    # What is lost is sent again.

    def _lose(self, segment: bytes) -> None:
        self.lost.append(segment)
        self._arm_retry()

    def _arm_retry(self) -> None:
        if self.retry is None and not self.stopped:
            if self.tries == 0:
                self.lost_at = self.world.now
            self.retry = self.world.after(min(RETRANSMIT * 2**self.tries, _LONGEST), self._send_again)

    def _send_again(self) -> None:
        self.retry = None
        if self.stopped or not (self.lost or self.ack_lost or self.probing):
            self.tries = 0
            return
        self.tries += 1
        sender = self.sender
        patience = sender.user_timeout
        if self.tries > (_ORPHANS_TRIES if sender.closed_by_program else _TRIES) or (
            patience and self.world.now - self.lost_at >= patience
        ):
            sender.give_up()
            return
        if self.link.cuts:
            self.link.dropped(sender.label, len(self.lost[0]) if self.lost else 0, "partition")
            self._arm_retry()
            return
        lost, self.lost = self.lost, deque()
        for segment in lost:
            self._try(segment)
        if self.ack_lost:
            size, self.ack_lost = self.ack_lost, 0
            self._acknowledge(size)
        if self.probing:
            self.probing = False
            self.window_opens()

    # The receiver's side.

    def consumed(self) -> None:
        """The receiver has read: if the sender waits for the window to open, it is told once that is worth it."""
        receiver = self.sender.peer
        window = receiver.receive_limit - receiver.unread - self.in_flight
        if window >= min(_PAGE, receiver.receive_limit // 2):
            self.window_opens()

    def window_opens(self) -> None:
        """Tell the sender so."""
        self.starved = False
        if self.back.cuts:
            self.starved = self.probing = True
            self._arm_retry()
        else:
            self.back.send(self._window_is_open, (), _ACK)

    def _window_is_open(self) -> None:
        if not self.stopped:
            self.pump()

    # The end.

    def stop(self) -> None:
        """The connection is gone: nothing is sent any more. What is on its way arrives at nothing."""
        self.stopped = True
        self.unsent.clear()
        self.lost.clear()
        self.world.call_off(self.retry)
        self.world.call_off(self.armed)
        self.retry = self.armed = None
