"""A wrong call ends in the same way with hubcore's socket as with the standard library's."""

import array
import io
import socket as stdlib

import pytest

from hubcore import socket

pytestmark = pytest.mark.usefixtures("hub")


def outcome(call, *args):
    """What the call returned, or the exception's class, errno and text."""
    try:
        return "returned", call(*args)
    except BaseException as error:
        # The interpreter's own words about a call's form differ between C and compiled code.
        text = "" if type(error) in (TypeError, OverflowError) else str(error)
        return type(error), getattr(error, "errno", None), text


ON_A_CONNECTION = {
    "recv of a negative size": lambda s: s.recv(-1),
    "recv without a size": lambda s: s.recv(),
    "recv of a str": lambda s: s.recv("1"),
    "recv of a float": lambda s: s.recv(1.0),
    "recv of too much": lambda s: s.recv(2**70),
    "recv of nothing": lambda s: s.recv(0),
    "recv with bad flags": lambda s: s.recv(1, "a"),
    "recv with flags too large": lambda s: s.recv(1, 2**40),
    "recv": lambda s: s.recv(1),
    "recv_into of a negative size": lambda s: s.recv_into(bytearray(3), -1),
    "recv_into of more than there is room": lambda s: s.recv_into(bytearray(3), 4),
    "recv_into without room": lambda s: s.recv_into(bytearray(0)),
    "recv_into bytes": lambda s: s.recv_into(b"abc"),
    "recv_into an int": lambda s: s.recv_into(3),
    "recv_into every other byte": lambda s: s.recv_into(memoryview(bytearray(8))[::2]),
    "recvfrom of a negative size": lambda s: s.recvfrom(-1),
    "recvfrom_into of a negative size": lambda s: s.recvfrom_into(bytearray(1), -1),
    "recvmsg of a negative size": lambda s: s.recvmsg(-1),
    "send of a str": lambda s: s.send("a"),
    "send of None": lambda s: s.send(None),
    "send without data": lambda s: s.send(),
    "send of no bytes": lambda s: s.send(b""),
    "send of every other byte": lambda s: s.send(memoryview(b"abcdef")[::2]),
    "send": lambda s: s.send(b"1"),
    "sendall of a str": lambda s: s.sendall("a"),
    "sendall of every other byte": lambda s: s.sendall(memoryview(b"abcdef")[::2]),
    "sendall of no bytes": lambda s: s.sendall(b""),
    "sendall of numbers": lambda s: s.sendall(array.array("i", [1, 2])),
    "sendto without an address": lambda s: s.sendto(b"a"),
    "sendto a number": lambda s: s.sendto(b"a", 3),
    "sendmsg of a str": lambda s: s.sendmsg("ab"),
    "sendmsg of a number": lambda s: s.sendmsg(3),
    "sendfile of text": lambda s: s.sendfile(io.StringIO("text")),
    "sendfile from a negative offset": lambda s: s.sendfile(io.BytesIO(b"text"), -1),
    "sendfile of a count that is no number": lambda s: s.sendfile(io.BytesIO(b"text"), 0, "1"),
    "settimeout of a str": lambda s: s.settimeout("3"),
    "settimeout of a negative number": lambda s: s.settimeout(-1),
    "settimeout of a list": lambda s: s.settimeout([]),
    "settimeout": lambda s: s.settimeout(1),
    "settimeout of None": lambda s: s.settimeout(None),
    "setblocking": lambda s: s.setblocking(True),
    "setblocking of a str": lambda s: s.setblocking("x"),
    "connect to a number": lambda s: s.connect(3),
    "connect once more": lambda s: s.connect(s.getpeername() or "/nowhere"),
    "connect to no file": lambda s: s.connect("/nowhere"),
    "connect_ex to no file": lambda s: s.connect_ex("/nowhere"),
    "bind to a number": lambda s: s.bind(3),
    "makefile of no mode": lambda s: s.makefile("q"),
    "an option that is none": lambda s: s.getsockopt(99, 99),
    "shutdown in no direction": lambda s: s.shutdown(9),
}
STATES = {
    "open": lambda ours, theirs: ours.settimeout(0.02),
    "non-blocking": lambda ours, theirs: ours.setblocking(False),
    "closed": lambda ours, theirs: ours.close(),
    "detached": lambda ours, theirs: stdlib.close(ours.detach()),
    "without a peer": lambda ours, theirs: theirs.close(),
}


def on_a_connection(module, state, call):
    ours, theirs = module.socketpair()
    with ours, theirs:
        STATES[state](ours, theirs)
        return outcome(call, ours)


