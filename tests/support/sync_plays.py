"""Plays: greenlets and a foreign thread use one primitive at random, and a model checks the results.

The seed replays a play: `play(hub, SemaphorePlay, 4711)`. Greenlets are interrupted, thrown into, and run into timeouts
at random; a thread without a hub takes part in a deterministic hand-off, while this thread sleeps.
"""

import random
import threading

from hubcore import Timeout, sleep, spawn
from hubcore.event import Event
from hubcore.hub import get_hub_if_any
from hubcore.lock import Barrier, BoundedSemaphore, BrokenBarrierError, Condition, RLock, Semaphore
from hubcore.thread import Lock as ThreadLock
from hubcore.thread import RLock as ThreadRLock
from tests.support.patched_condition import PatchedCondition

TIMEOUTS = [None, None, None, 0, -1, 0.001, 0.003]


class Interrupt(Exception):
    pass


class Foreign:
    """A thread without a hub that makes one call at a time, while the caller sleeps natively."""

    def __init__(self):
        self.call = None
        self.result = None
        self.go, self.done = threading.Semaphore(0), threading.Semaphore(0)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            self.go.acquire()
            if self.call is None:
                return
            try:
                self.result = self.call()
            except BaseException as error:
                self.result = error
            assert get_hub_if_any() is None, "it got a hub"
            self.done.release()

    def run(self, call):
        self.call = call
        self.go.release()
        assert self.done.acquire(timeout=20), "the foreign thread hangs"
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result

    def close(self):
        self.call = None
        self.go.release()
        self.thread.join()


class Play:
    GREENLETS = 4
    STEPS = 25

    def __init__(self, hub, seed, foreign):
        self.hub = hub
        self.foreign = foreign
        self.random = random.Random(seed)
        self.throws = self.random.random() < 0.3  # throwing is rougher than the rules of hubcore allow for
        self.thrown = 0
        self.stop = False
        self.errors = []
        self.clock = 0  # counts what is done, by whom ever: unchanged, nobody else ran
        self.set_up()
        self.tasks = [spawn(self.live, name) for name in range(self.GREENLETS)]

    def chance(self, share):
        return self.random.random() < share

    def timeout(self):
        return self.random.choice(TIMEOUTS)

    def live(self, name):
        try:
            while not self.stop:
                self.clock += 1
                try:
                    if self.chance(0.2):
                        with Timeout(self.random.choice([0, 0.001, 0.002]), False):
                            self.act(name)
                    else:
                        self.act(name)
                    if self.chance(0.5):
                        sleep(self.random.choice([0, 0, 0.001]))
                except Interrupt:
                    pass
        except BaseException as error:
            self.errors.append(error)
            raise

    def step(self):
        self.clock += 1
        task = self.random.choice(self.tasks)
        action = self.random.randrange(8)
        if action <= 1:
            self.hub.interrupt(task, Interrupt())
        elif action == 2 and self.throws:
            self.thrown += 1
            self.hub.loop.run_callback(self.throw, task)
        elif action == 3:
            self.foreign_step()
        else:
            self.drive()
        if self.chance(0.8):
            sleep(self.random.choice([0, 0, 0.001, 0.002]))

    def throw(self, task):
        if not task.ready() and task.waiting_on is not None:
            task.throw(Interrupt())

    def run(self):
        for _ in range(self.STEPS):
            self.step()
            if self.errors:
                raise self.errors[0]
        self.stop = True
        for _ in range(2000):
            if all(task.ready() for task in self.tasks):
                break
            self.release_all()
            sleep(0.001)
        else:
            raise AssertionError(f"somebody was forgotten: {self.tasks}")
        for task in self.tasks:
            task.get()
        self.check()
        assert self.hub.parked.count == 0
        assert len(self.hub.loop.deadlines) == 0

    # What a play says.

    def set_up(self):
        raise NotImplementedError

    def act(self, name):
        """One thing that greenlet `name` does."""
        raise NotImplementedError

    def drive(self):
        """One thing that the driver does."""

    def foreign_step(self):
        """One thing that the foreign thread does."""

    def release_all(self):
        """Let go whoever waits, at the end."""

    def check(self):
        """What must be true when all have gone."""


class InOrder:
    """Whether those who wait in line are served in their order: who is served may leave nobody waiting before it."""

    def __init__(self):
        self.next = 0
        self.waiting = set()
        self.known = True  # what another thread hands over comes by the inbox, hence later

    def ticket(self):
        self.next += 1
        self.waiting.add(self.next)
        return self.next

    def served(self, ticket, waited):
        if self.known and waited:
            assert ticket == min(self.waiting), "somebody was overtaken"


class SemaphorePlay(Play):
    def set_up(self):
        self.permits = self.random.randrange(1, 4)
        self.semaphore = self.random.choice([Semaphore, BoundedSemaphore])(self.permits)
        self.holders = 0
        self.line = InOrder()

    def act(self, name):
        if self.chance(0.1):
            assert self.semaphore.wait(self.timeout()) >= 0
            return
        timeout, before, ticket = self.timeout(), self.clock, self.line.ticket()
        try:
            if not self.semaphore.acquire(self.chance(0.9), timeout):
                return
            self.line.served(ticket, self.clock != before)
        finally:
            self.clock += 1
            self.line.waiting.discard(ticket)
        self.holders += 1
        assert self.holders <= self.permits
        try:
            sleep(self.random.choice([0, 0.001]))
        finally:
            self.holders -= 1
            self.semaphore.release()

    def drive(self):
        if self.chance(0.3) and type(self.semaphore) is Semaphore:
            self.permits += 1
            self.semaphore.counter += 1  # how a pool grows

    def foreign_step(self):
        if self.foreign.run(lambda: self.semaphore.acquire(timeout=self.random.choice([0, 0.0001]))):
            self.holders += 1
            assert self.holders <= self.permits
            sleep(0.001)
            self.holders -= 1
            self.line.known = False
            self.foreign.run(self.semaphore.release)

    def check(self):
        assert self.semaphore.counter == self.permits
        assert self.semaphore.linkcount() == 0


