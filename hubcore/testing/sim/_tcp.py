"""TCP: connections carry bytes, and are shut down, closed and reset as Linux does it."""

from __future__ import annotations

import errno
from collections import deque
from socket import IPPROTO_TCP, SHUT_RD, SHUT_RDWR, SHUT_WR, SO_KEEPALIVE, SOCK_STREAM, SOL_SOCKET
from typing import Any

from hubcore.testing.sim._flow import ACKNOWLEDGED, OPEN, Flow
from hubcore.testing.sim._kernel import Kernel
from hubcore.testing.sim._network import NEXT
from hubcore.testing.sim._opening import CLOSED, CONNECTED, CONNECTING, FAILED, LISTENING, NEW, PACKET, Opening
from hubcore.testing.sim._options import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._world import Event

_FIN_TIMEOUT = 60.0  # seconds for which a closed socket waits for the end of its peer
_KEEPIDLE, _KEEPINTVL, _KEEPCNT, _USER_TIMEOUT = 4, 5, 6, 18  # TCP_..., as Linux numbers them
_STATES = (7, 10, 2, 1, 7, 7)  # as TCP_INFO has them


class Tcp(Opening):
    """A TCP socket of the simulated kernel."""

    kind = SOCK_STREAM
    closed_by_program = False
    _ended_first = False

    def __init__(self, kernel: Kernel, family: int, proto: int) -> None:
        super().__init__(kernel, family, proto)
        self.flow: Flow | None = None
        self.chunks: deque[bytes] = deque()  # what has come in
        self.unread = 0
        self.eof = False  # the peer's end has come
        self.heard = 0.0  # when something of the peer came last
        self._probes = 0  # that were not answered
        self._next_probe: Event[Any] | None = None

    @property
    def tcp_state(self) -> int:  # type: ignore[override]
        """Its state, as TCP_INFO has it."""
        if self.state == CONNECTED and self.flow is not None:
            if self.flow.end != OPEN:
                return 9 if self.eof else 5 if self.flow.end == ACKNOWLEDGED else 4
            return 8 if self.eof else 1
        return _STATES[self.state]

    # A connection.

    def begin(self, peer: Any) -> None:
        """It is connected to `peer`."""
        self.peer = peer
        self.state = CONNECTED
        self.flow = Flow(self, self.kernel.link_to(peer.host), peer.kernel.link_to(self.host))
        self.heard = self.world.now
        self._watch_peer()

    def takes(self, segment: bytes) -> bool | None:
        """A segment has arrived: take it. False where the connection is not there any more, None where it is not there
        yet.
        """
        if self._listener is not None:
            self._established()  # what says so was lost, or comes later
            if self._listener is not None and self.state == CONNECTED:
                return None
        if self.state != CONNECTED or (segment and self.closed_by_program):
            return False
        self.heard = self.world.now
        if segment:
            self.chunks.append(segment)
            self.unread += len(segment)
            self.world.log.add(self.world.now, self.host.name, "receive", len(segment), self.label)
        elif not self.eof:
            self.eof = True
            self.world.log.add(self.world.now, self.host.name, "receive end", 0, self.label)
            self._end_if_over()
        self.changed()
        return True

    def end_acknowledged(self) -> None:
        """The peer has our end."""
        self._end_if_over()
        if self.state == CONNECTED and self.closed_by_program:
            self._timer = self.world.after(_FIN_TIMEOUT, self.done)

    def _end_if_over(self) -> None:
        flow = self.flow
        if flow is not None and self.eof and flow.end == ACKNOWLEDGED and self.state == CONNECTED:
            self.done(self._ended_first)

    def receive(self, size: int, peek: bool = False) -> bytes | None:
        """Up to `size` bytes; none at the end of the stream; None where there is nothing yet."""
        chunks = self.chunks
        if self.state == LISTENING:
            raise refuse(errno.ENOTCONN)
        if chunks:
            data = self._take(size, peek)
            flow = self.peer.flow if self.peer is not None else None
            if not peek and flow is not None and flow.starved:
                flow.consumed()
            if self.mirrored:
                self.changed()
            return data
        if self.eof:
            return b""
        if self.error:
            self.raise_error()
        if self.read_shut or self.state in (FAILED, CLOSED):
            return b""
        if self.state == NEW:
            raise refuse(errno.ENOTCONN)
        return None

    def _take(self, size: int, peek: bool) -> bytes:
        chunks = self.chunks
        head = chunks[0]
        if peek:
            return b"".join(chunks)[:size] if len(head) < size else head[:size]
        if len(head) <= size:
            data = chunks.popleft()
            if chunks and len(data) < size:
                parts = [data]
                left = size - len(data)
                while chunks and left > 0:
                    part = chunks[0]
                    if len(part) <= left:
                        chunks.popleft()
                    else:
                        chunks[0] = part[left:]
                        part = part[:left]
                    parts.append(part)
                    left -= len(part)
                data = b"".join(parts)
        else:
            data = head[:size]
            chunks[0] = head[size:]
        self.unread -= len(data)
        return data

    def send(self, view: memoryview) -> int | None:
        """Take of `view` what there is room for; None where there is none."""
        if self.error:
            self.raise_error()
        flow = self.flow
        if flow is None or self.state != CONNECTED or self.write_shut:
            if self.state == CONNECTING:
                return None
            raise refuse(errno.EPIPE)
        room = flow.room()
        if room <= 0 and len(view):
            return None
        data = bytes(view[:room])
        if data:
            flow.write(data)
            if self.mirrored:
                self.changed()
        return len(data)

    def has_peer(self) -> bool:
        """Whether it is connected."""
        return self.state == CONNECTED

    def drop_unread(self) -> None:
        """Forget what has come in, so that closing does not reset the connection."""
        self.chunks.clear()
        self.unread = 0

    def shutdown(self, how: int) -> None:
        """As shutdown(2)."""
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            raise refuse(errno.EINVAL)
        if self.state in (LISTENING, CONNECTING):
            if self.state == CONNECTING:
                self.world.call_off(self._timer)
                self.state = NEW
                self.remote = None
            elif how != SHUT_WR:
                self._stop_listening()
                self.state = NEW
            self.changed()
            return
        # Also where that then is an error, as Linux does it.
        self.read_shut |= how != SHUT_WR
        self.write_shut |= how != SHUT_RD
        if self.state != CONNECTED or self.flow is None:
            self.changed()
            raise refuse(errno.ENOTCONN)
        if how != SHUT_RD:
            self._ended_first = not self.eof
            self.flow.finish()
        self.changed()

    # Readiness.

    def readable(self) -> bool:
        """As poll(2) has it."""
        if self.state == LISTENING:
            return bool(self.queue)
        return bool(self.chunks or self.eof or self.error or self.read_shut or self.state in (FAILED, CLOSED))

    def writable(self) -> bool:
        """As poll(2) has it."""
        if self.state in (CONNECTING, LISTENING):
            return False
        flow = self.flow
        if flow is None or self.error or self.state != CONNECTED or flow.end != OPEN:
            return True
        return flow.has_room()

    def hung_up(self) -> bool:
        """As poll(2) has it."""
        if self.state == CONNECTED and self.flow is not None:
            return (self.eof or self.read_shut) and self.flow.end != OPEN
        return self.state in (NEW, FAILED, CLOSED)

    def at_end(self) -> bool:
        """As EPOLLRDHUP has it."""
        return self.eof or self.state == CLOSED

    # The end.

    def close(self) -> None:
        """As close(2): a listener resets who was not accepted; unread bytes reset the connection."""
        self.closed_by_program = True
        if self.state == LISTENING:
            self._stop_listening()
            self.done()
        elif self.state == CONNECTED and self.flow is not None:
            if self.unread or self.linger == (1, 0):
                self.send_reset()
                return
            if self.flow.end == OPEN:
                self._ended_first = not self.eof
                self.flow.finish()
            self._end_if_over()
            if self.state == CONNECTED and self.flow.end == ACKNOWLEDGED:
                self._timer = self.world.after(_FIN_TIMEOUT, self.done)
        else:
            self.world.call_off(self._timer)
            self.done()

    def send_reset(self) -> None:
        """Have the peer know that the connection is gone, which it is here at once."""
        peer, flow = self.peer, self.flow
        if peer is not None and flow is not None:
            link = flow.link
            self.world.log.add(self.world.now, self.host.name, "reset", 0, self.label)
            if link.cuts:
                link.dropped(self.label, 0, "partition")
            elif link.hold:
                link.send(peer.reset_arrives, (link,), PACKET)
            else:
                at = max(self.world.now + link.delay(PACKET), flow.last_arrival + NEXT)
                self.world.at(at, peer.reset_arrives, link)
        self.done()

    def reset_arrives(self, link: Any) -> None:
        """A packet that says so has come by `link`."""
        if not link.cuts:
            self.got_reset()

    def got_reset(self) -> None:
        """The peer's host says that there is no such connection."""
        if not self.kernel.up:
            return
        if self.state == CONNECTING:
            self._fail(errno.ECONNREFUSED)
        elif self.state == CONNECTED:
            half_closed = self.eof and self.flow is not None and self.flow.end == OPEN
            self.error = errno.EPIPE if half_closed else errno.ECONNRESET
            self.world.log.add(self.world.now, self.host.name, "was reset", 0, self.label)
            self.done()

    def give_up(self) -> None:
        """The peer has not answered for too long."""
        self.error = errno.ETIMEDOUT
        self.world.log.add(self.world.now, self.host.name, "failed", 0, f"{self.label}: ETIMEDOUT")
        self.done()

    def done(self, keep: bool = False) -> None:
        """The connection, or the listener, is no more; with `keep` its port is not free yet."""
        self.state = CLOSED
        self.world.call_off(self._timer)
        if self.flow is not None:
            self.flow.stop()
        if self.binding is not None:
            self.kernel.free(self.kind, self.binding, keep)
        self.kernel.endpoints.pop(self, None)
        self.changed()

    def vanish(self) -> None:
        """The power is off: it is gone without a word."""
        self.state = CLOSED
        self.world.call_off(self._timer)
        if self.flow is not None:
            self.flow.stop()

    # Keep-alive.

    def option_changed(self, key: tuple[int, int], value: int) -> None:
        """Options that are acted on."""
        super().option_changed(key, value)
        if (key == (SOL_SOCKET, SO_KEEPALIVE) and value) or key == (IPPROTO_TCP, _KEEPIDLE):
            self._watch_peer()
        elif key == (IPPROTO_TCP, _USER_TIMEOUT):  # in milliseconds
            self.user_timeout = value / 1000.0

    def _watch_peer(self) -> None:
        if self.state == CONNECTED and self.options.get((SOL_SOCKET, SO_KEEPALIVE)):
            idle = self.options.get((IPPROTO_TCP, _KEEPIDLE), 7200)
            self._probes = 0
            self.world.call_off(self._next_probe)
            self._next_probe = self.world.at(self.heard + idle, self._probe)

    def _probe(self) -> None:
        if self.state != CONNECTED or not self.options.get((SOL_SOCKET, SO_KEEPALIVE)) or self.peer is None:
            return
        idle = self.options.get((IPPROTO_TCP, _KEEPIDLE), 7200)
        if self._probes == 0 and self.world.now < self.heard + idle:
            self._watch_peer()
            return
        flow, peer = self.flow, self.peer
        assert flow is not None
        if not flow.link.cuts and not flow.back.cuts and peer.host.kernel.up:
            if peer.kernel is not peer.host.kernel or peer.state != CONNECTED:
                self.got_reset()
                return
            self.heard = self.world.now
            self._watch_peer()
            return
        self._probes += 1
        if self._probes > self.options.get((IPPROTO_TCP, _KEEPCNT), 9):
            self.give_up()
            return
        self._next_probe = self.world.after(self.options.get((IPPROTO_TCP, _KEEPINTVL), 75), self._probe)
