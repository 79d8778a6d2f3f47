"""Events, locks and queues between the hubs of several threads and threads that have none."""

import gc
import threading
import time

import pytest

import hubcore
from hubcore import sleep, spawn
from hubcore._core import thread_wait as _thread_wait
from hubcore.event import AsyncResult, Event
from hubcore.exceptions import GreenletExit
from hubcore.hub import get_hub_if_any
from hubcore.lock import Barrier, BoundedSemaphore, Condition, RLock, Semaphore
from hubcore.queue import Channel, Empty, LifoQueue, PriorityQueue, Queue, SimpleQueue


class Threads:
    """Runs calls in threads, with or without a hub, and passes on what they raise."""

    def __init__(self):
        self.threads = []
        self.errors = []

    def start(self, call, *args, hub=False):
        def body():
            try:
                if hub:
                    spawn(call, *args).get()
                else:
                    call(*args)
                    assert get_hub_if_any() is None, "it got a hub"
            except BaseException as error:
                self.errors.append(error)
            finally:
                if hub and get_hub_if_any() is not None:
                    get_hub_if_any().destroy()

        thread = threading.Thread(target=body, daemon=True)
        self.threads.append(thread)
        thread.start()
        return thread

    def join(self):
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive(), "a thread hangs"
        if self.errors:
            raise self.errors[0]


@pytest.fixture
def threads(hub):
    if hub.backend == "virtual":
        pytest.skip("virtual time does not wait for threads")
    threads = Threads()
    yield threads
    threads.join()


def until(condition):
    """Wait for what another thread does; this one's hub, if it has one, goes on."""
    pause = time.sleep if get_hub_if_any() is None else sleep
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never came"
        pause(0.0005)


FOREIGN = pytest.mark.parametrize("foreign_hub", [False, True], ids=["plain", "other-hub"])


@FOREIGN
def test_an_event_is_set_and_waited_for_across_threads(hub, threads, foreign_hub):
    there, back = Event(), Event()

    def other():
        assert there.wait(20) is True
        back.set()

    threads.start(other, hub=foreign_hub)
    until(lambda: there.linkcount() == 1)
    there.set()
    assert back.wait(20) is True


@FOREIGN
def test_a_result_crosses(hub, threads, foreign_hub):
    there, back = AsyncResult(), AsyncResult()

    def other():
        with pytest.raises(KeyError):
            there.get(timeout=20)
        back.set("thanks")

    threads.start(other, hub=foreign_hub)
    until(lambda: there.linkcount() == 1)
    there.set_exception(KeyError())
    assert back.get(timeout=20) == "thanks"


@FOREIGN
@pytest.mark.parametrize("make", [Semaphore, BoundedSemaphore, RLock])
def test_a_lock_excludes_across_threads_and_is_fair(hub, threads, foreign_hub, make):
    lock, inside, rounds = make(), [], 100

    def takes_turns(own_sleep):
        for _ in range(rounds):
            with lock:
                inside.append(1)
                own_sleep(0)
                assert len(inside) == 1
                inside.pop()

    threads.start(takes_turns, sleep if foreign_hub else time.sleep, hub=foreign_hub)
    threads.start(takes_turns, sleep if foreign_hub else time.sleep, hub=foreign_hub)
    hubcore.joinall([spawn(takes_turns, sleep) for _ in range(3)], raise_error=True)
    threads.join()
    assert lock.linkcount() == 0
    assert not lock.locked()


@FOREIGN
def test_a_lock_is_handed_over_in_the_order_of_coming_whatever_thread_waits(hub, threads, foreign_hub):
    lock, order = Semaphore(1), []

    def takes(number):
        with lock:
            order.append(number)

    lock.acquire()
    tasks = []
    for number in range(6):
        if number % 2:
            threads.start(takes, number, hub=foreign_hub)
        else:
            tasks.append(spawn(takes, number))
        until(lambda number=number: lock.linkcount() == number + 1)
    lock.release()
    hubcore.joinall(tasks, timeout=20)
    threads.join()
    assert order == list(range(6))


