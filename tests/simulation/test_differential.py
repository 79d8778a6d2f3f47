"""The simulated kernel against the real one: the same calls on loopback have the same results and errors.

Sequences of calls are drawn by hypothesis and played twice, on sockets of the real kernel and on simulated ones. All
sockets are non-blocking, and after each call everything that is on its way arrives, so timing plays no part.
"""

import errno
import os
import select
import socket
import struct
import time

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

import hubcore.socket
from hubcore.testing import sim

EXAMPLES = int(os.environ.get("HUBCORE_SIM_EXAMPLES", "60"))
SLOTS = st.integers(0, 3)
HOW = st.sampled_from([socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR])
SIZES = st.sampled_from([1, 10, 100, 3000])

TCP_CALLS = st.one_of(
    st.tuples(st.just("new"), SLOTS),
    st.tuples(st.just("bind"), SLOTS),
    st.tuples(st.just("bind like"), SLOTS, SLOTS),
    st.tuples(st.just("reuse"), SLOTS),
    st.tuples(st.just("listen"), SLOTS, st.integers(0, 3)),
    st.tuples(st.just("connect"), SLOTS, SLOTS),
    st.tuples(st.just("connect nowhere"), SLOTS),
    st.tuples(st.just("accept"), SLOTS, SLOTS),
    st.tuples(st.just("send"), SLOTS, SIZES),
    st.tuples(st.just("recv"), SLOTS, SIZES),
    st.tuples(st.just("peek"), SLOTS, SIZES),
    st.tuples(st.just("recv_into"), SLOTS, SIZES),
    st.tuples(st.just("shutdown"), SLOTS, HOW),
    st.tuples(st.just("linger"), SLOTS),
    st.tuples(st.just("error"), SLOTS),
    st.tuples(st.just("names"), SLOTS),
    st.tuples(st.just("poll"), SLOTS),
    st.tuples(st.just("dup"), SLOTS, SLOTS),
    st.tuples(st.just("detach"), SLOTS),
    st.tuples(st.just("close"), SLOTS),
)
UDP_CALLS = st.one_of(
    st.tuples(st.just("new"), SLOTS),
    st.tuples(st.just("bind"), SLOTS),
    st.tuples(st.just("bind like"), SLOTS, SLOTS),
    st.tuples(st.just("reuse"), SLOTS),
    st.tuples(st.just("connect"), SLOTS, SLOTS),
    st.tuples(st.just("connect nowhere"), SLOTS),
    st.tuples(st.just("send"), SLOTS, st.sampled_from([0, 1, 1000, 65507, 65508, 65527, 65528])),
    st.tuples(st.just("sendto"), SLOTS, SLOTS, SIZES),
    st.tuples(st.just("recvfrom"), SLOTS, SIZES),
    st.tuples(st.just("recvmsg"), SLOTS, SIZES),
    st.tuples(st.just("peek"), SLOTS, SIZES),
    st.tuples(st.just("shutdown"), SLOTS, HOW),
    st.tuples(st.just("listen"), SLOTS, st.just(1)),
    st.tuples(st.just("error"), SLOTS),
    st.tuples(st.just("names"), SLOTS),
    st.tuples(st.just("poll"), SLOTS),
    st.tuples(st.just("close"), SLOTS),
)