class RLockPlay(Play):
    def set_up(self):
        self.lock = RLock()
        self.owner = None
        self.line = InOrder()

    def act(self, name):
        timeout, before, ticket = self.timeout(), self.clock, self.line.ticket()
        try:
            if not self.lock.acquire(self.chance(0.9), timeout):
                return
            self.line.served(ticket, self.clock != before)
        finally:
            self.clock += 1
            self.line.waiting.discard(ticket)
        assert self.owner is None
        self.owner = name
        depth = self.random.randrange(3)
        for _ in range(depth):
            assert self.lock.acquire(False)
        try:
            sleep(self.random.choice([0, 0.001]))
        finally:
            assert (self.owner, self.lock._recursion_count()) == (name, depth + 1)
            for _ in range(depth):
                self.lock.release()
            self.owner = None
            self.lock.release()

    def foreign_step(self):
        if self.foreign.run(lambda: self.lock.acquire(timeout=0)):
            assert self.owner is None
            self.owner = "the foreign thread"
            sleep(0.001)
            self.owner = None
            self.line.known = False
            self.foreign.run(self.lock.release)

    def check(self):
        assert not self.lock.locked()
        assert self.lock.linkcount() == 0


class EventPlay(Play):
    def set_up(self):
        self.event = Event()
        self.sets = 0

    def act(self, name):
        timeout, sets, was_set = self.timeout(), self.sets, self.event.is_set()
        came = self.event.wait(timeout)
        assert came == (was_set or self.sets > sets) or (not came and timeout is not None)
        if came and self.chance(0.3):
            self.event.clear()
        if came:
            sleep(0)

    def set(self):
        self.sets += 1
        self.event.set()
        assert self.event.linkcount() == 0

    def drive(self):
        self.random.choice([self.set, self.event.clear])()
        if self.chance(0.3):
            self.set()
            self.event.clear()

    def foreign_step(self):
        if self.chance(0.5):
            self.foreign.run(self.set)
        else:
            assert self.foreign.run(lambda: self.event.wait(0)) == self.event.is_set()

    release_all = set

    def check(self):
        assert self.event.linkcount() == 0


class ConditionPlay(Play):
    def set_up(self):
        self.condition = self.make()
        self.owner = None
        self.notices = self.heard = 0
        self.failed = False

    def act(self, name):
        timeout = self.timeout()
        with self.condition:
            assert self.owner is None
            self.owner = name
            try:
                if self.chance(0.2):
                    sleep(self.random.choice([0, 0.001]))
                self.owner = None
                try:
                    came = self.condition.wait(timeout)
                    self.heard += came  # not in one: it would add to what was before the wait
                except BaseException:
                    self.failed = True
                    raise
                finally:
                    assert self.condition._is_owned()
                    assert self.owner is None
                    self.owner = name
            finally:
                self.owner = None

    def notify(self, n=1):
        if self.condition.acquire(False):
            waiting = self.waiting()
            self.notices += min(n, waiting)
            self.condition.notify(n)
            self.condition.release()

    def make(self):
        return Condition(self.random.choice([None, RLock(), Semaphore(1)]))

    def waiting(self):
        return int(repr(self.condition).rpartition(", ")[2].split()[0])

    def drive(self):
        self.notify(self.random.randrange(4))

    def foreign_step(self):
        self.foreign.run(lambda: self.notify(self.random.randrange(4)))

    def release_all(self):
        self.notify(100)

    def check(self):
        assert self.heard <= self.notices
        assert self.heard == self.notices or self.failed
        assert self.condition.acquire(False)


class PatchedConditionPlay(ConditionPlay):
    """The standard library's Condition as it is after patching; see patched_condition."""

    def make(self):
        return PatchedCondition(self.random.choice([ThreadRLock, ThreadLock, RLock])())

    def waiting(self):
        return len(self.condition._waiters)


class BarrierPlay(Play):
    def set_up(self):
        self.rounds = 0
        self.parties = self.random.randrange(2, 4)
        self.barrier = Barrier(self.parties, self.next_round)
        self.numbers = {}  # by round

    def next_round(self):
        self.rounds += 1
        self.numbers[self.rounds] = set()

    def act(self, name):
        rounds = self.rounds
        try:
            number = self.barrier.wait(self.timeout())
        except BrokenBarrierError:
            sleep(0.001)
            return
        assert rounds < self.rounds
        mine = next(each for each in range(rounds + 1, self.rounds + 1) if number not in self.numbers[each])
        self.numbers[mine].add(number)
        assert number in range(self.parties)

    def drive(self):
        if self.barrier.broken or self.chance(0.2):
            self.barrier.reset()
        elif self.chance(0.1):
            self.barrier.abort()

    def release_all(self):
        self.barrier.abort()

    def check(self):
        assert self.barrier.n_waiting == 0
        self.barrier.reset()
        assert not self.barrier.broken


def play(hub, kind, seed, foreign=None):
    """One play, from its seed; what it raises names the seed."""
    own = Foreign() if foreign is None else foreign
    try:
        kind(hub, seed, own).run()
    except BaseException as error:
        error.add_note(f"play(hub, {kind.__name__}, {seed}) on {hub.backend}")
        raise
    finally:
        if own is not foreign:
            own.close()
