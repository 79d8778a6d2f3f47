"""Plays (randomised scenarios) with queues; see sync_plays."""

from hubcore.queue import Channel, Empty, Full, LifoQueue, PriorityQueue, Queue, ShutDown, SimpleQueue
from tests.support.sync_plays import Interrupt, Play


class QueuePlay(Play):
    KINDS = (SimpleQueue, Queue, LifoQueue, PriorityQueue)

    def set_up(self):
        kind = self.random.choice(self.KINDS)
        self.queue = kind(self.random.choice([None, 1, 2, 3]))
        self.in_order = issubclass(kind, (SimpleQueue, Queue)) and kind in (SimpleQueue, Queue) and not self.throws
        self.counts = kind is not SimpleQueue
        self.made = 0
        self.put, self.unsure, self.got = set(), set(), []
        self.last = {}  # of each producer's items, by consumer
        self.done = 0

    def bound(self):
        return float("inf") if self.queue.maxsize is None else self.queue.maxsize + self.thrown

    def put_one(self, producer, block, timeout):
        self.made += 1
        item = (self.made, producer)
        self.unsure.add(item)
        try:
            self.queue.put(item, block, timeout)
        except Full:
            self.unsure.discard(item)
            assert not block or timeout is not None
            return
        except ShutDown:
            self.unsure.discard(item)
            raise
        except Interrupt:
            if not self.throws:
                self.unsure.discard(item)
            raise
        self.unsure.discard(item)
        self.put.add(item)
        assert self.queue.qsize() <= self.bound()

    def get_one(self, consumer, block, timeout):
        try:
            item = self.queue.get(block, timeout)
        except Empty:
            assert not block or timeout is not None
            return
        self.got.append(item)
        if self.in_order:
            number, producer = item
            assert number > self.last.get((producer, consumer), 0), "out of order"
            self.last[producer, consumer] = number
        if self.counts:
            self.done += 1
            self.queue.task_done()

    def act(self, name):
        timeout = self.random.choice([None, None, 0, 0.001, 0.003])
        action = self.random.randrange(11)
        if action <= 4:
            self.put_one(name, self.chance(0.9), timeout)
        elif action <= 8:
            self.get_one(name, self.chance(0.9), timeout)
        elif action == 9:
            try:
                self.queue.peek(timeout=timeout)
            except Empty:
                assert timeout is not None
        elif self.counts and self.queue.join(0.001):
            assert not self.queue.qsize() or self.clock

    def drive(self):
        if self.chance(0.3):
            self.put_one("driver", False, None)
        elif self.chance(0.3):
            self.get_one("driver", False, None)
        elif self.chance(0.3):
            size = self.queue.qsize()
            self.queue.maxsize = self.random.choice([None, max(1, size), size + 2])

    def foreign_step(self):
        if self.chance(0.5):
            self.foreign.run(lambda: self.put_one("foreign", True, 0.0001))
        else:
            self.foreign.run(lambda: self.get_one("foreign", True, 0.0001))

    def release_all(self):
        self.queue.maxsize = None
        self.get_one("the end", False, None)
        self.put_one("the end", False, None)

    def check(self):
        inside = [self.queue.get_nowait() for _ in range(self.queue.qsize())]
        everything = self.got + inside
        assert len(set(everything)) == len(everything), "an item came twice"
        assert self.put <= set(everything) <= self.put | self.unsure
        if self.counts:
            assert self.queue.unfinished_tasks == len(everything) - self.done
        if type(self.queue) is PriorityQueue:
            assert inside == sorted(inside)
        assert self.queue.linkcount() == 0
        assert "0 getting, 0 putting" in repr(self.queue)


class ShutDownPlay(QueuePlay):
    """The queue is shut down at some moment: nobody waits for ever, and what is not dropped comes out."""

    KINDS = (Queue, LifoQueue, PriorityQueue)
    dropped = False

    def live(self, name):
        try:
            super().live(name)
        except ShutDown:
            self.errors.clear()

    def drive(self):
        if self.chance(0.1) and not self.queue.is_shutdown:
            self.dropped = self.chance(0.5)
            self.queue.shutdown(immediate=self.dropped)
        else:
            try:
                super().drive()
            except ShutDown:
                assert self.queue.is_shutdown

    def foreign_step(self):
        try:
            super().foreign_step()
        except ShutDown:
            assert self.queue.is_shutdown

    def release_all(self):
        if not self.queue.is_shutdown:
            self.queue.shutdown()

    def check(self):
        inside = [self.queue.get_nowait() for _ in range(self.queue.qsize())]
        everything = self.got + inside
        assert len(set(everything)) == len(everything), "an item came twice"
        assert set(everything) <= self.put | self.unsure
        assert self.dropped or self.put <= set(everything)
        assert "0 getting, 0 putting" in repr(self.queue)


class ChannelPlay(QueuePlay):
    def set_up(self):
        super().set_up()
        self.queue = Channel()
        self.counts = False
        self.in_order = False

    def bound(self):
        return 0

    def act(self, name):
        timeout = self.random.choice([None, None, 0, 0.001, 0.003])
        if self.chance(0.5):
            self.put_one(name, self.chance(0.9), timeout)
        else:
            self.get_one(name, self.chance(0.9), timeout)

    def drive(self):
        if self.chance(0.5):
            self.put_one("driver", False, None)
        else:
            self.get_one("driver", False, None)

    def release_all(self):
        self.drive()

    def check(self):
        inside = []
        while self.queue.ready():
            inside.append(self.queue.get_nowait())
        everything = self.got + inside
        assert len(set(everything)) == len(everything), "an item came twice"
        assert self.put <= set(everything) <= self.put | self.unsure
        assert self.queue.balance == 0
