"""Addresses that a server listens on, in every form; sockets that it is given; and values that it refuses."""

import errno
import logging
import os
import socket as stdlib

import pytest

from hubcore import sleep, socket, spawn
from hubcore.baseserver import BaseServer, parse_address
from hubcore.server import StreamServer
from hubcore.testing import settle
from tests.servers.test_server import LOCAL, ask, echo

pytestmark = pytest.mark.usefixtures("hub")


def test_a_unix_path(tmp_path):
    path = str(tmp_path / "server")
    with StreamServer(path, echo) as server, socket.socket(socket.AF_UNIX) as client:
        assert (server.address, server.server_host, server.server_port) == (path, None, None)
        client.connect(path)
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
        with pytest.raises(OSError, match=r"cannot listen on .*server") as caught:
            StreamServer(path.encode(), echo).start()
        assert caught.value.errno == errno.EADDRINUSE
    assert not os.path.exists(path)


@pytest.mark.parametrize("module", [socket, stdlib])
@pytest.mark.parametrize("timeout", [None, 0, 0.01])
def test_a_listening_socket_that_is_handed_over(module, timeout, hub):
    listener = module.create_server(LOCAL)
    listener.settimeout(timeout)
    address = listener.getsockname()
    with StreamServer(listener, echo) as server:
        assert server.address == address
        assert ask(server) == b"hello"
        sleep(0.03)  # longer than the listener's own timeout
        assert ask(server) == b"hello"
        assert not server.closed
    assert listener.fileno() == -1


def test_a_listener_closed_behind_the_servers_back_ends_the_server(caplog, hub):
    listener = socket.create_server(LOCAL)
    server = StreamServer(listener, echo)
    serving = spawn(server.serve_forever)
    settle(hub)
    with caplog.at_level(logging.ERROR, "hubcore"):
        listener.close()
        serving.get()
    assert server.closed
    assert caplog.records[0].exc_info[1].errno == errno.EBADF


def test_a_port_in_use_is_an_error_that_names_it():
    with StreamServer(LOCAL, echo) as server:
        second = StreamServer(server.address, echo)
        with pytest.raises(OSError, match=r"Address already in use: cannot listen on .*127\.0\.0\.1") as caught:
            second.start()
        assert caught.value.errno == errno.EADDRINUSE
        assert str(server.server_port) in str(caught.value)
        assert (second.started, second.closed) == (False, True)
        with pytest.raises(OSError, match="in use"):
            second.serve_forever()


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        (("h", 1), ("h", 1)),
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        (":80", ("", 80)),
        ("*:80", ("", 80)),
        ("80", ("", 80)),
        (80, ("", 80)),
        ("[::1]:80", ("::1", 80)),
        ("/run/it.sock", "/run/it.sock"),
        ("/run/it:80", "/run/it:80"),
        ("\0abstract:1", "\0abstract:1"),
        (b"path", b"path"),
    ],
)
def test_addresses_as_gevent_takes_them(given, parsed):
    assert parse_address(given) == parsed


@pytest.mark.parametrize("given", ["localhost", "it.sock", "127.0.0.1:abc"])
def test_a_word_is_no_address(given):
    with pytest.raises(ValueError, match="neither host:port nor a path") as raised:
        parse_address(given)
    assert repr(given) in str(raised.value)


def test_no_host_is_every_address():
    with StreamServer(":0", echo) as server:
        assert ask(server) == b"hello"
        if stdlib.has_dualstack_ipv6():
            with socket.create_connection(("::1", server.server_port)) as client:
                client.sendall(b"six")
                assert client.recv(3) == b"six"


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: StreamServer(None, echo), TypeError),
        (lambda: StreamServer(LOCAL, echo, spawn="many"), TypeError),
        (lambda: StreamServer(LOCAL, echo, keyfile="key"), TypeError),
        (lambda: BaseServer(LOCAL, echo).start(), NotImplementedError),
        (lambda: StreamServer(("nowhere.invalid", 0), echo).start(), OSError),
        (lambda: StreamServer(("127.0.0.1", 1 << 20), echo).start(), OverflowError),
    ],
)
def test_what_a_server_refuses(make, error):
    with pytest.raises(error):
        make()


def test_a_backlog_is_refused_for_a_socket_that_listens_already():
    with socket.create_server(LOCAL) as listener, pytest.raises(TypeError, match="listens already"):
        StreamServer(listener, echo, backlog=5)


def test_a_subclass_may_say_how_to_listen_and_which_errors_end_it(caplog, hub):
    class Stubborn(StreamServer):
        min_delay = 0.001

        def make_listener(self, address):
            return socket.create_server(address)

        def is_fatal_error(self, error):
            errors.append(error.errno)
            return len(errors) == 3

    errors = []
    server = Stubborn(LOCAL, echo)
    server.start()
    server.init_socket()  # harmless once it listens
    assert ask(server) == b"hello"
    with caplog.at_level(logging.ERROR, "hubcore"):
        server.socket.shutdown(socket.SHUT_RDWR)  # accept() fails from now on
        while not server.closed:
            sleep(0.001)
    assert errors == [errno.EINVAL] * 3
    assert len(caplog.records) == 2  # the first of them, and the one that ended it


@pytest.mark.parametrize("module", ["StreamServer", "DatagramServer"])
def test_start_never_switches_even_to_look_a_name_up(hub, module):
    import hubcore.server

    ran = []
    spawn(ran.append, 1)
    server = getattr(hubcore.server, module)(("localhost", 0), echo)
    server.start()
    assert ran == []
    assert server.server_port > 0
    server.stop()
