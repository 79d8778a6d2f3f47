"""4 threads with many greenlets each, through one Queue: no item is lost or comes twice, also where they are killed."""

import random
import resource
import threading
import time

import pytest

import hubcore
from hubcore import GreenletExit, sleep
from hubcore.hub import get_hub
from hubcore.queue import Queue

THREADS = 4


class Stress:
    def __init__(self, greenlets, items, kills):
        self.greenlets = greenlets  # of each thread: half put, half get
        self.each = items // (THREADS * (greenlets // 2))
        self.kills = kills
        self.killed = 0
        self.queue = Queue(10_000)
        self.put = []  # how many were put, by putter
        self.got = []  # a set of marks for each thread
        self.errors = []

    def puts(self, first, counts):
        """Puts the numbers from `first`; a kill before one was put leaves it to be put again."""
        put = 0
        while put < self.each:
            try:
                self.queue.put(first + put)
                put += 1
                if self.kills and put % 50 == 0:
                    sleep(0)
            except GreenletExit:
                continue
        counts.append(put)

    def gets(self, marks):
        while True:
            try:
                item = self.queue.get()
                if item is None:
                    return
                marks[item] += 1
            except GreenletExit:
                continue

    def kill_some(self, tasks, seed):
        chosen = random.Random(seed)
        while not all(task.ready() for task in tasks):
            for task in chosen.sample(tasks, min(5, len(tasks))):
                if not task.ready():
                    self.killed += 1
                    task.hub.interrupt(task, GreenletExit())
            sleep(0.001)

    def thread(self, number):
        try:
            marks = bytearray(self.total())
            self.got.append(marks)
            half = self.greenlets // 2
            base = number * half * self.each
            counts = []
            self.put.append(counts)
            putters = [hubcore.spawn(self.puts, base + each * self.each, counts) for each in range(half)]
            getters = [hubcore.spawn(self.gets, marks) for _ in range(half)]
            killer = hubcore.spawn(self.kill_some, putters + getters, number) if self.kills else None
            hubcore.joinall(putters, raise_error=True)
            for _ in getters:
                self.queue.put(None)
            hubcore.joinall(getters, raise_error=True)
            if killer is not None:
                killer.join()
        except BaseException as error:
            self.errors.append(error)
        finally:
            get_hub().destroy()

    def total(self):
        return THREADS * (self.greenlets // 2) * self.each

    def run(self):
        begin = time.perf_counter()
        threads = [threading.Thread(target=self.thread, args=(number,), daemon=True) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]
        assert sum(map(sum, self.put)) == self.total()
        seen = bytearray(self.total())
        for marks in self.got:
            assert max(marks) <= 1, "an item came twice"
            seen = (int.from_bytes(seen, "little") + int.from_bytes(marks, "little")).to_bytes(len(marks), "little")
        assert seen == b"\1" * self.total(), "an item was lost, or came to two threads"
        assert self.queue.qsize() == 0
        assert bool(self.killed) == self.kills
        assert self.queue.linkcount() == 0
        seconds = time.perf_counter() - begin
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        rate = f"{self.total():,} items in {seconds:.1f} s: {self.total() / seconds:,.0f}/s"
        print(f"{rate}, at most {memory} MiB, {self.killed} kills")


@pytest.mark.slow
@pytest.mark.parametrize("kills", [False, True], ids=["calm", "kills"])
def test_no_item_is_lost_and_none_comes_twice(hub_backend, kills):
    if hub_backend == "virtual":
        pytest.skip("virtual time does not wait for threads")
    Stress(200, 1_000_000, kills).run()


@pytest.mark.soak
@pytest.mark.parametrize("kills", [False, True], ids=["calm", "kills"])
def test_ten_million_items_through_a_thousand_greenlets_in_each_thread(hub_backend, kills):
    if hub_backend == "virtual":
        pytest.skip("virtual time does not wait for threads")
    Stress(1000, 10_000_000, kills).run()
