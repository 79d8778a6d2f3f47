"""Channels, queues and select between hubs of several threads and threads that have no hub."""

import sys
import threading
import time
from collections import Counter

import pytest

import hubcore
from hubcore import GreenletExit, open_channel, sleep, spawn
from hubcore._core import thread_wait as _thread_wait
from hubcore.channel import ClosedChannel, Empty, EndOfChannel, select
from hubcore.event import Event
from hubcore.hub import get_hub_if_any
from hubcore.queue import Channel, PriorityQueue, SimpleQueue
from tests.hub.test_threads import Together


@pytest.fixture
def threads(hub):
    return Together(hub)


@pytest.fixture(autouse=True)
def often():
    """Let threads take turns at every opportunity."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("most", [0, 1, None])
def test_a_thread_without_a_hub_sends_and_receives(hub, threads, most):
    (send, there), (back, receive) = open_channel(most), open_channel(most)

    def echo():
        with back:
            for item in there:
                back.send(item * 2)
        assert get_hub_if_any() is None

    threads.start(echo)
    got = []
    for i in range(100):
        send.send(i)
        got.append(receive.receive())
    send.close()
    assert list(receive) == []
    threads.wait()
    assert got == [2 * i for i in range(100)]


def test_a_thread_without_a_hub_selects(hub, threads):
    (send, receive), queue, event = open_channel(0), SimpleQueue(), Event()
    task = spawn(sleep, 0.02)
    got = []

    def run():
        for _ in range(3):
            got.append(select(receive, queue, event))
        got.append(select(receive, task)[0])
        with pytest.raises(TimeoutError):
            select(receive, queue, timeout=0.001)
        assert get_hub_if_any() is None

    threads.start(run)
    send.send(1)
    while len(got) < 1:
        sleep(0.001)
    queue.put(2)
    while len(got) < 2:
        sleep(0.001)
    event.set()
    threads.wait()
    assert got == [(receive, 1), (queue, 2), (event, None), task]
    assert receive.statistics().waiting_receivers == event.linkcount() == 0


def test_closing_in_one_thread_wakes_those_who_wait_in_others(hub, threads):
    send, receive = open_channel(0)
    ends = []

    def wait(end, use):
        try:
            use()
        except (EndOfChannel, ClosedChannel) as error:
            ends.append(type(error))

    clone, other = receive.clone(), receive.clone()
    threads.start(wait, clone, clone.receive)
    threads.start(wait, other, lambda: select(other))
    while receive.statistics().waiting_receivers < 2:
        sleep(0.001)
    clone.close()
    send.close()
    threads.wait()
    assert sorted(ends, key=repr) == [ClosedChannel, EndOfChannel]


@pytest.mark.parametrize("kind", ["channel", "queue", "select"])
def test_what_a_thread_sends_after_it_was_let_in_comes_after_that(hub, threads, kind):
    """The thread that waits for room runs on before whoever made room has."""

    class SlowBell(_thread_wait.Bell):
        def wake(self):
            super().wake()
            time.sleep(0.02)

    send, receive = open_channel(2)
    queue = SimpleQueue(2)
    put = queue.put if kind == "queue" else send.send
    get = queue.get_nowait if kind == "queue" else receive.receive_nowait
    put(1)
    put(2)

    def run():
        _thread_wait._thread.bell = SlowBell()  # its own
        select((send, 3)) if kind == "select" else put(3)
        put(4)

    threads.start(run)
    while not _thread_wait.waiting:
        sleep(0.001)
    time.sleep(0.02)  # it sleeps on its bell now
    got = [get()]
    sleep(0.01)
    while len(got) < 4:
        got.append(queue.get() if kind == "queue" else receive.receive())
    threads.wait()
    assert got == [1, 2, 3, 4]


SOURCES = ["memory channel", "rendezvous", "queue", "priority queue", "Channel"]


class Market:
    """Five sources; producers that select where to put, consumers that select where to get, in threads of each kind."""

    def __init__(self, items):
        self.items = items
        self.pairs = [open_channel(2), open_channel(0)]
        self.queues = [SimpleQueue(2), PriorityQueue(2), Channel()]
        self.outs = [pair[1] for pair in self.pairs] + self.queues
        self.ins = [pair[0] for pair in self.pairs] + self.queues
        self.done = Event()
        self.got = []  # (consumer, place, item)
        self.lock = threading.Lock()

    def produce(self, name):
        for number in range(self.items):
            item = (name, number)
            if number % 3:
                select(*[(each, item) for each in self.ins])
            elif number % 2:
                self.ins[number % 2].send(item)
            else:
                self.queues[number % 3].put(item)

    def consume(self, name):
        while True:
            which, item = select(self.done, *self.outs)
            if which is self.done:
                return
            self.got.append((name, self.outs.index(which), item))

    def rest(self):
        while True:
            try:
                which, item = select(*self.outs, timeout=0)
            except TimeoutError:
                return
            self.got.append((None, self.outs.index(which), item))

    def check(self, producers, in_order):
        wanted = {(name, number) for name in producers for number in range(self.items)}
        counts = Counter(item for _, _, item in self.got)
        assert max(counts.values()) == 1, "an item came twice"
        assert set(counts) == wanted, f"lost: {wanted - set(counts)}"
        latest = {}
        for consumer, place, (name, number) in self.got if in_order else ():
            if place != 3:  # by priority
                assert number > latest.get((consumer, place, name), -1)
                latest[consumer, place, name] = number


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "throw"])
def test_nothing_is_lost_between_threads_with_kills(hub, threads, how):
    market = Market(1500)
    names = [f"{kind}{i}" for kind in ("plain", "hub", "own") for i in range(2)]
    left = len(names)
    killed = []

    def produced():
        nonlocal left
        with market.lock:
            left -= 1
            if left == 0:
                market.done.set()

    def produce(name):
        market.produce(name)
        produced()

    def killer(name):
        """Consumers that are killed and replaced until all is done."""
        kills = 0
        here = hubcore.get_hub()
        tasks = [spawn(market.consume, f"{name}-{i}") for i in range(3)]
        while not market.done.is_set():
            victim = tasks[kills % 3]
            if how == "kill":
                victim.kill(block=False)
            else:
                here.loop.run_callback(throw, victim)
            kills += 1
            sleep(0)
            if victim.ready():
                tasks[tasks.index(victim)] = spawn(market.consume, f"{name}-{kills + 3}")
        hubcore.joinall(tasks)
        assert all(task.successful() for task in tasks)
        killed.append(kills)

    def throw(task):
        if task.waiting_on is not None:
            task.throw(GreenletExit)

    def hub_thread(name):
        tasks = [spawn(produce, name), spawn(killer, f"killer of {name}")]
        hubcore.joinall(tasks, raise_error=True)

    for i in range(2):
        threads.start(produce, f"plain{i}")
        threads.start(hub_thread, f"hub{i}")
        threads.start(market.consume, f"plain consumer {i}")
    own = [spawn(produce, f"own{i}") for i in range(2)] + [spawn(killer, "killer here")]
    threads.wait()
    hubcore.joinall(own, raise_error=True)
    market.rest()
    market.check(names, in_order=how == "kill")
    assert sum(killed) > 20
    for end in market.outs[:2]:
        numbers = end.statistics()
        assert (numbers.waiting_senders, numbers.waiting_receivers) == (0, 0)
    for queue in market.queues:
        with pytest.raises(Empty):
            queue.get_nowait()
