"""A model of a byte stream: with any sequence of operations, each end gets the bytes that the other sent, and EOF once.

A step is one operation of one end. The model holds the bytes in flight; an end must receive a prefix of them.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hubcore
from hubcore import Timeout, sleep, socket, spawn, ssl
from tests.support.tls import handshake, pair

pytestmark = pytest.mark.usefixtures("hub")

SETTINGS = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NO_DATA = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
SIZES = st.one_of(st.integers(1, 40), st.integers(1, 20_000))
HOWS = ["sendall", "send", "write-file", "recv", "recv_into", "read", "readline"]
HOWS += ["nonblocking", "late", "killed", "yield", "shutdown"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(HOWS),
        st.integers(0, 1),
        SIZES,
    ),
    max_size=40,
)


def tcp():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        ends = client, server.accept()[0]
    for end in ends:  # without the kernel's pauses, in which virtual time would jump
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ends


KINDS = {"unix": socket.socketpair, "tcp": tcp, "tls": pair, "tls over tcp": lambda: tls_over(tcp())}


def tls_over(ends):
    from tests.support.certificates import client_context, server_context

    return handshake(server_context(ssl), client_context(ssl), ends)


class End:
    """One end: what was sent to it and not read yet, and the other end, which sends that."""

    def __init__(self, sock, seed):
        self.sock, self.byte = sock, seed
        self.file = sock.makefile("rb")
        self.writing = sock.makefile("wb")
        self.other = None
        self.coming = bytearray()
        self.can_send = True  # it has not been shut down
        self.ended = False  # it has read the end
        self.buffered = False  # it reads by the file, which may hold what the socket has given

    def close(self):
        self.file.close()
        self.writing.close()
        self.sock.close()

    def make(self, count):
        """The next `count` bytes of what this end sends; the cycle is prime, so that a shift of it shows."""
        data = bytes((self.byte + i) % 251 for i in range(count))
        self.byte = (self.byte + count) % 251
        return data

    def got(self, data, asked):
        assert len(data) <= asked
        if not data:
            assert not self.coming, f"the end, with {len(self.coming)} bytes on their way"
            assert not self.other.can_send
            self.ended = True
            return
        assert self.coming[: len(data)] == data
        del self.coming[: len(data)]

    def may_read(self):
        return bool(self.coming) or not self.other.can_send


def write(end, how, size):
    other = end.other
    if not end.can_send or len(other.coming) + size > 40_000:
        return  # nobody reads meanwhile, and the kernel's buffers are not endless
    data = end.make(size)
    if how == "send":
        sent = end.sock.send(data)
        end.byte = (end.byte - size + sent) % 251
        data = data[:sent]
    elif how == "write-file":
        end.writing.write(data)
        end.writing.flush()
    else:
        end.sock.sendall(data)
    other.coming += data


def read(end, how, size):
    if not end.may_read():
        return
    if end.buffered or how in ("read", "readline"):
        end.buffered = True  # the file may hold more than it gave, and from now on has to be asked
        if how == "readline":
            data = end.file.readline(size)
        elif how == "recv_into":
            size = min(
                size, 8192
            )  # for more than its buffer holds, BufferedReader asks the socket once more, and waits
            buffer = bytearray(size)
            data = bytes(buffer[: end.file.readinto1(buffer)])
        else:
            data = end.file.read1(size)
        if how == "readline" and data and not data.endswith(b"\n") and len(data) < size:
            assert not end.other.can_send  # only the end may cut it short
        end.got(data, size)
    elif how == "recv_into":
        buffer = bytearray(size + 3)
        count = end.sock.recv_into(buffer, size)
        assert buffer[count:] == bytes(len(buffer) - count)
        end.got(bytes(buffer[:count]), size)
    else:
        end.got(end.sock.recv(size), size)


def read_in_vain(end, how, size):
    """Reading where nothing comes, which ends in another way and takes nothing; or something does, and counts."""
    if end.buffered:
        return
    sock = end.sock
    if how == "nonblocking":
        sock.setblocking(False)
        try:
            data = sock.recv(size)
        except NO_DATA:
            return
        finally:
            sock.setblocking(True)
        end.got(data, size)
    elif end.may_read():
        return
    elif how == "late":
        sock.settimeout(0.001)
        with pytest.raises(TimeoutError):
            sock.recv(size)
        sock.settimeout(None)
    else:
        reading = spawn(sock.recv, size)
        sleep(0)
        reading.kill()
        assert isinstance(reading.value, hubcore.GreenletExit)


def step(end, how, size):
    if how in ("sendall", "send", "write-file"):
        write(end, how, size)
    elif how in ("recv", "recv_into", "read"):
        read(end, how, size)
    elif how == "readline":
        if b"\n" in end.coming[:size] or len(end.coming) >= size or not end.other.can_send:
            read(end, how, size)
    elif how in ("nonblocking", "late", "killed"):
        read_in_vain(end, how, size)
    elif how == "shutdown":
        if end.can_send and not isinstance(end.sock, ssl.SSLSocket):  # which would end TLS without a word
            end.sock.shutdown(socket.SHUT_WR)
            end.can_send = False
    else:
        sleep(0)


def finish(first, second):
    """Close one end; the other gets what is on its way, and then the end, as often as it asks."""
    first.close()
    first.can_send = False
    while not second.ended:
        read(second, "recv", 7000)
    read(second, "recv", 10)


@pytest.mark.parametrize("kind", KINDS)
@SETTINGS
@given(steps=STEPS, closes=st.integers(0, 1), seed=st.integers(0, 250))
def test_each_end_gets_what_the_other_sent(kind, steps, closes, seed):
    socks = KINDS[kind]()
    ends = [End(sock, seed) for sock in socks]
    ends[0].other, ends[1].other = ends[1], ends[0]
    with socks[0], socks[1], Timeout(20, AssertionError("a step hangs")):
        for how, which, size in steps:
            step(ends[which], how, size)
        first, second = ends[closes], ends[1 - closes]
        if not first.coming:  # closing with something unread resets the connection
            finish(first, second)
        for end in ends:
            end.close()
