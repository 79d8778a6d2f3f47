"""Channels, queues and select under random kills, throws, timeouts and closing. A failure names its seed.

The model: exactly the items whose `send` returned are received once or are still in the channel, and each receiver gets
each sender's items in their order. For a sender that was thrown out of its wait, either outcome is allowed.
"""

import random
from collections import Counter

import pytest

import hubcore
from hubcore import GreenletExit, open_channel, sleep, spawn
from hubcore.channel import BrokenChannel, ClosedChannel, Empty, EndOfChannel, Full, seed_select, select
from hubcore.queue import Channel, PriorityQueue, SimpleQueue
from hubcore.testing import settle

STEPS = 60


class Thrown(Exception):
    pass


class World:
    """Senders and receivers, and a driver that kills them, throws into them and closes their ends."""

    def __init__(self, hub, seed, throwing):
        self.hub = hub
        self.random = random.Random(seed)
        seed_select(seed)
        self.throwing = throwing
        pick = self.random.choice
        self.channels = [open_channel(pick([0, 1, 3, None])) for _ in range(2)]
        self.queues = [SimpleQueue(pick([1, 3, None])), PriorityQueue(pick([1, 3, None])), Channel()]
        self.places = {source: 2 + i for i, source in enumerate(self.queues)}
        self.places.update({end: i for i, pair in enumerate(self.channels) for end in pair})
        self.sent = []  # (place, item)
        self.perhaps = set()  # items whose sender was thrown out
        self.received = []  # (place, item)
        self.by_receiver = {}  # the same in the order in which each one got them; the driver is None
        self.names = 0
        self.stop = False
        self.ends = []  # of the tasks, for the driver to close
        self.senders, self.receivers = [], []
        for _ in range(3):
            self.senders.append(self.start(self.sender))
            self.receivers.append(self.start(self.receiver))

    def start(self, body):
        self.names += 1
        side = 0 if body == self.sender else 1
        ends = [pair[side].clone() for pair in self.channels]
        self.ends += ends
        self.places.update({end: i for i, end in enumerate(ends)})
        return spawn(body, self.names, ends)

    # What the tasks do.

    def timeout(self):
        return self.random.choice([None, None, None, 0, 0.001, 0.002])

    def sender(self, name, ends):
        number = 0
        while not self.stop:
            number += 1
            item = (name, number)
            try:
                self.sent.append((self.send(ends, item), item))
            except (TimeoutError, Full):
                sleep(0)
            except ClosedChannel as error:
                ends.remove(error.channel)
            except Thrown:
                self.perhaps.add(item)
            if self.random.random() < 0.2:
                sleep(0)

    def send(self, ends, item):
        how = self.random.randrange(4)
        if how == 0 and ends:
            end = self.random.choice(ends)
            end.send(item, self.timeout())
            return self.place(end)
        if how == 1 and ends:
            end = self.random.choice(ends)
            end.send_nowait(item)
            return self.place(end)
        if how == 2:
            queue = self.random.choice(self.queues)
            queue.put(item, timeout=self.timeout())
            return self.place(queue)
        targets = [(target, item) for target in [*ends, *self.queues]]
        which, value = select(*self.some(targets), timeout=self.timeout())
        assert value == item
        return self.place(which)

    def receiver(self, name, ends):
        while not self.stop:
            try:
                self.got(name, *self.receive(ends))
            except (TimeoutError, Empty):
                sleep(0)
            except ClosedChannel as error:
                ends.remove(error.channel)
            except Thrown:
                pass

    def got(self, name, place, item):
        self.received.append((place, item))
        self.by_receiver.setdefault(name, []).append((place, item))

    def receive(self, ends):
        how = self.random.randrange(4)
        if how == 0 and ends:
            end = self.random.choice(ends)
            return self.place(end), end.receive(self.timeout())
        if how == 1 and ends:
            end = self.random.choice(ends)
            return self.place(end), end.receive_nowait()
        if how == 2:
            queue = self.random.choice(self.queues)
            return self.place(queue), queue.get(timeout=self.timeout())
        which, item = select(*self.some([*ends, *self.queues]), timeout=self.timeout())
        return self.place(which), item

    def some(self, cases):
        return self.random.sample(cases, self.random.randint(1, len(cases)))

    def place(self, source):
        """Which of the five it is, by number: the clones of an end are one place."""
        return self.places[source]

    # What the driver does.

    def step(self):
        tasks = self.random.choice([self.senders, self.receivers])
        i = self.random.randrange(len(tasks))
        action = self.random.random()
        if action < 0.25:
            tasks[i].kill(block=False)
        elif action < 0.5 and self.throwing:
            self.hub.loop.run_callback(self.throw, tasks[i])
        elif action < 0.55:
            self.random.choice(self.ends).close()
        if self.random.random() < 0.7:
            sleep(self.random.choice([0, 0, 0.001]))
        if tasks[i].ready():
            tasks[i] = self.start(self.sender if tasks is self.senders else self.receiver)

    def throw(self, task):
        if task.waiting_on is not None:
            task.throw(Thrown)

    def finish(self):
        self.stop = True
        hubcore.killall(self.senders + self.receivers)
        settle(self.hub)
        for send, receive in self.channels:
            place = self.place(receive)
            send.close()
            for end in self.ends:
                if hasattr(end, "send"):
                    end.close()
            for item in receive:
                self.got(None, place, item)
            numbers = receive.statistics()
            assert (numbers.waiting_senders, numbers.waiting_receivers, numbers.open_senders) == (0, 0, 0)
        for queue in self.queues:
            assert (queue.linkcount(), queue.full() or 0) == (0, queue.full())
            while True:
                try:
                    self.got(None, self.place(queue), queue.get_nowait())
                except Empty:
                    break

    def check(self):
        for task in self.senders + self.receivers:
            assert task.exception is None, task.exception
        counts = Counter(self.received)
        assert max(counts.values(), default=0) <= 1, "an item came twice"
        lost = set(self.sent) - set(counts)
        assert not lost, f"items were lost: {lost}"
        invented = {item for place, item in set(counts) - set(self.sent)} - self.perhaps
        assert not invented, f"items came that were not sent: {invented}"
        for received in self.by_receiver.values() if not self.throwing else ():
            latest = Counter()
            for place, (name, number) in received:
                if place != 3:  # by priority
                    assert number > latest[place, name], f"{name}'s item {number} came late at {place}"
                    latest[place, name] = number