class Play:
    """Plays calls on sockets that `make` makes; `settle` lets everything arrive."""

    def __init__(self, make, kind, family, settle):
        self.make = make
        self.kind = kind
        self.family = family
        self.host = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.settle = settle
        self.sockets = {}
        self.ports = {}  # real number: number in the order of appearance
        self.keep = []
        nowhere = self.new()
        nowhere.bind((self.host, 0))
        self.nowhere = nowhere.getsockname()[1]
        if kind == socket.SOCK_STREAM:
            self.keep.append(nowhere)  # bound, and listening to nobody
        else:
            nowhere.close()

    def new(self, *args, **kwargs):
        sock = self.make(*(args or (self.family, self.kind)), **kwargs)
        sock.setblocking(False)
        return sock

    def play(self, calls):
        results = []
        for name, slot, *args in calls:
            results.append(self.one(name, slot, args))
            self.settle()
        for sock in [*self.sockets.values(), *self.keep]:
            sock.close()
        return results

    def one(self, name, slot, args):
        if name == "new":
            old = self.sockets.pop(slot, None)
            if old is not None:
                old.close()
                self.settle()
            self.sockets[slot] = self.new()
            return "new"
        sock = self.sockets.get(slot)
        if sock is None:
            return "none"
        try:
            return getattr(self, "do_" + name.replace(" ", "_"))(slot, sock, *args)
        except OSError as error:
            return f"{type(error).__name__} {errno.errorcode.get(error.errno, error.errno)}"

    def port(self, number):
        return self.ports.setdefault(number, len(self.ports)) if number else 0

    def name(self, address):
        return address and (address[0], self.port(address[1]), *address[2:])

    def do_bind(self, slot, sock):
        sock.bind((self.host, 0))
        return "bound"

    def do_bind_like(self, slot, sock, other):
        if other not in self.sockets:
            return "none"
        port = self.sockets[other].getsockname()[1]
        if port == 0:
            return "none"
        sock.bind((self.host, port))
        return "bound"

    def do_reuse(self, slot, sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)

    def do_listen(self, slot, sock, backlog):
        sock.listen(backlog)
        return "listens"

    def do_connect(self, slot, sock, other):
        if other not in self.sockets or other == slot:
            return "none"
        port = self.sockets[other].getsockname()[1]
        if port in (0, sock.getsockname()[1]):  # to itself, which only a real kernel does
            return "none"
        return errno.errorcode.get(sock.connect_ex((self.host, port)))

    def do_connect_nowhere(self, slot, sock):
        return errno.errorcode.get(sock.connect_ex((self.host, self.nowhere)))

    def do_accept(self, slot, sock, into):
        if into == slot:
            return "none"
        found, address = sock.accept()
        found.setblocking(False)
        old = self.sockets.pop(into, None)
        if old is not None:
            old.close()
        self.sockets[into] = found
        return self.name(address)

    def do_send(self, slot, sock, size):
        return sock.send(bytes(i % 251 for i in range(size)))

    def do_sendto(self, slot, sock, other, size):
        if other not in self.sockets:
            return "none"
        port = self.sockets[other].getsockname()[1]
        if port == 0:
            return "none"
        return sock.sendto(bytes(size), (self.host, port))

    def do_recv(self, slot, sock, size):
        return sock.recv(size)

    def do_peek(self, slot, sock, size):
        return sock.recv(size, socket.MSG_PEEK)

    def do_recv_into(self, slot, sock, size):
        buffer = bytearray(size)
        count = sock.recv_into(buffer)
        return bytes(buffer[:count])

    def do_recvfrom(self, slot, sock, size):
        data, address = sock.recvfrom(size)
        return data, self.name(address)

    def do_recvmsg(self, slot, sock, size):
        data, ancillary, flags, address = sock.recvmsg(size)
        return data, ancillary, flags & socket.MSG_TRUNC, self.name(address)

    def do_shutdown(self, slot, sock, how):
        sock.shutdown(how)
        return "shut"

    def do_linger(self, slot, sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)

    def do_error(self, slot, sock):
        return errno.errorcode.get(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)

    def do_names(self, slot, sock):
        return self.name(sock.getsockname()), self.name(sock.getpeername())

    def do_poll(self, slot, sock):
        poller = select.poll()
        poller.register(sock.fileno(), select.POLLIN | select.POLLOUT)
        found = poller.poll(0)
        return found[0][1] & (select.POLLIN | select.POLLOUT) if found else 0

    def do_dup(self, slot, sock, into):
        if into == slot:
            return "none"
        other = sock.dup()
        other.setblocking(False)
        old = self.sockets.pop(into, None)
        if old is not None:
            old.close()
        self.sockets[into] = other
        return "dup"

    def do_detach(self, slot, sock):
        self.sockets[slot] = self.new(sock.family, sock.type, sock.proto, fileno=sock.detach())
        return "detached"

    def do_close(self, slot, sock):
        sock.close()
        del self.sockets[slot]
        return "closed"


def on_the_real_kernel(calls, kind, family):
    return Play(socket.socket, kind, family, lambda: time.sleep(0.0005)).play(calls)


def in_a_simulation(calls, kind, family):
    def main(simulation):
        return Play(hubcore.socket.socket, kind, family, lambda: hubcore.sleep(0.5)).play(calls)

    return sim.run(main, fork=False, order="fifo", timeout=1e9)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["TCP", "UDP"])
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_calls_have_the_same_results(data, kind, family):
    calls = data.draw(st.lists(TCP_CALLS if kind == socket.SOCK_STREAM else UDP_CALLS, min_size=5, max_size=40))
    real = on_the_real_kernel(calls, kind, family)
    simulated = in_a_simulation(calls, kind, family)
    for call, left, right in zip(calls, real, simulated, strict=True):
        assert right == left, f"{call}: {right} is simulated, {left} is real; all: {calls}"
