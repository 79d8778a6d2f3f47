"""select and poll: the same answers and errors as the standard library's."""

import os
import select as stdlib
import socket
import sys
import tempfile
from fractions import Fraction

import pytest

from hubcore import select as ours

MODULES = {"stdlib": stdlib, "hubcore": ours}


@pytest.fixture(params=MODULES)
def module(request, hub):
    """The same test body runs on both."""
    return MODULES[request.param]


@pytest.fixture
def pair():
    first, second = socket.socketpair()
    with first, second:
        first.setblocking(False)
        yield first, second


class Has:
    """Something with a fileno()."""

    def __init__(self, number):
        self.number = number

    def fileno(self):
        return self.number


def clogged(sock):
    """`sock`, which takes no more."""
    try:
        while True:
            sock.send(b"x" * 65536)
    except BlockingIOError:
        return sock


# -- the same body on both


def test_select_tells_what_is_ready(module, pair):
    first, second = pair
    assert module.select([first], [], [], 0) == ([], [], [])
    assert module.select([first], [], [], 0.001) == ([], [], [])
    assert module.select([first], [first], [first], None) == ([], [first], [])
    second.send(b"x")
    assert module.select([first, second], [first], [], 5) == ([first], [first], [])
    assert module.select([first.fileno()], (), {}, 5) == ([first.fileno()], [], [])
    assert module.select(iter([first]), [], [], 5) == ([first], [], [])
    has = Has(first.fileno())
    assert module.select([first, has, first], [has, first], [], 5) == ([first, has, first], [has, first], [])


def test_the_three_lists_are_new_ones(module):
    r, w, x = module.select([], [], [], 0)
    assert len({id(r), id(w), id(x)}) == 3
    r, w, x = module.select([], [], [], 0.001)
    assert (r, w, x) == ([], [], [])
    assert len({id(r), id(w), id(x)}) == 3


def test_a_hang_up_is_readable(module, pair):
    first, second = pair
    second.close()
    assert module.select([first], [], [first], 5) == ([first], [], [])
    assert first.recv(1) == b""


def test_urgent_data_is_an_exceptional_condition(module):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server = listener.accept()[0]
        with server:
            assert module.select([server], [], [server], 0.001) == ([], [], [])
            client.send(b"!", socket.MSG_OOB)
            assert module.select([], [], [server], 5) == ([], [], [server])
            poll = module.poll()
            poll.register(server, stdlib.POLLPRI)
            assert poll.poll(5000) == [(server.fileno(), stdlib.POLLPRI)]


def test_a_regular_file_is_always_ready(module):
    with tempfile.TemporaryFile() as file:
        assert module.select([file], [file], [file], 5) == ([file], [file], [])
        assert module.select([], [], [file], 0.01) == ([], [], [])
        poll = module.poll()
        poll.register(file, stdlib.POLLPRI)
        assert poll.poll(1) == []
        poll.modify(file, stdlib.POLLIN)
        assert poll.poll() == [(file.fileno(), stdlib.POLLIN)]


def test_a_list_that_a_fileno_changes(module, pair):
    items = []

    class Shortens:
        def fileno(self):
            del items[-1]
            return pair[0].fileno()

    items += [Shortens()] * 10
    assert module.select([], items, []) == ([], items[:5], [])


def test_poll_tells_what_is_ready(module, pair):
    first, second = pair
    poll = module.poll()
    assert poll.poll(0) == []
    assert poll.poll(1) == []
    poll.register(first, stdlib.POLLIN)
    assert poll.poll(1) == []
    assert poll.poll(0.1) == []
    second.send(b"x")
    assert poll.poll() == [(first.fileno(), stdlib.POLLIN)]
    assert poll.poll(-1) == [(first.fileno(), stdlib.POLLIN)]
    poll.register(first.fileno())  # a second time: the events are replaced
    assert poll.poll(1) == [(first.fileno(), stdlib.POLLIN | stdlib.POLLOUT)]
    poll.modify(Has(first.fileno()), stdlib.POLLPRI)
    assert poll.poll(1) == []
    second.close()
    assert poll.poll(None) == [(first.fileno(), stdlib.POLLHUP)]  # which nobody asked for
    poll.modify(first, 0)
    assert poll.poll(None) == [(first.fileno(), stdlib.POLLHUP)]
    poll.unregister(first)
    assert poll.poll(1) == []


def test_poll_tells_of_a_closed_fd(module, pair):
    poll = module.poll()
    fd = pair[0].fileno()
    poll.register(pair[0])
    pair[0].close()
    assert poll.poll() == [(fd, stdlib.POLLNVAL)]