def play(hub, seed, throwing):
    world = World(hub, seed, throwing)
    for _ in range(STEPS):
        world.step()
    world.finish()
    world.check()
    return world


def seeds(hub):
    return 150 if hub.backend == "virtual" else 10


@pytest.mark.slow
@pytest.mark.parametrize("throwing", [False, True], ids=["kills", "throws"])
def test_nothing_is_lost_or_comes_twice(hub, throwing):
    received = 0
    for seed in range(seeds(hub)):
        try:
            received += len(play(hub, seed, throwing).received)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    assert received > 20 * seeds(hub)


@pytest.mark.parametrize("how", ["kill", "throw"])
@pytest.mark.parametrize("most", [0, 1])
def test_a_kill_at_every_switch_point(hub, how, most):
    """The k-th turn is where one of two consumers is killed, for each k until everything was sent before that."""
    for point in range(100):
        (send, receive), queue, rendezvous = open_channel(most), SimpleQueue(1), Channel()
        got, sent = [], []

        def consume(receive=receive, queue=queue, rendezvous=rendezvous, got=got):
            while True:
                try:
                    got.append(select(receive, queue, rendezvous)[1])
                except EndOfChannel:
                    return "got through"

        def produce(send=send, queue=queue, rendezvous=rendezvous, sent=sent):
            for item in range(12):
                select((send, item), (queue, item), (rendezvous, item))
                sent.append(item)

        victim, other, producer = spawn(consume), spawn(consume), spawn(produce)
        for _ in range(point):
            sleep(0)
        over = producer.ready()
        if how == "kill":
            victim.kill(block=False)
        else:
            hub.loop.run_callback(lambda victim=victim: victim.waiting_on is not None and victim.throw(GreenletExit))
        producer.join()
        settle(hub)
        send.close()
        hubcore.joinall([victim, other], raise_error=True)
        got += queue.queue
        assert sorted(got) == sent == list(range(12))
        if over:
            return
    raise AssertionError("the producer was never done")


@pytest.mark.parametrize("closing", ["senders", "receivers", "both"])
def test_closing_at_every_moment_lets_nobody_wait_for_ever(hub, closing):
    for point in range(25):
        send, receive = open_channel(point % 3)
        got, sent = [], []

        def consume(end, got=got):
            try:
                for item in end:
                    got.append(item)
            except ClosedChannel:
                pass

        def produce(end, name, sent=sent):
            try:
                for number in range(5):
                    end.send((name, number))
                    sent.append((name, number))
            except (ClosedChannel, BrokenChannel):
                pass

        senders, receivers = [send, send.clone()], [receive, receive.clone()]
        tasks = [spawn(produce, end, name) for name, end in enumerate(senders)]
        tasks += [spawn(consume, end) for end in receivers]
        for _ in range(point):
            sleep(0)
        for end in (senders if closing != "receivers" else []) + (receivers if closing != "senders" else []):
            end.close()
        if closing == "receivers":
            hubcore.joinall(tasks[:2], raise_error=True)
            hubcore.joinall(tasks[2:], raise_error=True)
        hubcore.joinall(tasks, raise_error=True)
        assert len(set(got)) == len(got)
        assert set(got) <= set(sent)
        if closing == "senders":
            assert sorted(got) == sorted(sent)
