"""epoll objects: the kernel's own, waiting cooperatively."""

import gc
import os
import select as stdlib
import threading
import weakref

import pytest

import hubcore
from hubcore import select, socket, spawn
from hubcore._io import kernel_queue as _kernel_queue
from hubcore.testing import settle

if not hasattr(stdlib, "epoll"):
    pytest.skip("of Linux", allow_module_level=True)

MODULES = {"stdlib": stdlib, "hubcore": select}
IN, OUT, ET = stdlib.EPOLLIN, stdlib.EPOLLOUT, stdlib.EPOLLET


@pytest.fixture(params=MODULES)
def module(request, hub):
    """The same test body runs on both."""
    return MODULES[request.param]


@pytest.fixture
def pair(hub):
    first, second = socket.socketpair()
    with first, second:
        yield first, second


# -- the same body on both


def test_registering_and_polling(module, pair):
    first, second = pair
    with module.epoll() as epoll:
        fd = first.fileno()
        assert epoll.poll(0) == []
        assert epoll.poll(0.001) == []
        epoll.register(first, IN)
        assert epoll.poll(0.001, 1) == []
        second.send(b"x")
        assert epoll.poll() == [(fd, IN)]
        assert epoll.poll(timeout=-1, maxevents=-1) == [(fd, IN)]
        epoll.modify(fd, OUT)
        assert epoll.poll(None) == [(fd, OUT)]
        epoll.unregister(fd)
        assert epoll.poll(0.001) == []
        epoll.register(first)
        assert epoll.poll(5) == [(fd, IN | OUT)]
        assert epoll.poll(5, 1) == [(fd, IN | OUT)]
    assert epoll.closed


def test_edges_come_once(module, pair):
    first, second = pair
    with module.epoll(16) as epoll:
        epoll.register(first, IN | ET)
        second.send(b"x")
        assert epoll.poll(5) == [(first.fileno(), IN)]
        assert epoll.poll(0.001) == []
        second.send(b"x")
        assert epoll.poll(5) == [(first.fileno(), IN)]
        assert epoll.poll(0) == []


def test_one_shots_come_once_until_armed_again(module, pair):
    first, second = pair
    with module.epoll(flags=stdlib.EPOLL_CLOEXEC) as epoll:
        epoll.register(first, IN | stdlib.EPOLLONESHOT)
        second.send(b"x")
        assert epoll.poll(5) == [(first.fileno(), IN)]
        second.send(b"x")
        assert epoll.poll(0.001) == []
        epoll.modify(first, IN | stdlib.EPOLLONESHOT)
        assert epoll.poll(5) == [(first.fileno(), IN)]


def test_an_object_for_an_fd_that_is_an_epolls(module, pair):
    epoll = module.epoll()
    other = module.epoll.fromfd(os.dup(epoll.fileno()))
    other.register(pair[0], OUT)
    assert epoll.poll(5) == other.poll(5) == [(pair[0].fileno(), OUT)]
    epoll.close()
    assert other.poll(5) == [(pair[0].fileno(), OUT)]
    assert not other.closed
    other.close()
    other.close()


def closed(module):
    epoll = module.epoll()
    epoll.close()
    return epoll


def with_fd_gone(module):
    epoll = module.epoll.fromfd(os.dup(0))
    with epoll:
        return epoll.poll(0)


