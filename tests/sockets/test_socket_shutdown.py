"""A shutdown ends the wait of a reader: with what had come, or with the end, also if the socket is closed right after.

The standard library is the judge: there a reader sleeps in the kernel, and its call ends so. `PROGRAM` runs the same
cases on plain CPython and on a patched one.
"""

import errno
import gc
import json
import os
import socket as stdlib
import threading

import pytest

import hubcore
from hubcore import socket, spawn
from hubcore.testing import run_python, settle

pytestmark = pytest.mark.usefixtures("hub")

READS = {
    "recv": lambda s: s.recv(5),
    "recv_into": lambda s: s.recv_into(bytearray(5)),
    "recvfrom": lambda s: s.recvfrom(5),
    "recvfrom_into": lambda s: s.recvfrom_into(bytearray(5)),
    "recvmsg": lambda s: s.recvmsg(5),
    "recvmsg_into": lambda s: s.recvmsg_into([bytearray(5)]),
    "large recv": lambda s: s.recv(1 << 20),
    "makefile": lambda s: s.makefile("rb").read(5),
}
AT_THE_END = {
    "recv": b"",
    "recv_into": 0,
    "recvfrom": (b"", None),
    "recvfrom_into": (0, None),
    "recvmsg": (b"", [], 0, None),
    "recvmsg_into": (0, [], 0, None),
    "large recv": b"",
    "makefile": b"",
}
HAD_COME = {
    "recv": b"abc",
    "recv_into": 3,
    "recvfrom": (b"abc", None),
    "recvfrom_into": (3, None),
    "recvmsg": (b"abc", [], 0, None),
    "recvmsg_into": (3, [], 0, None),
    "large recv": b"abc",
    "makefile": b"abc",
}


def tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first = socket.create_connection(listener.getsockname())
        return first, listener.accept()[0]


def datagrams():
    first, second = (socket.socket(type=stdlib.SOCK_DGRAM) for _ in range(2))
    for sock in (first, second):
        sock.bind(("127.0.0.1", 0))
    first.connect(second.getsockname())
    second.connect(first.getsockname())
    return first, second


PAIRS = {
    "TCP": tcp,
    "Unix": socket.socketpair,
    "Unix packets": lambda: socket.socketpair(type=stdlib.SOCK_SEQPACKET),
    "Unix datagrams": lambda: socket.socketpair(type=stdlib.SOCK_DGRAM),
    "UDP": datagrams,
}


@pytest.fixture(params=PAIRS)
def pair(request, hub):
    first, second = PAIRS[request.param]()
    with first, second:
        yield first, second


def without_sender(found):
    """A datagram comes with its sender's address."""
    return (*found[:-1], None) if isinstance(found, tuple) else found


@pytest.mark.parametrize("timeout", [None, 30])
@pytest.mark.parametrize("how", [stdlib.SHUT_RD, stdlib.SHUT_RDWR])
@pytest.mark.parametrize("name", READS)
def test_a_reader_gets_the_end(name, how, timeout, pair, hub):
    first, _second = pair
    first.settimeout(timeout)
    reading = spawn(READS[name], first)
    settle(hub)
    first.shutdown(how)
    first.close()
    assert without_sender(reading.get()) == AT_THE_END[name]


@pytest.mark.parametrize("name", READS)
def test_a_reader_gets_what_had_come(name, pair, hub):
    first, second = pair
    reading = spawn(READS[name], first)
    settle(hub)
    second.send(b"abc")
    first.shutdown(stdlib.SHUT_RDWR)
    first.close()
    assert without_sender(reading.get()) == HAD_COME[name]


@pytest.mark.parametrize("name", READS)
def test_a_reader_that_is_woken_and_has_not_run(name, pair, hub):
    first, second = pair
    reading = spawn(READS[name], first)
    settle(hub)
    second.send(b"abc")
    hub.loop.run_pass(False)
    first.shutdown(stdlib.SHUT_RDWR)
    first.close()
    third, fourth = socket.socketpair()  # the number is another's by now
    with third, fourth:
        fourth.send(b"theirs")
        assert without_sender(reading.get()) == HAD_COME[name]
        assert third.recv(10) == b"theirs"