@pytest.mark.parametrize("state", STATES)
def test_on_a_connection(state):
    calls = ON_A_CONNECTION.items()
    theirs = {name: on_a_connection(stdlib, state, call) for name, call in calls}
    assert {name: on_a_connection(socket, state, call) for name, call in calls} == theirs


ON_A_NEW_SOCKET = {
    "no port": ("127.0.0.1",),
    "a port that is text": ("127.0.0.1", "80"),
    "a name, and a port that is text": ("localhost", "80"),
    "too large a port": ("127.0.0.1", 70000),
    "a name, and too large a port": ("localhost", 70000),
    "a list": ["127.0.0.1", 1],
    "no host": (None, 1),
    "a host that is a number": (7, 1),
    "a port that nobody listens on": ("127.0.0.1", 1),
    "a name, and a port that nobody listens on": ("localhost", 1),
    "a name in bytes": (b"localhost", 1),
    "a name in a bytearray": (bytearray(b"localhost"), 1),
    "a name that nobody has": ("nowhere.invalid", 1),
    "a name with a NUL": ("local\0host", 1),
    "a name too long": ("a" * 70, 1),
    "nothing": (),
    "too much": ("127.0.0.1", 1, 2, 3, 4),
}


def connect_to(module, address, method="connect"):
    with module.socket() as sock:
        return outcome(getattr(sock, method), address)


@pytest.mark.parametrize("address", ON_A_NEW_SOCKET.values(), ids=ON_A_NEW_SOCKET)
@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_connecting_to_an_address_that_is_wrong(method, address):
    assert connect_to(socket, address, method) == connect_to(stdlib, address, method)


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.socket(99),
        lambda m: m.socket(fileno=-1),
        lambda m: m.socket(fileno=1 << 20),
        lambda m: m.socket(fileno="1"),
        lambda m: m.fromfd(-1, m.AF_INET, m.SOCK_STREAM),
        lambda m: m.socketpair(m.AF_INET6, 99),
        lambda m: m.create_connection(("127.0.0.1", 1)),
        lambda m: m.create_connection(("nowhere.invalid", 1)),
        lambda m: m.create_server(("203.0.113.1", 0)),
        lambda m: m.create_server(("127.0.0.1", 0), family=m.AF_UNIX, dualstack_ipv6=True),
    ],
)
def test_making_a_socket_from_what_is_wrong(call):
    assert outcome(call, socket) == outcome(call, stdlib)


def test_all_errors_of_create_connection_come_as_a_group():
    def both(module):
        with pytest.raises(ExceptionGroup) as caught:
            module.create_connection(("127.0.0.1", 1), all_errors=True)
        return [type(error) for error in caught.value.exceptions]

    assert both(socket) == both(stdlib) == [ConnectionRefusedError]


def test_the_exceptions_are_the_standard_librarys():
    assert (socket.timeout, socket.error, socket.gaierror) == (TimeoutError, OSError, stdlib.gaierror)
    assert issubclass(socket.socket, stdlib.socket)


def test_every_public_name_of_the_standard_librarys_module_is_there():
    missing = [name for name in stdlib.__all__ if not hasattr(socket, name)]
    assert missing == []
    assert set(stdlib.__all__) <= set(socket.__all__) <= set(dir(socket))
    namespace = {}
    exec("from hubcore.socket import *", namespace)
    assert namespace["AF_INET"] is stdlib.AF_INET
    assert namespace["socket"] is socket.socket
    with pytest.raises(AttributeError):
        socket.no_such_name


@pytest.mark.parametrize("seconds", [None, 0, 0.0, 1, 2.5, True])
def test_a_timeout_reads_back_as_the_standard_librarys(seconds):
    def both(module):
        with module.socket() as sock:
            sock.settimeout(seconds)
            return sock.gettimeout(), sock.timeout, sock.getblocking()

    assert both(socket) == both(stdlib)


def test_the_default_timeout_is_that_of_new_sockets_and_of_accepted_ones():
    stdlib.setdefaulttimeout(7.5)
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            with accepted:
                assert [server.gettimeout(), client.gettimeout(), accepted.gettimeout()] == [7.5, 7.5, 7.5]
    finally:
        stdlib.setdefaulttimeout(None)


def test_attributes_are_the_standard_librarys():
    def both(module):
        with module.socket(module.AF_INET, module.SOCK_DGRAM) as sock:
            return sock.family, sock.type, sock.proto, sock.get_inheritable(), sock.getsockname()

    assert both(socket) == both(stdlib)
    assert both(socket)[1] is stdlib.SOCK_DGRAM
