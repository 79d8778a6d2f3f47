"""Parking under random wake-ups, interrupts, kills and deadlines, against a plain model. A failure names its seed."""

import random
import threading
import time

import pytest

import hubcore
from hubcore import GreenletExit, Timeout, sleep, spawn

STEPS = 60


class Interrupt(Exception):
    pass


class World:
    """Greenlets that park again and again, and a driver that ends their waits in every way there is.

    The model: a wait ends by the first thing that claimed it. Whoever's `wake` returned True must be received by the
    greenlet, and nobody else's; each interrupt is raised exactly once, in its order, at that wait or a later one.
    """

    def __init__(self, hub, seed, greenlets=4):
        self.hub = hub
        self.random = random.Random(seed)
        self.current = {}  # name -> its waiter, from before it parks until it has seen how the wait ended
        self.handed = {name: [] for name in range(greenlets)}  # what wake() said was taken
        self.received = {name: [] for name in range(greenlets)}
        self.raised_at = {name: [] for name in range(greenlets)}  # interrupts that were raised, in order
        self.sent = {name: [] for name in range(greenlets)}
        self.stop = False
        self.tasks = [spawn(self.live, name) for name in range(greenlets)]

    def live(self, name):
        while not self.stop:
            waiter = self.hub.new_waiter(name)
            self.current[name] = waiter
            timeout = self.random.choice([None, None, 0, 0.001, 0.003])
            try:
                if self.random.random() < 0.2:
                    sleep(0)  # may be woken, and interrupted, before it parks
                came = self.hub.park(waiter, timeout)
            except Interrupt as error:
                self.raised_at[name].append(error)
                # Woken, then interrupted elsewhere than in that wait: what was handed over is there to be taken.
                if waiter.outcome == 1:
                    self.received[name].append(waiter.value)
                continue
            if came:
                self.received[name].append(waiter.value)
            else:
                assert timeout is not None, "it timed out without a deadline"
        while True:
            try:
                sleep(0)
            except Interrupt as error:
                self.raised_at[name].append(error)
            else:
                return

    def wake(self, name, value):
        waiter = self.current.get(name)
        if waiter is not None and waiter.wake(value):
            self.handed[name].append(value)

    def interrupt(self, name):
        error = Interrupt(len(self.sent[name]))
        self.sent[name].append(error)
        self.hub.interrupt(self.tasks[name], error)

    def step(self, number):
        name = self.random.randrange(len(self.tasks))
        action = self.random.randrange(6)
        if action <= 1:
            self.wake(name, number)
        elif action == 2:
            self.wake(name, number)
            self.wake(name, -number)  # of two only one can be first
        elif action == 3:
            self.interrupt(name)
        elif action == 4:
            self.wake(name, number)
            self.interrupt(name)
        else:
            self.interrupt(name)
            self.wake(name, number)
        if self.random.random() < 0.7:
            sleep(self.random.choice([0, 0, 0.001, 0.002]))

    def finish(self):
        self.stop = True
        for _ in range(1000):
            if all(task.ready() for task in self.tasks):
                return
            for name in range(len(self.tasks)):
                self.wake(name, "the end")
            sleep(0.001)
        raise AssertionError(f"a wake-up was lost: {self.tasks}")

    def check(self):
        for name, task in enumerate(self.tasks):
            assert task.exception is None, task.exception
            assert self.received[name] == self.handed[name]
            assert self.raised_at[name] == self.sent[name]
        assert self.hub.parked.count == 0
        assert len(self.hub.loop.deadlines) == 0


def play(hub, seed):
    world = World(hub, seed)
    for number in range(1, STEPS):
        world.step(number)
    world.finish()
    world.check()


def seeds(hub):
    return 2000 if hub.backend == "virtual" else 20


@pytest.mark.slow
def test_a_wait_is_ended_exactly_once_and_by_whoever_was_told_so(hub):
    for seed in range(seeds(hub)):
        try:
            play(hub, seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


def test_a_kill_at_every_switch_point_unwinds_and_leaves_nothing_parked(hub):
    """The k-th of its switches is where the greenlet is killed, for each k until it gets through unharmed."""

    def body():
        for _ in range(3):
            sleep(0)
            waiter = hub.new_waiter("the other one")
            partner.append(waiter)
            hub.park(waiter, 0.001)
            with Timeout(0.001, False):
                sleep(0.01)
            spawn(sleep, 0).join()
        return "got through"

    for point in range(100):
        partner = []
        task = spawn(body)
        turns = 0
        while not task.ready():
            if turns == point:
                task.kill()
                break
            turns += 1
            if partner and turns % 2:
                partner.pop().wake()
            hub.loop.run_callback(int)
            sleep(0.0005 if turns % 3 == 0 else 0)
        killed = isinstance(task.value, GreenletExit)
        assert task.ready()
        assert killed or task.value == "got through"
        hub.join()
        assert hub.parked.count == 0
        assert len(hub.loop.deadlines) == 0
        if not killed:
            return
    raise AssertionError("it never got through")


def test_a_timeout_at_every_moment_of_a_hand_over_loses_nothing(hub):
    """A value is handed to waiters that may have timed out: it is taken by one of them, or still there."""
    for moment in range(40):
        queue, taken, waiting = [], [], []

        def consumer(moment=moment, queue=queue, taken=taken, waiting=waiting):
            waiter = hub.new_waiter("an item")
            waiting.append(waiter)
            with Timeout(0.0001 * moment, False):
                hub.park(waiter)
            if waiter.outcome == 1:
                taken.append(waiter.value)

        def producer(queue=queue, waiting=waiting):
            sleep(0.002)
            for item in range(3):
                while waiting and not waiting.pop(0).wake(item):
                    pass
                else:
                    queue.append(item)

        consumers = [spawn(consumer) for _ in range(2)]
        hubcore.joinall([*consumers, spawn(producer)], raise_error=True)
        assert len(set(taken)) == len(taken)
        assert set(taken) <= {0, 1, 2}


def test_foreign_threads_that_race_to_wake_each_wait_are_told_truly_who_won(hub):
    rounds, threads = 200, 3
    slot = [None]
    won = [[] for _ in range(threads)]
    stop = threading.Event()

    def racer(index):
        seen = None
        while not stop.is_set():
            waiter = slot[0]
            if waiter is None or waiter is seen:
                time.sleep(0)
                continue
            seen = waiter
            if waiter.wake((index, waiter.waiting_on)):
                won[index].append((index, waiter.waiting_on))

    racers = [threading.Thread(target=racer, args=(index,)) for index in range(threads)]
    hub.loop.begin_external()
    for thread in racers:
        thread.start()
    received = []
    try:
        for number in range(rounds):
            waiter = hub.new_waiter(number)
            slot[0] = waiter
            if number % 3 == 0:
                sleep(0)
            assert hub.park(waiter)
            received.append(waiter.value)
    finally:
        stop.set()
        for thread in racers:
            thread.join()
        hub.loop.end_external()
    assert [number for _, number in received] == list(range(rounds))
    assert sorted(item for each in won for item in each) == sorted(received)
