"""Threads: a hub for each, on any backend, and greenlets that other threads wait for and wake."""

import gc
import os
import threading

import pytest

import hubcore
from hubcore import get_hub, sleep, spawn
from hubcore.backends import loop_class
from hubcore.hub import Hub, get_hub_if_any
from hubcore.testing import run_python


class Together:
    """Threads that run while the calling greenlet waits for them, and whose errors it gets."""

    def __init__(self, hub):
        self.hub = hub
        self.errors = []
        self.threads = []

    def start(self, function, *args):
        def run():
            try:
                function(*args)
            except BaseException as error:
                self.errors.append(error)
            finally:
                self.hub.loop.run_callback_threadsafe(self.hub.loop.end_external)

        self.hub.loop.begin_external()
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def wait(self):
        assert self.hub.join()
        for thread in self.threads:
            thread.join()
        for error in self.errors:
            raise error


@pytest.fixture(scope="module", autouse=True)
def _libuv_has_what_it_keeps():
    """Its first loop makes a pipe for signals that stays with the process, and is no leak of a test."""
    loop_class("libuv")().close()


@pytest.fixture
def threads(hub):
    return Together(hub)


def test_threads_on_different_backends_run_side_by_side(threads):
    results = {}

    def run(backend):
        Hub(backend=backend)
        tasks = [spawn(lambda i=i: (sleep(0.001 * i), i)[1]) for i in range(20)]
        hubcore.joinall(tasks, raise_error=True)
        results[backend] = ([task.value for task in tasks], get_hub().backend)

    for backend in ("libev", "libuv", "select", "virtual"):
        threads.start(run, backend)
    threads.wait()
    assert results == {name: (list(range(20)), name) for name in ("libev", "libuv", "select", "virtual")}


def test_a_greenlet_can_be_joined_from_other_threads(hub, threads):
    values = []
    ready = None

    def body():
        nonlocal ready
        ready = hub.new_waiter("the joiners")
        hub.park(ready)
        return 42

    shared = spawn(body)
    sleep(0)
    joining = threading.Semaphore(0)

    def join():
        joining.release()
        values.append(shared.get())

    for _ in range(4):
        threads.start(join)
    for _ in range(4):
        joining.acquire()
    assert ready.wake()
    threads.wait()
    assert values == [42] * 4


def test_joining_a_greenlet_of_another_thread_that_ends_at_the_same_moment_is_never_missed(hub, threads):
    """Each greenlet ends while another thread is about to join it; a join that looks too early would sleep for ever."""
    made = [hubcore.Greenlet(int) for _ in range(300)]
    joined = []

    def join_all():
        for task in made:
            task.join()
            joined.append(task)

    threads.start(join_all)
    for task in made:
        task.start()
        sleep(0)
    threads.wait()
    assert joined == made


def test_a_greenlet_that_ended_is_seen_from_any_thread_without_a_hub_being_made(hub, threads):
    from hubcore.hub import get_hub_if_any

    shared = spawn(lambda: 7)
    shared.join()
    seen = []

    def look():
        shared.join()
        seen.append((shared.get(), shared.ready(), get_hub_if_any()))

    threads.start(look)
    threads.wait()
    assert seen == [(7, True, None)]


def test_a_plain_thread_wakes_a_waiter(hub, threads):
    waiter = hub.new_waiter("a thread")
    threads.start(waiter.wake, "from there")
    assert hub.park(waiter)
    assert waiter.value == "from there"
    threads.wait()


def test_run_callback_threadsafe_runs_in_the_hub_in_order_and_wakes_a_sleeping_loop(hub, threads):
    seen = []

    def call():
        for i in range(1000):
            hub.loop.run_callback_threadsafe(seen.append, i)

    threads.start(call)
    threads.wait()
    assert seen == list(range(1000))


def test_links_to_a_greenlet_of_another_thread_are_called_in_its_hub(hub, threads):
    seen = []
    shared = hubcore.Greenlet(int)
    linked = threading.Event()

    def link():
        shared.rawlink(lambda source: seen.append(threading.get_ident()))
        linked.set()

    threads.start(link)
    linked.wait()
    shared.start()
    threads.wait()
    assert seen == [threading.get_ident()]


