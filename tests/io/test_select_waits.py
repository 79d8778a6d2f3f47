"""select and poll while they wait: other greenlets run, and each event that can end the wait."""

import errno
import os
import select as stdlib
import signal
import threading

import pytest

import hubcore
from hubcore import select, socket, spawn
from hubcore.exceptions import LoopExit
from hubcore.hub import get_hub_if_any
from hubcore.testing import run_python, settle

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def pair(hub):
    first, second = socket.socketpair()
    with first, second:
        yield first, second


@pytest.fixture
def pipe(hub):
    into, out = os.pipe()
    yield into, out
    for fd in (into, out):
        try:
            os.close(fd)
        except OSError:
            pass


def poll_of(fd, events):
    poll = select.poll()
    poll.register(fd, events)
    return poll


def watched(hub):
    """The fds that the loop watches, but its own."""
    return {fd for fd, watch in hub.loop.fd_watches.items() if watch.ios}


@pytest.mark.parametrize("timeout", [None, 60])
def test_others_go_on_while_it_waits(hub, pair, timeout):
    first, second = pair
    before = watched(hub)
    waits = [spawn(select.select, [first], [], [], timeout) for _ in range(2)]
    poll = poll_of(first, stdlib.POLLIN)
    waits.append(spawn(poll.poll, None if timeout is None else timeout * 1000))
    settle(hub)
    assert not any(one.ready() for one in waits)
    second.send(b"x")
    hubcore.joinall(waits, timeout=5, raise_error=True)
    assert [one.value for one in waits] == [([first], [], [])] * 2 + [[(first.fileno(), stdlib.POLLIN)]]
    assert watched(hub) == before


def test_timeouts_are_hub_time(hub, pair):
    poll = poll_of(pair[0], stdlib.POLLIN)
    start = hub.loop.update_now()
    assert select.select([pair[0]], [], [], 0.02) == ([], [], [])
    assert select.select([], [], [], 0.02) == ([], [], [])
    assert poll.poll(20) == []
    assert 0.06 <= hub.loop.update_now() - start < 5


def test_a_look_that_finds_nothing_lets_others_run(hub, pair):
    first, second = pair
    poll = poll_of(first, stdlib.POLLIN)
    spawn(second.send, b"x")
    rounds = 0
    while not select.select([first], [], [], 0)[0]:
        rounds += 1
        assert rounds < 10
    first.recv(1)
    spawn(second.send, b"x")
    while not poll.poll(0):
        rounds += 1
        assert rounds < 10


def test_looks_that_find_something_let_others_run(hub, pair):
    done = []
    spawn(done.append, True)
    for _ in range(1000):
        assert select.select([], [pair[0]], [])[1]
    assert done


def test_a_look_is_right_where_nothing_may_wait(hub, pair):
    found = []
    poll = poll_of(pair[0], stdlib.POLLIN)
    hub.loop.run_callback(lambda: found.append((select.select([pair[0]], [], [], 0), poll.poll(0))))
    settle(hub)
    assert found == [(([], [], []), [])]


def test_of_nothing_it_is_a_sleep_and_without_end_a_report(hub):
    with pytest.raises(LoopExit, match="no fd at all"):
        select.select([], [], [])


def test_a_kill_ends_it(hub, pair):
    waits = [spawn(select.select, [pair[0]], [], [pair[0]]), spawn(poll_of(pair[0], stdlib.POLLIN).poll)]
    settle(hub)
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    hubcore.killall(waits)
    assert all(isinstance(one.value, hubcore.GreenletExit) for one in waits)
    if before:
        assert len(os.listdir("/proc/self/fd")) < before  # the epoll for exceptional conditions


def test_a_poll_object_can_be_used_again_after_a_kill(hub, pair):
    poll = poll_of(pair[0], stdlib.POLLIN)
    one = spawn(poll.poll)
    settle(hub)
    with pytest.raises(RuntimeError, match="concurrent poll"):
        poll.poll()
    one.kill()
    assert poll.poll(1) == []


@pytest.mark.parametrize("what", ["select", "poll"])
def test_closing_the_fd_ends_the_wait(hub, pipe, what):
    """As the hub sees it: whoever closes an fd in a cooperative way says so to the loop."""
    into, _ = pipe
    wait = spawn(select.select, [into], [], []) if what == "select" else spawn(poll_of(into, stdlib.POLLIN).poll)
    wait.rawlink(lambda _: None)
    settle(hub)
    os.close(into)
    hub.loop.closing_fd(into)
    if what == "select":
        with pytest.raises(OSError) as caught:
            wait.get(timeout=5)
        assert caught.value.errno == errno.EBADF
    else:
        assert wait.get(timeout=5) == [(into, stdlib.POLLNVAL)]


def test_closing_a_socket_ends_the_waits_for_it(hub, pair):
    first, _ = pair
    fd = first.fileno()
    waits = [spawn(select.select, [first], [], []), spawn(socket.wait_read, fd)]
    polls = spawn(poll_of(first, stdlib.POLLIN).poll)
    for one in waits:
        one.rawlink(lambda _: None)
    settle(hub)
    first.close()
    for one in waits:
        with pytest.raises(OSError) as caught:
            one.get(timeout=5)
        assert caught.value.errno == errno.EBADF
    assert polls.get(timeout=5) == [(fd, stdlib.POLLNVAL)]