@FOREIGN
@pytest.mark.parametrize("kind", [SimpleQueue, Queue, LifoQueue, PriorityQueue, Channel])
def test_items_cross_in_both_directions(hub, threads, foreign_hub, kind):
    there, back, count = kind(), kind(), 200

    def other():
        for _ in range(count):
            back.put(there.get(timeout=20) + 1)

    threads.start(other, hub=foreign_hub)
    for number in range(count):
        there.put(number)
        assert back.get(timeout=20) == number + 1


@FOREIGN
def test_a_bounded_queue_between_threads_loses_nothing_and_keeps_its_bound(hub, threads, foreign_hub):
    queue, got, each = Queue(3), [], 300

    def puts(first):
        for number in range(first, first + each):
            queue.put(number)
            assert queue.qsize() <= 3

    def gets():
        for _ in range(each):
            got.append(queue.get())
            queue.task_done()

    for number in range(2):
        threads.start(puts, number * 1000, hub=foreign_hub)
        threads.start(gets, hub=foreign_hub)
    hubcore.joinall([spawn(puts, 2000), spawn(gets)], raise_error=True)
    threads.join()
    assert sorted(got) == [base * 1000 + number for base in range(3) for number in range(each)]
    assert queue.join(0) is True


@FOREIGN
def test_join_is_told_by_another_thread(hub, threads, foreign_hub):
    queue = Queue(items=range(50))

    def works():
        try:
            while True:
                queue.get_nowait()
                queue.task_done()
        except Empty:
            pass

    threads.start(works, hub=foreign_hub)
    assert queue.join(20) is True


@FOREIGN
def test_a_condition_and_a_barrier_between_threads(hub, threads, foreign_hub):
    condition, barrier, items, got = Condition(), Barrier(3), [], []

    def consumes():
        barrier.wait(20)
        for _ in range(50):
            with condition:
                condition.wait_for(lambda: items)
                got.append(items.pop())
                condition.notify_all()

    threads.start(consumes, hub=foreign_hub)
    threads.start(consumes, hub=foreign_hub)
    barrier.wait(20)
    for number in range(100):
        with condition:
            condition.wait_for(lambda: not items)
            items.append(number)
            condition.notify()
    threads.join()
    assert sorted(got) == list(range(100))


@FOREIGN
def test_a_thread_that_waits_times_out(hub, threads, foreign_hub):
    def waits():
        begin = time.monotonic()
        assert Event().wait(0.02) is False
        assert Semaphore(0).acquire(timeout=0.02) is False
        with pytest.raises(Empty):
            Queue().get(timeout=0.02)
        assert Condition(RLock()).acquire()
        assert time.monotonic() - begin >= 0.06

    threads.start(waits, hub=foreign_hub)


def test_a_plain_thread_refuses_a_timeout_that_is_no_number_and_loses_nothing(hub, threads):
    semaphore = Semaphore(0)

    def waits():
        with pytest.raises(TypeError):
            semaphore.acquire(timeout="soon")
        with pytest.raises(ValueError):
            semaphore.acquire(timeout=float("nan"))
        assert semaphore.acquire(timeout=-1) is False
        assert semaphore.acquire(timeout=0) is False

    threads.start(waits).join(20)
    assert semaphore.linkcount() == 0
    assert semaphore.release() == 1


def test_those_who_wait_natively_are_listed(hub, threads):
    event = Event()
    thread = threads.start(event.wait)
    until(lambda: thread.ident in _thread_wait.waiting)
    assert _thread_wait.waiting[thread.ident].waiting_on.on is event
    event.set()
    thread.join(20)
    assert thread.ident not in _thread_wait.waiting


