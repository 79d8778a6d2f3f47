"""create_connection to a host with several addresses: RFC 8305."""

import errno
import socket as stdlib

import pytest

import hubcore
from hubcore import socket, spawn
from hubcore._sockets import happy_eyeballs as _happy_eyeballs
from hubcore.event import AsyncResult
from hubcore.testing import settle

pytestmark = pytest.mark.usefixtures("hub")

V4, V6 = stdlib.AF_INET, stdlib.AF_INET6


def found(*names):
    """Like getaddrinfo's result; a name's first letter says its family."""
    return [(V6 if name.startswith("six") else V4, stdlib.SOCK_STREAM, 6, "", (name, 80)) for name in names]


class Addresses:
    """What becomes of an attempt to connect to each address: None, an exception, or "never" for no answer."""

    def __init__(self, **outcomes):
        self.outcomes = outcomes
        self.tried = []
        self.open = set()

    def make(self, one):
        made = Made(self, one[4][0])
        self.open.add(made)
        return made

    def connect(self, made, one):
        outcome = self.outcomes[made.name]
        self.tried.append(made.name)
        if outcome == "never":
            made.closed.get()
            raise OSError(errno.EBADF, "closed")
        if outcome is not None:
            raise outcome

    def race(self):
        return _happy_eyeballs.Race(found(*self.outcomes), self.make, self.connect)


class Made:
    def __init__(self, addresses, name):
        self.addresses, self.name = addresses, name
        self.closed = AsyncResult()

    def close(self):
        self.addresses.open.discard(self)
        self.closed.set(None)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(_happy_eyeballs, "STAGGER", 0.01)


def test_the_families_take_turns_and_the_first_address_stays_first():
    names = [one[4][0] for one in _happy_eyeballs.interleave(found("six1", "six2", "six3", "four1", "four2"))]
    assert names == ["six1", "four1", "six2", "four2", "six3"]
    assert _happy_eyeballs.interleave([]) == []


def test_the_stagger_is_that_of_the_rfc(monkeypatch):
    monkeypatch.undo()
    assert _happy_eyeballs.STAGGER == 0.25


def test_one_that_does_not_answer_does_not_hold_up_the_next(hub):
    addresses = Addresses(six="never", four=None)
    winner = addresses.race().run()
    assert winner.name == "four"
    assert addresses.open == {winner}, "the loser's socket is closed"
    settle(hub)


def test_one_that_fails_is_followed_at_once(hub, monkeypatch):
    monkeypatch.setattr(_happy_eyeballs, "STAGGER", 1e6)
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    addresses = Addresses(six=refused, four1=refused, four2=None)
    assert addresses.race().run().name == "four2"
    assert addresses.tried == ["six", "four1", "four2"]


def test_no_attempt_starts_after_one_has_succeeded(hub):
    addresses = Addresses(six=None, four=None)
    assert addresses.race().run().name == "six"
    settle(hub)
    assert addresses.tried == ["six"]


def test_all_errors_are_told_in_the_order_of_the_attempts():
    first, second = OSError(1, "first"), OSError(2, "second")
    addresses = Addresses(six=first, four=second)
    race = addresses.race()
    assert race.run() is None
    assert race.errors() == [first, second]
    assert not addresses.open


def test_what_is_no_oserror_ends_it():
    addresses = Addresses(six="never", four=OverflowError("port"))
    with pytest.raises(OverflowError, match="port"):
        addresses.race().run()
    assert not addresses.open


@pytest.mark.parametrize("names", [["six"], ["six", "four"]], ids=["alone", "two"])
def test_a_kill_leaves_no_socket_open(names, hub):
    addresses = Addresses(**dict.fromkeys(names, "never"))
    connecting = spawn(addresses.race().run)
    hubcore.sleep(0.05)
    assert len(addresses.open) == len(names)
    connecting.kill()
    assert not addresses.open
    settle(hub)


def test_a_kill_before_the_first_attempt_starts_none(hub):
    addresses = Addresses(six="never", four="never")
    connecting = spawn(addresses.race().run)
    connecting.kill()
    settle(hub)
    assert not addresses.open


def test_create_connection_gets_by_an_address_that_does_not_answer(monkeypatch):
    # A listener whose backlog is full does not answer the handshake.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_server(("127.0.0.1", 0)) as server:
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        addresses = [(V4, socket.SOCK_STREAM, 6, "", one.getsockname()) for one in (full, server)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args: addresses)
        with socket.create_connection(("both.example", 80), timeout=20) as client:
            assert client.getpeername() == server.getsockname()
            assert client.gettimeout() == 20
        for filler in fillers:
            filler.close()