def test_a_writer_waits_for_room(module, pair):
    first, second = pair
    clogged(first)
    assert module.select([], [first], [], 0.001) == ([], [], [])
    poll = module.poll()
    poll.register(first, stdlib.POLLOUT)
    assert poll.poll(1) == []
    while module.select([second], [], [], 0)[0]:
        second.recv(1 << 20)
    assert module.select([], [first], [], 5) == ([], [first], [])
    assert poll.poll(5000) == [(first.fileno(), stdlib.POLLOUT)]


# -- what is wrong: the same error, word for word


def outcome(call, module):
    """What `call(module)` returns or raises, to compare."""
    try:
        return call(module)
    except Exception as error:
        return type(error), error.args


def closed_fd():
    into, out = os.pipe()
    os.close(into)
    os.close(out)
    return into


def polled(*args):
    def call(module):
        poll = module.poll()
        poll.register(closed_fd())
        return poll.poll(*args)

    return call


WRONG = {
    "no lists": lambda m: m.select(1, 2, 3),
    "none at all": lambda m: m.select(None, [], [], 0),
    "no fd": lambda m: m.select([object()], [], []),
    "fileno is text": lambda m: m.select([Has("x")], [], []),
    "fileno is negative": lambda m: m.select([], [Has(-1)], []),
    "negative fd": lambda m: m.select([], [], [-1]),
    "negative fd in poll": lambda m: m.poll().register(-5),
    "not open": lambda m: m.select([closed_fd()], [], [], 0),
    "not open, for ever": lambda m: m.select([], [closed_fd()], []),
    "beyond FD_SETSIZE": lambda m: m.select([5000], [], [], 0),
    "timeout is text": lambda m: m.select([], [], [], "1"),
    "timeout is a list": lambda m: m.select([], [], [], []),
    "timeout is no float": lambda m: m.select([], [], [], Fraction(1, 2)),
    "timeout is negative": lambda m: m.select([], [], [], -1),
    "timeout is just negative": lambda m: m.select([], [], [], -1e-100),
    "timeout is nan": lambda m: m.select([], [], [], float("nan")),
    "timeout is infinite": lambda m: m.select([], [], [], float("inf")),
    "timeout is huge": lambda m: m.select([], [], [], 1e300),
    "timeout is huge and whole": lambda m: m.select([], [], [], 1 << 70),
    "too many": lambda m: m.select([], [], [], 0, 0),
    "timeout before lists": lambda m: m.select(1, 2, 3, "x"),
    "poll of text": polled("1"),
    "poll of nan": polled(float("nan")),
    "poll of inf": polled(float("inf")),
    "poll of too much": polled(1 << 31),
    "poll of far too much": polled(1 << 70),
    "poll of a list": polled([]),
    "register nothing": lambda m: m.poll().register(object()),
    "register text": lambda m: m.poll().register(Has("x"), 0),
    "events negative": lambda m: m.poll().register(0, -1),
    "events too many": lambda m: m.poll().register(0, 0x10000),
    "events far too many": lambda m: m.poll().register(0, 1 << 70),
    "events are text": lambda m: m.poll().register(0, "x"),
    "modify what is not there": lambda m: m.poll().modify(3, 0),
    "unregister what is not there": lambda m: m.poll().unregister(3),
    "unregister nonsense": lambda m: m.poll().unregister("x"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_gets_the_same_error(what, hub):
    theirs = outcome(WRONG[what], stdlib)
    if what == "too many":
        assert theirs[0] is TypeError  # its text counts the arguments
        assert outcome(WRONG[what], ours)[0] is TypeError
    else:
        assert outcome(WRONG[what], ours) == theirs
    # From CPython 3.15 on a poll that is too long is as one without a timeout.
    assert isinstance(theirs, tuple) or (what == "poll of too much" and sys.version_info >= (3, 15))


def test_a_timeout_that_is_long_but_right(hub, pair):
    for timeout in (1e9, 9e9, 10**9, True):
        assert ours.select([], [pair[0]], [], timeout) == stdlib.select([], [pair[0]], [], timeout)
    poll = ours.poll()
    poll.register(pair[0], stdlib.POLLOUT)
    assert poll.poll((1 << 31) - 1) == [(pair[0].fileno(), stdlib.POLLOUT)]


def test_the_rest_is_the_standard_librarys(hub):
    assert ours.error is OSError
    for name in dir(stdlib):
        if name not in ("select", "poll", "epoll", "kqueue") and not name.startswith("__"):
            assert getattr(ours, name) is getattr(stdlib, name)
    assert set(dir(stdlib)) <= set(dir(ours))
    assert {name for name in dir(stdlib) if name[0] != "_"} <= set(ours.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        ours.nonsense


def test_the_type_of_a_poll_object_cannot_be_called_and_poll_can_have_subclasses(hub):
    class Mine(ours.poll):
        pass

    assert isinstance(ours.poll(), ours.poll)
    assert type(Mine()) is Mine
    with pytest.raises(TypeError, match=r"cannot create .*_PollObject"):
        type(ours.poll())()