def test_an_oserror_raised_in_it_from_elsewhere_is_not_taken_for_a_closed_fd(hub, pair):
    for error in (OSError(errno.EBADF, "mine"), OSError(errno.EIO, "mine")):
        one = spawn(select.select, [pair[0]], [], [], 60)
        settle(hub)
        one.kill(error, block=False)
        with pytest.raises(OSError, match="mine"):
            one.get(timeout=5)


class Counted:
    """A hub's count of how often greenlets parked."""

    def __init__(self, hub, monkeypatch):
        self.rounds = 0
        real = select._look

        def look(lists):
            self.rounds += 1
            return real(lists)

        monkeypatch.setattr(select, "_look", look)


def test_a_hang_up_that_does_not_count_does_not_spin(hub, pair, monkeypatch):
    """An event that select does not count would come again and again."""
    counted = Counted(hub, monkeypatch)
    first, second = pair
    one = spawn(select.select, [], [], [first], 60)
    settle(hub)
    second.close()
    ticks = 0
    while ticks < 20:
        hubcore.sleep(0.001)
        ticks += 1
    assert not one.ready()
    assert counted.rounds < 8
    one.kill()


@pytest.mark.skipif(not hasattr(stdlib, "epoll"), reason="without epoll it looks again")
def test_an_event_that_does_not_count_is_waited_for_by_its_edge(hub, pair, monkeypatch):
    """What a libev or libuv tells of too much: here, of reading, while the look finds nothing at first."""
    first, second = pair
    blind = [3]
    real = select._look
    rounds = []

    def look(lists):
        rounds.append(1)
        found = real(lists)
        if found[0] and blind[0]:
            blind[0] -= 1
            return [], [], []
        return found

    monkeypatch.setattr(select, "_look", look)
    second.send(b"x")
    one = spawn(select.select, [first], [], [], 60)
    hubcore.sleep(0.01)
    assert not one.ready()
    seen = len(rounds)
    hubcore.sleep(0.01)
    assert len(rounds) == seen  # it does not look again for nothing
    second.send(b"y")
    assert one.get(timeout=5) == ([first], [], [])


def test_where_there_is_no_epoll_it_looks_now_and_then(hub, monkeypatch):
    monkeypatch.setattr("hubcore._io.wait_any_fd._epoll", None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
            one = spawn(select.select, [server], [], [server], 60)
            settle(hub)
            client.send(b"!", socket.MSG_OOB)
            assert one.get(timeout=5) == ([], [], [server])
            client.send(b"x")
            assert select.select([server], [], [], 5)[0] == [server]


def test_many_at_once(hub):
    pipes = [os.pipe() for _ in range(100)]
    try:
        one = spawn(select.select, [into for into, _ in pipes], [], [])
        poll = select.poll()
        for into, _ in pipes:
            poll.register(into, stdlib.POLLIN | stdlib.POLLPRI)
        other = spawn(poll.poll)
        settle(hub)
        os.write(pipes[42][1], b"x")
        assert one.get(timeout=5) == ([pipes[42][0]], [], [])
        assert other.get(timeout=5) == [(pipes[42][0], stdlib.POLLIN)]
    finally:
        for into, out in pipes:
            os.close(into)
            os.close(out)


def test_a_thread_without_a_hub_may_look(hub, pair):
    found = []

    def look():
        found.append((select.select([pair[0]], [], [], 0), poll_of(pair[0], 0).poll(0), get_hub_if_any()))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [(([], [], []), [], None)]


def test_the_wait_is_told_in_reports(hub, pair):
    one = spawn(select.select, [pair[0]], [], [])
    settle(hub)
    assert repr(one.waiting_on) == f"<any of the fds {pair[0].fileno()}>"
    one.kill()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="of POSIX")
def test_signals_neither_end_it_nor_are_lost(hub_backend):
    if hub_backend == "virtual":
        pytest.skip("about real time")
    run_python(
        """
        import os, signal, time
        from hubcore import select
        came = []
        signal.signal(signal.SIGALRM, lambda *_: came.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        into, out = os.pipe()
        poll = select.poll()
        poll.register(into, select.POLLIN)
        start = time.monotonic()
        assert select.select([into], [], [], 0.1) == ([], [], [])
        assert poll.poll(100) == []
        assert select.epoll().poll(0.1) == []
        assert time.monotonic() - start >= 0.3
        assert len(came) >= 3, came  # one in each wait at least, however seldom this process has its turn

        def stop(*_):
            raise ZeroDivisionError
        signal.signal(signal.SIGALRM, stop)
        for wait in (lambda: select.select([into], [], [], 5), lambda: poll.poll(5000), lambda: select.epoll().poll(5)):
            try:
                wait()
            except ZeroDivisionError:
                pass
            else:
                raise AssertionError("the handler's exception is lost")
        signal.setitimer(signal.ITIMER_REAL, 0)
        """,
        hub_backend,
    )