def test_a_link_made_in_a_plain_thread_is_called_by_whoever_makes_it_ready(hub, threads):
    event, calls = Event(), []
    threads.start(lambda: event.rawlink(lambda source: calls.append(threading.get_ident()))).join(20)
    event.set()
    until(lambda: calls)
    assert calls == [threading.get_ident()]
    event = Event()
    event.rawlink(lambda source: calls.append(threading.get_ident()))
    threads.start(event.set).join(20)
    until(lambda: len(calls) == 2)
    assert calls[1] == threading.get_ident()


def test_wait_is_told_by_another_thread(hub, threads):
    events = [Event(), Semaphore(0), Queue()]
    threads.start(lambda: (events[0].set(), events[1].release(), events[2].put(1)))
    assert len(hubcore.wait(events, timeout=20)) == 3


def test_a_kill_and_a_hand_over_from_another_thread_cross(hub, threads):
    """The permit is either taken or still there, whichever comes first."""
    semaphore, rounds, got = Semaphore(0), 300, []
    go = Semaphore(0)

    def releases():
        for _ in range(rounds):
            go.acquire()
            semaphore.release()

    threads.start(releases)
    for _ in range(rounds):
        task = spawn(lambda: got.append(semaphore.acquire()))
        sleep(0)
        go.release()
        task.kill()
        until(lambda: semaphore.counter + len(got) > 0)
        if got:
            got.clear()
        else:
            assert semaphore.acquire(False)
        assert isinstance(task.value, GreenletExit) or task.value is None
    threads.join()
    assert semaphore.counter == 0
    assert semaphore.linkcount() == 0


def test_a_thread_that_ends_while_its_greenlets_wait_gives_up_their_places(hub, threads):
    semaphore, queue = Semaphore(0), Queue()

    def leaves_greenlets():
        spawn(semaphore.acquire)
        spawn(queue.get)
        sleep(0.001)

    thread = threading.Thread(target=leaves_greenlets)
    thread.start()
    thread.join(20)
    gc.collect()
    assert semaphore.linkcount() == 0
    semaphore.release()
    queue.put("a")
    assert semaphore.acquire(timeout=20)
    assert queue.get(timeout=20) == "a"


def test_a_hub_that_is_destroyed_gives_back_what_it_was_handed_and_did_not_take(hub, threads):
    semaphore = Semaphore(0)
    ready, destroy = Event(), Event()

    def other():
        task = spawn(semaphore.acquire)
        sleep(0)
        ready.set()
        while not destroy.is_set():  # this hub does not run meanwhile
            time.sleep(0.0005)
        get_hub_if_any().destroy()
        assert task.ready()
        if task.value is True:
            semaphore.release()

    thread = threads.start(other)
    ready.wait(20)
    semaphore.release()
    destroy.set()
    until(lambda: not thread.is_alive())
    assert semaphore.acquire(timeout=20)


@pytest.mark.parametrize("seconds", [0.3])
def test_finalizers_that_use_what_is_being_used(hub, threads, seconds):
    """The collector runs in the midst of every operation here, in whatever thread, and its finalizers join in."""
    queue, semaphore, event = Queue(), Semaphore(0), Event()
    made = [0]

    class Last:
        def __init__(self):
            self.itself = self

        def __del__(self):
            made[0] += 1
            queue.put("from a finalizer")
            semaphore.release()
            event.set()

    took = [0]

    def works(end):
        while time.monotonic() < end:
            Last()
            queue.put("item")
            queue.get()
            queue.get(timeout=1) if queue.qsize() else None
            semaphore.release()
            semaphore.acquire()
            event.wait(0)
            event.clear()
            took[0] += 1

    before = gc.get_threshold()
    gc.set_threshold(3)
    try:
        end = time.monotonic() + seconds
        for foreign_hub in (False, True):
            threads.start(works, end, hub=foreign_hub)
        works(end)
        threads.join()
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert made[0] > 0
    assert semaphore.counter == made[0]
