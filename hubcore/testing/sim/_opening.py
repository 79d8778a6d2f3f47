"""TCP connections are opened by three packets, refused and given up as Linux does it."""

from __future__ import annotations

import errno
from collections import deque
from socket import IPPROTO_TCP
from typing import Any, Self

from hubcore.testing.sim._endpoint import Endpoint
from hubcore.testing.sim._kernel import Binding, Kernel
from hubcore.testing.sim._options import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._world import Event

PACKET = 60  # bytes of one that opens or resets a connection
_UNREACHABLE = 3.0  # seconds after which an address that nobody has is given up
_SYN_ACK_TRIES = 5
_SYNCNT = 7  # TCP_SYNCNT: how often a packet that opens a connection is sent again

NEW, LISTENING, CONNECTING, CONNECTED, FAILED, CLOSED = range(6)


class Opening(Endpoint):
    """What a TCP socket is until it is connected: a client that connects, a listener, or the other end of a client."""

    def __init__(self, kernel: Kernel, family: int, proto: int) -> None:
        super().__init__(kernel, family, proto)
        self.state = NEW
        self.peer: Self | None = None
        self.read_shut = self.write_shut = False
        self.user_timeout = 0.0
        # Of a listener.
        self.backlog = 0
        self.queue: deque[Self] = deque()  # connections that nobody has accepted yet
        self._listener: Self | None = None  # of a connection that is not in its queue yet
        self._child: Self | None = None  # the other end of a connection that is being opened
        self._tries = 0
        self._unconfirmed = False  # connected, and connect() has not said so
        self._timer: Event[Any] | None = None

    @property
    def accepts(self) -> bool:  # type: ignore[override]
        """Whether it is a listener."""
        return self.state == LISTENING

    def begin(self, peer: Any) -> None:
        """It is connected to `peer`."""
        raise NotImplementedError

    def done(self, keep: bool = False) -> None:
        """The connection, or the listener, is no more; with `keep` its port is not free yet."""
        raise NotImplementedError

    def send_reset(self) -> None:
        """Have the peer know that the connection is gone, which it is here at once."""
        raise NotImplementedError

    def got_reset(self) -> None:
        """The peer's host says that there is no such connection."""
        raise NotImplementedError

    # Opening: the client's side.

    def connect(self, address: Any) -> int:
        """As connect(2) of a socket that does not block: an error's number, EINPROGRESS where it is under way."""
        if self.state == FAILED:
            self.state = NEW
            self.read_shut = self.write_shut = False
            return self.take_error() or errno.ECONNABORTED
        if self.state == CONNECTING:
            return errno.EALREADY
        if self._unconfirmed:
            self._unconfirmed = False
            return 0  # as Linux says once, of a connection that was made meanwhile
        if self.state != NEW:
            return errno.EISCONN
        ip, port = self.parsed(address, "connect")
        try:
            source = self.kernel.source_for(self.family, ip)
            if ip in ("0.0.0.0", "::"):
                ip = source
            if self.binding is None:
                self._bind(source, 0)
            elif self.binding.ip in ("0.0.0.0", "::"):
                self.binding.ip = source
        except OSError as error:
            return error.errno or errno.EIO
        self.remote = (ip, port)
        self.state = CONNECTING
        assert self.binding is not None
        self.label = f"{self.place(self.binding.ip, self.binding.port)} > {self.place(ip, port)}"
        self._tries = 0
        self.world.log.add(self.world.now, self.host.name, "connect", 0, self.label)
        if self.kernel.network.host_at(self.host, ip) is None:
            self._timer = self.world.after(_UNREACHABLE, self._fail, errno.EHOSTUNREACH)
        else:
            self._send_syn()
        self.changed()  # it cannot be written any more
        return errno.EINPROGRESS

    def _send_syn(self) -> None:
        if self.state != CONNECTING or self.remote is None:
            return
        if self._tries > self.options.get((IPPROTO_TCP, _SYNCNT), 6):
            self._fail(errno.ETIMEDOUT)
            return
        target = self.kernel.network.host_at(self.host, self.remote[0])
        link = self.kernel.link_to(target)
        if link.cuts:
            link.dropped(self.label, 0, "partition")
        elif link.is_lost():
            link.dropped(self.label, 0, "lost")
        else:
            link.send(self._syn_arrives, (target,), PACKET)
        self._timer = self.world.after(2.0**self._tries, self._send_syn)
        self._tries += 1

    def _syn_arrives(self, target: Any) -> None:
        """At the target's host."""
        link = self.kernel.link_to(target)
        if self.state != CONNECTING or self.remote is None or link.cuts or not target.kernel.up:
            if link.cuts or not target.kernel.up:
                link.dropped(self.label, 0, "partition" if link.cuts else "the host is down")
            return
        if self._child is not None and self._child.kernel is target.kernel and self._child.state == CONNECTED:
            self._child._send_syn_ack()
            return
        listener = target.kernel.listener_for(*self.remote)
        if listener is None:
            back = target.kernel.link_to(self.host)
            if back.cuts:
                back.dropped(self.label, 0, "partition")
            else:
                back.send(self.got_reset, (), PACKET)
        elif len(listener.queue) > listener.backlog:
            link.dropped(self.label, 0, "the backlog is full")
        else:
            listener._begin_child(self)

    def _syn_ack_arrives(self, child: Self) -> None:
        """At the client's host."""
        if child.link_back().cuts or not self.kernel.up:
            return
        if self.state == CONNECTED and self._child is child:
            self._send_ack(child)  # it was lost
            return
        if self.state != CONNECTING or self._child is not child:
            child.reset_from_afar()
            return
        self.world.call_off(self._timer)
        self._unconfirmed = True
        self.begin(child)
        self.world.log.add(self.world.now, self.host.name, "connected", 0, self.label)
        self._send_ack(child)
        self.changed()

    def _send_ack(self, child: Self) -> None:
        link = self.kernel.link_to(child.host)
        if not link.cuts and not link.is_lost():
            link.send(child._established, (), PACKET)
        else:
            link.dropped(self.label, 0, "partition" if link.cuts else "lost")

    def _fail(self, code: int) -> None:
        self.world.call_off(self._timer)
        self.world.log.add(self.world.now, self.host.name, "failed", 0, f"{self.label}: {errno.errorcode[code]}")
        self.state = FAILED
        self.error = code
        self.remote = None
        if self.port_was_free and self.binding is not None:
            self.kernel.free(self.kind, self.binding)
            self.last_address = (self.binding.ip, self.binding.port)
            self.binding = None
        self.changed()

    # The listener's side.

    def listen(self, backlog: int) -> None:
        """As listen(2)."""
        if self.state not in (NEW, LISTENING):
            raise refuse(errno.EINVAL)
        self.backlog = max(0, min(backlog, 4096))
        if self.state == LISTENING:
            return
        if self.binding is None:
            self._bind(self.local_address()[0], 0)
        assert self.binding is not None
        if not self.kernel.may_listen(self.binding):
            raise refuse(errno.EADDRINUSE)
        self.state = LISTENING
        self.kernel.listeners.setdefault(self.binding.port, []).append(self)
        self.label = self.place(self.binding.ip, self.binding.port)
        self.world.log.add(self.world.now, self.host.name, "listen", 0, self.label)
        self.changed()

    def _begin_child(self, client: Self) -> None:
        assert client.remote is not None
        assert client.binding is not None
        child = type(self)(self.kernel, self.family, self.proto)
        child.options = dict(self.options)
        child.linger = self.linger
        child.send_limit, child.receive_limit = self.send_limit, self.receive_limit
        child.user_timeout = self.user_timeout
        binding = Binding(self.family, *client.remote)
        assert self.binding is not None
        binding.reuse_address, binding.reuse_port = self.binding.reuse_address, self.binding.reuse_port
        self.kernel.share(self.kind, binding)
        child.binding = binding
        child.remote = (client.binding.ip, client.binding.port)
        child.label = f"{self.place(*client.remote)} > {self.place(*child.remote)}"
        child._listener = self
        client._child = child
        child.begin(client)
        child._send_syn_ack()

    def link_back(self) -> Any:
        """The way to the peer's host."""
        assert self.peer is not None
        return self.kernel.link_to(self.peer.host)

    def _send_syn_ack(self) -> None:
        if self._listener is None and self._tries:
            return  # the connection is established
        back = self.link_back()
        if back.cuts or back.is_lost():
            back.dropped(self.label, 0, "partition" if back.cuts else "lost")
        else:
            assert self.peer is not None
            back.send(self.peer._syn_ack_arrives, (self,), PACKET)
        self.world.call_off(self._timer)
        if self._tries >= _SYN_ACK_TRIES:
            self.done()
            return
        self._timer = self.world.after(2.0**self._tries, self._send_syn_ack)
        self._tries += 1

    def _established(self) -> None:
        listener = self._listener
        if listener is None or self.state != CONNECTED or not self.kernel.up:
            return
        if len(listener.queue) > listener.backlog:
            return  # as if it had not come: it is asked for again
        self._listener = None
        self.world.call_off(self._timer)
        if listener.state != LISTENING:
            self.send_reset()
            return
        listener.queue.append(self)  # type: ignore[arg-type]
        listener.changed()

    def accept(self) -> Self | None:
        """As accept(2)."""
        if self.state != LISTENING:
            raise refuse(errno.EINVAL)
        if not self.queue:
            return None
        child = self.queue.popleft()
        if self.mirrored:
            self.changed()
        self.world.log.add(self.world.now, self.host.name, "accept", 0, child.label)
        return child

    def _stop_listening(self) -> None:
        assert self.binding is not None
        self.binding.listens = False
        listeners = self.kernel.listeners.get(self.binding.port, [])
        if self in listeners:
            listeners.remove(self)
            if not listeners:
                del self.kernel.listeners[self.binding.port]
        queue, self.queue = self.queue, deque()
        for child in queue:
            child.send_reset()

    def reset_from_afar(self) -> None:
        """The other host does not know of this connection, and says so."""
        assert self.peer is not None
        link = self.peer.kernel.link_to(self.host)
        if not link.cuts:
            link.send(self.got_reset, (), PACKET)
