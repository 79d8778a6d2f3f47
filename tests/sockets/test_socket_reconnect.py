"""Connecting one socket more than once: each attempt ends with its own outcome, as in the standard library."""

import errno
import json
import socket as stdlib
import sys

import pytest

import hubcore
from hubcore import Timeout, socket, spawn, ssl
from hubcore.testing import run_python, settle
from tests.support.certificates import client_context

pytestmark = pytest.mark.usefixtures("hub")

HOSTS = {stdlib.AF_INET: "127.0.0.1", stdlib.AF_INET6: "::1"}
FAMILIES = pytest.mark.parametrize("family", [stdlib.AF_INET, stdlib.AF_INET6], ids=["IPv4", "IPv6"])
TIMEOUTS = pytest.mark.parametrize("timeout", [None, 30])


@pytest.fixture
def port(family, hub):
    """A port that this test has, and on which nothing listens."""
    with stdlib.socket(family) as owner:
        try:
            owner.bind((HOSTS[family], 0))
        except OSError as error:
            pytest.skip(f"no such address here: {error}")
        yield owner.getsockname()[:2]


@FAMILIES
@TIMEOUTS
def test_each_attempt_is_refused(family, timeout, port):
    with socket.socket(family) as sock:
        sock.settimeout(timeout)
        for _ in range(5):
            with pytest.raises(ConnectionRefusedError) as caught:
                sock.connect(port)
            assert caught.value.errno == errno.ECONNREFUSED
            assert sock.connect_ex(port) == errno.ECONNREFUSED


@FAMILIES
@TIMEOUTS
def test_a_loop_that_waits_for_a_port_gets_its_connection(family, timeout):
    with socket.socket(family) as listener, socket.socket(family) as sock:
        sock.settimeout(timeout)
        listener.bind((HOSTS[family], 0))
        for _ in range(3):
            assert sock.connect_ex(listener.getsockname()) == errno.ECONNREFUSED
        listener.listen()
        sock.connect(listener.getsockname())
        with listener.accept()[0] as accepted:
            accepted.sendall(b"hello")
            assert sock.recv(10) == b"hello"
            for _ in range(2):
                with pytest.raises(OSError) as caught:
                    sock.connect(listener.getsockname())
                assert caught.value.errno == errno.EISCONN
                assert sock.connect_ex(listener.getsockname()) == errno.EISCONN
            sock.sendall(b"still there")
            assert accepted.recv(20) == b"still there"


def test_a_unix_socket_is_connected_once(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(stdlib.AF_UNIX) as listener, socket.socket(stdlib.AF_UNIX) as sock:
        listener.bind(path)
        for _ in range(3):
            assert sock.connect_ex(path) == errno.ECONNREFUSED
        listener.listen()
        sock.connect(path)
        assert sock.connect_ex(path) == errno.EISCONN


def full_listener():
    """A listener with no room in its backlog, and what fills it: further attempts stay without an answer."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    fillers = [socket.socket() for _ in range(4)]
    for each in fillers:
        each.setblocking(False)
        assert each.connect_ex(listener.getsockname()) == errno.EINPROGRESS
    return listener, fillers


@pytest.mark.parametrize("how", [stdlib.SHUT_RD, stdlib.SHUT_WR, stdlib.SHUT_RDWR])
@TIMEOUTS
def test_a_shutdown_ends_the_attempt(timeout, how, hub):
    listener, fillers = full_listener()
    with socket.socket() as sock:
        sock.settimeout(timeout)
        connecting = spawn(sock.connect, listener.getsockname())
        settle(hub)
        sock.shutdown(how)
        with pytest.raises(ConnectionResetError):
            connecting.get()
    for each in (listener, *fillers):
        each.close()


def test_an_attempt_that_was_interrupted_can_be_taken_up_again(hub):
    listener, fillers = full_listener()
    with socket.socket() as sock:
        for _ in range(2):
            with pytest.raises(Timeout), Timeout(0.01):
                sock.connect(listener.getsockname())
        connecting = spawn(sock.connect, listener.getsockname())
        settle(hub)
        sock.close()
        with pytest.raises(OSError) as caught:
            connecting.get()
        assert caught.value.errno == errno.EBADF
    for each in (listener, *fillers):
        each.close()


@pytest.mark.parametrize("family", [stdlib.AF_INET], ids=["IPv4"])
def test_a_tls_socket_is_refused_each_time(family, port):
    with client_context(ssl).wrap_socket(socket.socket(), server_hostname="localhost") as sock:
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                sock.connect(port)


def test_an_attempt_is_audited_once():
    code = """
        import sys
        seen = []
        sys.addaudithook(lambda event, args: event == "socket.connect" and seen.append(args[1]))
        from hubcore import socket
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as sock:
            sock.connect(listener.getsockname())
            assert seen == [listener.getsockname()], seen
        print("fine")
    """
    assert run_python(code).stdout == "fine\n"


def test_many_at_once(hub):
    """Each greenlet has its own outcome, whatever the others of the loop wait for."""
    with stdlib.socket() as nobody, socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        nobody.bind(("127.0.0.1", 0))

        def attempt(address):
            with socket.socket() as sock:
                return [sock.connect_ex(address) for _ in range(3)]

        refused = [spawn(attempt, nobody.getsockname()) for _ in range(20)]
        accepted = [spawn(attempt, listener.getsockname()) for _ in range(20)]
        hubcore.joinall(refused + accepted, raise_error=True)
        assert [each.get() for each in refused] == [[errno.ECONNREFUSED] * 3] * 20
        assert [each.get() for each in accepted] == [[0, errno.EISCONN, errno.EISCONN]] * 20


PROGRAM = """
import json
if PATCHED:
    from hubcore import monkey
    monkey.patch_all()
import socket
with socket.socket() as listener, socket.socket() as sock:
    listener.bind(("127.0.0.1", 0))
    found = [sock.connect_ex(listener.getsockname()) for _ in range(4)]
    listener.listen()
    found += [sock.connect_ex(listener.getsockname()) for _ in range(3)]
print(json.dumps(found))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the numbers are Linux's")
def test_a_patched_program_finds_what_plain_python_finds(hub_backend):
    ours = json.loads(run_python("PATCHED = True\n" + PROGRAM, hub_backend).stdout)
    assert ours == json.loads(run_python("PATCHED = False\n" + PROGRAM).stdout)
    assert ours == [errno.ECONNREFUSED] * 4 + [0, errno.EISCONN, errno.EISCONN]
