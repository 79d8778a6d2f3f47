"""select, poll, epoll and selectors see the data that a TLS socket has read ahead from the kernel."""

import selectors as stdlib_selectors

import pytest

from hubcore import select, selectors, socket, spawn, ssl
from hubcore.testing import settle
from tests.support.tls import pair

pytestmark = pytest.mark.usefixtures("hub")


def by_select(sock, seconds):
    return bool(select.select([sock], [], [], seconds)[0])


def by_number(sock, seconds):
    return bool(select.select([sock.fileno()], [], [], seconds)[0])


def by_poll(sock, seconds):
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    found = poll.poll(None if seconds is None else seconds * 1000)
    assert found in ([], [(sock.fileno(), select.POLLIN)])
    return bool(found)


def by_epoll(sock, seconds):
    with select.epoll() as epoll:
        epoll.register(sock, 0)
        assert epoll.poll(0) == []
        epoll.modify(sock, select.EPOLLIN)
        found = epoll.poll(seconds)
        assert found in ([], [(sock.fileno(), select.EPOLLIN)])
        epoll.unregister(sock)
        assert epoll.poll(0) == []
    return bool(found)


def by_selector(sock, seconds):
    with selectors.DefaultSelector() as selector:
        key = selector.register(sock, stdlib_selectors.EVENT_READ)
        found = selector.select(seconds)
    assert found in ([], [(key, stdlib_selectors.EVENT_READ)])
    return bool(found)


WAYS = [by_select, by_number, by_poll, by_epoll, by_selector]
if not hasattr(select, "epoll"):
    WAYS.remove(by_epoll)


@pytest.mark.parametrize("readable", WAYS)
def test_what_was_read_ahead_is_readable(readable):
    one, other = pair()
    with one, other:
        one.send(b"first")
        one.send(b"second")
        assert readable(other, None)
        assert other.recv(2) == b"fi"  # the kernel has nothing more now
        assert readable(other, None)
        assert other.recv(10) == b"rst"
        assert readable(other, 5.0)
        assert other.recv(10) == b"second"
        assert not readable(other, 0)


@pytest.mark.parametrize("readable", WAYS)
def test_the_end_that_was_read_ahead_is_readable(readable):
    """What ends TLS may come with the last data, while the connection below stays open."""
    one, other = pair()
    with one, other:
        one.send(b"last")
        ending = spawn(one.unwrap)
        settle(one.hub)
        assert other.recv(4) == b"last"
        assert readable(other, 5.0)
        assert other.recv(4) == b""
        assert readable(other, 0)
        ending.kill()


def test_what_is_not_asked_for_is_not_told():
    one, other = pair()
    first, second = socket.socketpair()
    with one, other, first, second:
        one.send(b"first")
        one.send(b"second")
        assert other.recv(1) == b"f"
        assert select.select([first], [other, second], [other], 0) == ([], [other, second], [])
        second.send(b"x")
        assert select.select([first, other], [second], [], 0) == ([first, other], [second], [])
        poll = select.poll()
        poll.register(other, select.POLLOUT)
        poll.register(first, select.POLLIN | select.POLLOUT)
        both = select.POLLIN | select.POLLOUT
        assert sorted(poll.poll(0)) == sorted([(other.fileno(), select.POLLOUT), (first.fileno(), both)])
        poll.modify(other, both)
        assert sorted(poll.poll(0)) == sorted([(other.fileno(), both), (first.fileno(), both)])


def test_a_number_that_is_anothers_by_now():
    one, other = pair()
    one.send(b"first")
    one.send(b"second")
    assert other.recv(1) == b"f"
    number = other.fileno()
    other.close()
    first, second = socket.socketpair()
    with one, first, second:
        assert number in (first.fileno(), second.fileno())
        assert select.select([number], [], [], 0) == ([], [], [])


def test_before_the_handshake_nothing_is_read_ahead():
    first, second = socket.socketpair()
    context = ssl.create_default_context()
    with first, context.wrap_socket(second, server_hostname="x", do_handshake_on_connect=False) as tls:
        assert not by_select(tls, 0)
        first.send(b"\x16")
        assert by_select(tls, 0)