WRONG = {
    "size 0": lambda m: m.epoll(0),
    "size negative": lambda m: m.epoll(sizehint=-2),
    "size text": lambda m: m.epoll("x"),
    "flags": lambda m: m.epoll(flags=12356),
    "timeout text": lambda m: m.epoll().poll("x"),
    "timeout nan": lambda m: m.epoll().poll(float("nan")),
    "timeout huge": lambda m: m.epoll().poll(1e300),
    "timeout huge and whole": lambda m: m.epoll().poll(1 << 70),
    "maxevents 0": lambda m: m.epoll().poll(0, 0),
    "maxevents -2": lambda m: m.epoll().poll(1, -2),
    "maxevents text": lambda m: m.epoll().poll(1, "x"),
    "no fd": lambda m: m.epoll().register(object()),
    "negative": lambda m: m.epoll().register(-1, IN),
    "not open": lambda m: m.epoll().register(10000, IN),
    "not there": lambda m: m.epoll().modify(0, IN),
    "nor there": lambda m: m.epoll().unregister(0),
    "closed poll": lambda m: closed(m).poll(1.0),
    "closed fileno": lambda m: closed(m).fileno(),
    "closed register": lambda m: closed(m).register(0, IN),
    "closed with": lambda m: closed(m).__enter__(),
    "fromfd text": lambda m: m.epoll.fromfd("x"),
    "not an epoll": with_fd_gone,
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_gets_the_same_error(what, hub):
    found = []
    for module in (stdlib, select):
        with pytest.raises(Exception) as caught:
            WRONG[what](module)
        found.append((caught.type, caught.value.args))
    assert found[0] == found[1]


def test_what_it_refuses(module):
    with module.epoll() as epoll, open(__file__) as file, pytest.raises(PermissionError):
        epoll.register(file)
    first, second = os.pipe()
    with module.epoll() as epoll:
        epoll.register(first)
        with pytest.raises(FileExistsError):
            epoll.register(first)
        os.close(first)  # it takes itself out
        os.close(second)
        assert epoll.poll(0.001) == []


# -- cooperatively


def test_others_go_on_while_it_waits(hub, pair):
    first, second = pair
    with select.epoll() as epoll:
        epoll.register(first, IN | ET)
        for _ in range(3):  # the watcher stays on in between
            one = spawn(epoll.poll)
            settle(hub)
            assert not one.ready()
            assert one.waiting_on is epoll
            second.send(b"x")
            assert one.get(timeout=5) == [(first.fileno(), IN)]
            assert len(epoll._ios) == 1
        start = hub.loop.update_now()
        assert epoll.poll(0.02) == []
        assert 0.02 <= hub.loop.update_now() - start < 5


def test_what_is_registered_while_it_waits_counts(hub, pair):
    with select.epoll() as epoll:
        one = spawn(epoll.poll)
        settle(hub)
        epoll.register(pair[0], OUT)
        assert one.get(timeout=5) == [(pair[0].fileno(), OUT)]


def test_several_wait_and_each_gets_what_the_others_left(hub):
    pairs = [socket.socketpair() for _ in range(4)]
    with select.epoll() as epoll:
        for first, _ in pairs:
            epoll.register(first, IN | ET)
        waits = [spawn(epoll.poll, None, 1) for _ in pairs]
        settle(hub)
        for _, second in pairs[:3]:
            second.send(b"x")
        hubcore.joinall(waits, count=3, timeout=5)
        settle(hub)
        assert sum(one.ready() for one in waits) == 3
        pairs[3][1].send(b"x")
        hubcore.joinall(waits, timeout=5, raise_error=True)
        assert sorted(one.value[0][0] for one in waits) == sorted(first.fileno() for first, _ in pairs)
    for one in (*pairs,):
        for sock in one:
            sock.close()


@pytest.mark.skipif(not hasattr(stdlib, "EPOLLEXCLUSIVE"), reason="of a newer kernel")
def test_exclusive_wake_ups(hub, pair):
    first, second = pair
    with select.epoll() as one, select.epoll() as other:
        for epoll in (one, other):
            epoll.register(first, IN | stdlib.EPOLLEXCLUSIVE)
        waits = [spawn(epoll.poll) for epoll in (one, other)]
        settle(hub)
        second.send(b"x")
        done = hubcore.wait(waits, timeout=5, count=1)
        assert done[0].value == [(first.fileno(), IN)]
        hubcore.killall(waits)


def test_closing_it_wakes_who_waits(hub, pair):
    epoll = select.epoll()
    waits = [spawn(epoll.poll), spawn(epoll.poll, 60)]
    settle(hub)
    epoll.close()
    for one in waits:
        one.rawlink(lambda _: None)
        with pytest.raises(ValueError, match="closed epoll"):
            one.get(timeout=5)
    assert not epoll._ios


def test_closing_it_in_another_thread_wakes_who_waits(hub):
    epoll = select.epoll()
    one = spawn(epoll.poll)
    one.rawlink(lambda _: None)
    settle(hub)
    thread = threading.Thread(target=epoll.close)
    thread.start()
    thread.join()
    with pytest.raises(ValueError, match="closed epoll"):
        one.get(timeout=5)


def test_a_kill_loses_no_event(hub, pair):
    first, second = pair
    with select.epoll() as epoll:
        epoll.register(first, IN | ET)
        one = spawn(epoll.poll)
        settle(hub)
        second.send(b"x")
        one.kill()
        assert epoll.poll(0) == [(first.fileno(), IN)]


def test_an_error_raised_in_it_from_elsewhere_comes_through(hub):
    with select.epoll() as epoll:
        one = spawn(epoll.poll)
        settle(hub)
        one.kill(OSError("mine"), block=False)
        with pytest.raises(OSError, match="mine"):
            one.get(timeout=5)


def test_several_threads_wait_for_one_epoll(hub_backend, pair):
    """Each in its own hub; another thread may have taken the event."""
    first, second = pair
    got = []
    with select.epoll() as epoll:
        epoll.register(first, IN | stdlib.EPOLLONESHOT)
        threads = [threading.Thread(target=lambda: got.append(epoll.poll())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for n in range(3):
            second.send(b"x")
            while len(got) <= n:
                hubcore.sleep(0.001)
            assert len(got) == n + 1
            first.recv(1)
            epoll.modify(first, IN | stdlib.EPOLLONESHOT)
        for thread in threads:
            thread.join()
    assert got == [[(first.fileno(), IN)]] * 3


def test_one_that_is_dropped_takes_its_watcher_along(hub):
    epoll = select.epoll()
    fd = epoll.fileno()
    assert epoll.poll(0.001) == []
    assert fd in hub.loop.fd_watches
    gone = weakref.ref(epoll)
    del epoll
    gc.collect()
    assert gone() is None
    assert fd not in hub.loop.fd_watches


def test_it_counts_as_the_standard_librarys(hub):
    with select.epoll() as epoll:
        assert isinstance(epoll, stdlib.epoll)
        assert isinstance(epoll, select.epoll)
        assert type(epoll) is select.epoll
        assert not os.get_inheritable(epoll.fileno())
    with pytest.raises(TypeError):
        select.epoll(1, 2, 3)


def test_an_epoll_in_an_epoll(hub, pair):
    with select.epoll() as outer, select.epoll() as inner:
        outer.register(inner, IN)
        inner.register(pair[0], IN)
        one = spawn(outer.poll)
        settle(hub)
        pair[1].send(b"x")
        assert one.get(timeout=5) == [(inner.fileno(), IN)]
        assert select.select([inner], [], [], 5)[0] == [inner]


class FakeKqueue:
    """What is needed of a kqueue, on an epoll: the changes are calls, and an error in a timeout is an error."""

    def __init__(self):
        self.epoll = stdlib.epoll()
        self.fileno, self.close = self.epoll.fileno, self.epoll.close

    closed = property(lambda self: self.epoll.closed)

    def control(self, changes, maxevents, timeout=None):
        if timeout is not None and timeout < 0:
            raise ValueError("timeout must be positive or None, got -1")
        for change in changes or ():
            change(self.epoll)
        assert timeout == 0 or maxevents == 0, "this would block"
        return self.epoll.poll(0, maxevents) if maxevents else []


def test_a_kqueue_is_the_same(hub, pair, monkeypatch):
    monkeypatch.setattr(_kernel_queue, "_native_kqueue", FakeKqueue)
    first, second = pair
    queue = _kernel_queue.kqueue()
    changes = []

    def change(epoll):
        changes.append(epoll)
        epoll.register(first, IN)

    assert queue.control([change], 0) == []
    assert queue.control(None, 1, 0.001) == []
    with pytest.raises(ValueError, match="positive"):
        queue.control(None, 1, -1)
    one = spawn(queue.control, (), 1)
    settle(hub)
    second.send(b"x")
    assert one.get(timeout=5) == [(first.fileno(), IN)]
    assert len(changes) == 1
    first.recv(1)
    other = spawn(queue.control, None, 1)
    other.rawlink(lambda _: None)
    settle(hub)
    queue.close()
    with pytest.raises(ValueError, match="closed"):
        other.get(timeout=5)