def test_spawn_callbacks_and_idents_work_across_threads(threads):
    idents = []

    def run():
        tasks = [spawn(sleep, 0.001) for _ in range(50)]
        idents.extend(task.minimal_ident for task in tasks)
        kept.extend(tasks)
        hubcore.joinall(tasks)

    kept = []
    for _ in range(3):
        threads.start(run)
    threads.wait()
    assert len(set(idents)) == 150


@pytest.mark.parametrize("how", ["join", "kill", "killall", "hubcore.kill", "link"])
def test_a_greenlet_that_a_thread_left_unstarted_can_be_waited_for_killed_and_linked(hub, how):
    left = []
    made = [lambda: hubcore.spawn_later(3600.0, print)]
    if how != "join":
        made.append(lambda: hubcore.Greenlet(print))
    thread = threading.Thread(target=lambda: left.extend(make() for make in made))
    thread.start()
    thread.join()
    told = []
    for each in left:
        if how == "link":
            each.link(lambda source: told.append("link"))
            each.rawlink(lambda source: told.append("rawlink"))
            each.kill()
        elif how == "join":
            each.join(5.0)
        elif how == "kill":
            each.kill(timeout=5.0)
        elif how == "killall":
            hubcore.killall([each], timeout=5.0)
        else:
            hubcore.kill(each)
        assert each.ready()
        assert isinstance(each.value, hubcore.GreenletExit)
    hubcore.sleep(0.001)
    assert sorted(told) == (["link", "link", "rawlink", "rawlink"] if how == "link" else [])


def test_threads_that_had_a_hub_leave_nothing_behind(hub_backend):
    done = run_python(
        """
import gc, threading
from hubcore import get_hub, sleep, spawn

def had_a_hub():
    spawn(sleep, 10)
    sleep(0)

def objects_after(n):
    for _ in range(n):
        thread = threading.Thread(target=had_a_hub)
        thread.start()
        thread.join()
    gc.collect()
    return len(gc.get_objects())

before = objects_after(5)
print(objects_after(100) - before < 20)
""",
        hub_backend,
    )
    assert done.stdout == "True\n"


def test_what_unwinds_as_its_thread_ends_sees_the_hub_that_it_ran_in(threads):
    seen = []

    def another_thread_uses_a_hub():
        # So that this thread's is not the one that get_hub remembers.
        other = threading.Thread(target=lambda: get_hub().destroy())
        other.start()
        other.join()

    def body(hub):
        try:
            sleep(1e6)
        finally:
            another_thread_uses_a_hub()
            seen.append((get_hub_if_any() is hub, get_hub() is hub))

    def run():
        spawn(body, get_hub())
        sleep(0)

    threads.start(run)
    threads.wait()
    assert seen == [(True, True)]


def test_a_thread_without_a_hub_waits_for_greenlets_and_still_has_none(hub, threads):
    def body():
        seen.append(first.get())
        seen.append([each.value for each in hubcore.wait([first, second])])
        seen.append([each.value for each in hubcore.iwait([second], timeout=10)])
        seen.append(hubcore.wait([endless], timeout=0.01))
        endless.kill()
        seen.append(endless.dead)
        seen.append(get_hub_if_any())

    seen = []
    first, second = spawn(int, 1), hubcore.spawn_later(0.02, int, 2)
    endless = spawn(sleep, 1000)
    threads.start(body)
    threads.wait()
    assert seen[0] == 1
    assert sorted(seen[1]) == [1, 2]
    assert seen[2:] == [[2], [], True, None]


@pytest.mark.skipif(os.environ.get("HUBCORE_PURE") == "1", reason="uncompiled, the collector knows what ends the hub")
def test_a_thread_that_ends_destroys_its_hub_also_while_another_looks_at_all_objects(hub):
    parked, go, hubs, log = threading.Event(), threading.Event(), [], []

    def waits():
        try:
            hubcore.sleep(1000)
        finally:
            log.append("unwound")

    def thread():
        hubs.append(hubcore.get_hub())
        hubcore.spawn(waits)
        hubcore.sleep(0)
        parked.set()
        go.wait(20)

    started = threading.Thread(target=thread)
    started.start()
    assert parked.wait(20)
    everything = gc.get_objects()
    go.set()
    started.join(20)
    assert log == ["unwound"]
    assert hubs[0].destroyed
    del everything