@pytest.mark.parametrize("name", [name for name in READS if name != "makefile"])
def test_a_shutdown_without_a_close(name, pair, hub):
    first, _second = pair
    reading = spawn(READS[name], first)
    settle(hub)
    first.shutdown(stdlib.SHUT_RDWR)
    assert without_sender(reading.get()) == AT_THE_END[name]
    assert without_sender(READS[name](first)) == AT_THE_END[name], "and each later read is at the end, too"
    first.close()
    with pytest.raises(OSError) as caught:
        READS[name](first)
    assert caught.value.errno == errno.EBADF


def test_a_datagram_socket_without_a_peer(hub):
    with socket.socket(type=stdlib.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        reading = spawn(sock.recvfrom, 5)
        settle(hub)
        with pytest.raises(OSError) as caught:
            sock.shutdown(stdlib.SHUT_RDWR)
        assert caught.value.errno == errno.ENOTCONN
        assert reading.get() == (b"", None)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("name", READS)
def test_what_the_peer_answers_to_the_shutdown_comes_too_late(name, closed, hub):
    """The kernel answers it with a reset, which is no news for a reader that the shutdown has ended."""
    with stdlib.create_server(("127.0.0.1", 0)) as listener:
        first = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    with first, peer:
        reading = spawn(READS[name], first)
        settle(hub)
        first.shutdown(stdlib.SHUT_RDWR)
        peer.send(b"too late")
        if closed:
            first.close()
        assert without_sender(reading.get()) == AT_THE_END[name]


def test_all_that_had_come_is_read_before_the_end(hub):
    first, second = socket.socketpair()
    found = []

    def read():
        while part := first.recv(2):
            found.append(part)

    with second:
        reading = spawn(read)
        settle(hub)
        second.send(b"abcdef")
        first.shutdown(stdlib.SHUT_RDWR)
        settle(hub)
        first.close()
        reading.get()
    assert b"".join(found) == b"abcdef"


@pytest.mark.parametrize("name", READS)
def test_a_thread_ends_a_reader_of_another(name, pair, hub):
    first, second = pair
    reading = spawn(READS[name], first)
    settle(hub)

    def end():
        second.send(b"abc")
        first.shutdown(stdlib.SHUT_RDWR)
        first.close()
        hubcore.get_hub().destroy()

    hub.loop.begin_external()  # virtual time must not jump while the other thread is at work
    thread = threading.Thread(target=end)
    thread.start()
    try:
        assert without_sender(reading.get()) == HAD_COME[name]
    finally:
        hub.loop.end_external()
        thread.join()


def test_a_reader_in_another_thread_is_ended(pair, hub):
    first, second = pair
    found = []
    waits = threading.Event()

    def read():
        hubcore.get_hub().loop.run_callback(waits.set)
        try:
            found.append(first.recv(5))
        finally:
            hubcore.get_hub().destroy()

    thread = threading.Thread(target=read)
    thread.start()
    assert waits.wait(30)
    second.send(b"abc")
    first.shutdown(stdlib.SHUT_RDWR)
    first.close()
    thread.join(30)
    assert found == [b"abc"]


@pytest.mark.parametrize("how", [stdlib.SHUT_RD, stdlib.SHUT_RDWR])
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("family", ["INET", "UNIX"])
def test_a_shutdown_ends_accept(family, closed, how, hub, tmp_path):
    listener = socket.socket(getattr(stdlib, f"AF_{family}"))
    with listener:
        listener.bind(("127.0.0.1", 0) if family == "INET" else str(tmp_path / "socket"))
        listener.listen()
        waiting = spawn(listener.accept)
        settle(hub)
        listener.shutdown(how)
        if closed:
            listener.close()
        with pytest.raises(OSError) as caught:
            waiting.get()
        assert caught.value.errno == errno.EINVAL
        if not closed:
            with pytest.raises(OSError) as caught:
                listener.accept()
            assert caught.value.errno == errno.EINVAL


def test_a_close_without_a_shutdown_still_ends_the_wait_with_an_error(pair, hub):
    first, second = pair
    reading = spawn(first.recv, 5)
    settle(hub)
    second.send(b"abc")
    first.close()
    with pytest.raises(OSError) as caught:
        reading.get()
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("end", ["kill", "the timeout"])
def test_a_reader_that_is_interrupted_after_the_close_leaves_no_fd(end, pair, hub):
    first, _second = pair
    if end == "the timeout":
        first.settimeout(0.01)
    reading = spawn(first.recv, 5)
    settle(hub)
    first.shutdown(stdlib.SHUT_RDWR)
    first.close()
    if end == "kill":
        reading.kill()
    else:
        hubcore.sleep(0.02)
        assert reading.get() == b""
    # The fixture `hub` finds the fd that is left.


def test_without_a_free_number_the_reader_gets_an_error(pair, hub, monkeypatch):
    first, _second = pair
    reading = spawn(first.recv, 5)
    settle(hub)
    first.shutdown(stdlib.SHUT_RDWR)

    def none_left(fd):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", none_left)
        first.close()
    with pytest.raises(OSError) as caught:
        reading.get()
    assert caught.value.errno == errno.EBADF


def test_a_hub_that_ends_before_its_reader_ran_leaves_no_fd(hub):
    first, second = socket.socketpair()
    with second:

        def work():
            reading = spawn(first.recv, 5)
            settle(hubcore.get_hub())
            first.shutdown(stdlib.SHUT_RDWR)
            first.close()
            assert not reading.ready()
            hubcore.get_hub().destroy()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    gc.collect()


def test_a_forked_child_closes_what_a_reader_of_the_parent_waits_for(hub_backend):
    code = """
        import os, socket as stdlib
        from hubcore import get_hub, socket, spawn
        from hubcore.testing import settle
        first, second = socket.socketpair()
        reading = spawn(first.recv, 5)
        settle(get_hub())
        pid = os.fork()
        if not pid:
            first.shutdown(stdlib.SHUT_RD)
            before = os.listdir("/proc/self/fd")
            fd = first.fileno()
            first.close()
            after = os.listdir("/proc/self/fd")
            os._exit(len(before) - len(after))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1, "the child has a duplicate left"
        assert reading.get() == b""  # the shutdown is the kernel's, for both processes
        print("fine")
    """
    assert run_python(code, hub_backend).stdout == "fine\n"


PROGRAM = """
import json, sys, threading, time
if PATCHED:
    from hubcore import monkey
    monkey.patch_all()
import socket

def tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first = socket.create_connection(listener.getsockname())
        return first, listener.accept()[0]

def datagrams():
    first, second = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
    for sock in (first, second):
        sock.bind(("127.0.0.1", 0))
    first.connect(second.getsockname())
    second.connect(first.getsockname())
    return first, second

def listener():
    return socket.create_server(("127.0.0.1", 0)), None

def in_the_kernel(thread):
    if PATCHED:
        time.sleep(0.001)
        return
    path = f"/proc/self/task/{thread.native_id}/wchan"
    deadline = time.monotonic() + 2  # for a kernel that does not say
    while time.monotonic() < deadline:
        with open(path) as file:
            where = file.read()
        if where not in ("", "0") and "futex" not in where:
            return
        time.sleep(0.001)

READS = {
    "recv": lambda s: s.recv(5),
    "recv_into": lambda s: s.recv_into(bytearray(5)),
    "recvfrom": lambda s: s.recvfrom(5)[0],
    "recvfrom_into": lambda s: s.recvfrom_into(bytearray(5))[0],
    "recvmsg": lambda s: s.recvmsg(5)[:3],
    "recvmsg_into": lambda s: s.recvmsg_into([bytearray(5)])[:3],
    "accept": lambda s: s.accept(),
}
found = {}
for make in (tcp, socket.socketpair, datagrams, listener):
    for name, read in READS.items():
        if (name == "accept") != (make is listener):
            continue
        for how in (socket.SHUT_RD, socket.SHUT_RDWR):
            for data in (b"", b"abc"):
                first, second = make()
                got = []
                def run():
                    try:
                        got.append(read(first))
                    except OSError as error:
                        got.append(error.errno)
                thread = threading.Thread(target=run)
                thread.start()
                in_the_kernel(thread)
                if data and second is not None:
                    second.send(data)
                first.shutdown(how)
                first.close()
                thread.join(30)
                found[f"{make.__name__} {name} {how} {data!r}"] = repr(got)
                if second is not None:
                    second.close()
print(json.dumps(found))
"""


def test_a_patched_program_finds_what_plain_python_finds(hub_backend):
    ours = json.loads(run_python("PATCHED = True\n" + PROGRAM, hub_backend).stdout)
    plain = json.loads(run_python("PATCHED = False\n" + PROGRAM).stdout)
    assert ours == plain
    assert ours["tcp recv 2 b''"] == "[b'']"
    assert ours["tcp recv 2 b'abc'"] == "[b'abc']"
    assert ours["listener accept 2 b''"] == f"[{errno.EINVAL}]"
