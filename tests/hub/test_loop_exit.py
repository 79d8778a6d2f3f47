"""LoopExit: no greenlet is ready and no event can wake one; the message lists each waiter and what it waits for."""

import os
import threading
import time

import pytest

import hubcore
from hubcore import LoopExit, sleep, spawn, spawn_raw
from hubcore.event import Event
from hubcore.testing import run_python


class Resource:
    """Something that one may wait for and somebody may own."""

    def __init__(self, name, owner=None):
        self.name = name
        self.owner = owner

    def __repr__(self):
        return f"<resource {self.name}>"


def wait_for(what):
    hub = hubcore.get_hub()
    hub.park(hub.new_waiter(what))


def test_a_wait_that_nothing_can_end_raises_in_the_main_greenlet(hub):
    with pytest.raises(LoopExit) as caught:
        wait_for("nothing")
    assert caught.value.hub is hub
    assert str(caught.value).startswith("This operation would block forever")
    assert hub.parked.count == 0


def test_the_message_says_who_waits_on_what_whose_that_is_and_where_they_were_spawned(hub):
    owner = spawn(wait_for, Resource("one"))
    other = spawn_raw(wait_for, Resource("two", owner))
    sleep(0)
    line = test_the_message_says_who_waits_on_what_whose_that_is_and_where_they_were_spawned.__code__.co_firstlineno
    with pytest.raises(LoopExit) as caught:
        wait_for(Resource("three"))
    text = str(caught.value)
    assert "parked greenlets: 3" in text
    assert f"{owner!r} waits on <resource one> for" in text
    assert f"{other!r} waits on <resource two> for" in text
    assert f"which {owner!r} owns" in text
    assert "main greenlet waits on <resource three>" in text
    assert f"({__file__}:{line + 1})" in text
    assert f"({__file__}:{line + 2})" in text
    for task in (owner, other):
        hubcore.kill(task)
    sleep(0)


def test_the_message_tells_since_when_they_wait(hub):
    task = spawn(wait_for, "nothing")
    sleep(0)
    start = hub.loop.update_now()
    sleep(0.05)
    with pytest.raises(LoopExit) as caught:
        wait_for("the same")
    waited = hub.loop.now() - start
    told = float(str(caught.value).split("waits on 'nothing' for ")[1].split(" s")[0])
    assert 0.05 <= told <= waited + 0.05
    task.kill()


def test_a_long_list_is_cut_short(hub):
    tasks = [spawn_raw(wait_for, "nothing") for _ in range(200)]
    sleep(0)
    with pytest.raises(LoopExit, match="and 151 more") as caught:
        wait_for("the same")
    assert "parked greenlets: 201" in str(caught.value)
    assert len(str(caught.value).splitlines()) < 60
    for task in tasks:
        hubcore.kill(task)
    sleep(0)


def test_the_program_can_go_on_after_it(hub):
    for _ in range(3):
        with pytest.raises(LoopExit):
            wait_for("nothing")
        assert spawn(lambda: 5).get() == 5


def test_joining_a_greenlet_that_waits_for_nothing_raises_and_leaves_no_link(hub):
    task = spawn(wait_for, "nothing")
    with pytest.raises(LoopExit, match="waits on 'nothing'"):
        task.join()
    assert not task.has_links()
    task.kill()


def test_joining_a_greenlet_that_was_never_started_raises(hub):
    with pytest.raises(LoopExit, match="waits on <Greenlet"):
        hubcore.Greenlet(int).join()


def test_a_loop_that_only_holds_what_does_not_count_ends(hub):
    timer = hub.loop.timer(3600, ref=False)
    timer.start(int)
    with pytest.raises(LoopExit):
        wait_for("nothing")
    timer.close()


def test_whatever_may_still_come_keeps_it_waiting(hub):
    waiter = hub.new_waiter("a callback")
    timer = hub.loop.timer(0.01)
    timer.start(waiter.wake)
    assert hub.park(waiter)
    timer.close()


def test_a_wait_that_another_thread_may_end_goes_on_while_there_is_one(hub):
    """What is waited for says by `cross_thread` that other threads may end it."""
    resource = Resource("shared")
    resource.cross_thread = True
    waiter = hub.new_waiter(resource)
    thread = threading.Timer(0.05, waiter.wake)
    thread.start()
    assert hub.park(waiter)
    thread.join()
    with pytest.raises(LoopExit):
        wait_for(resource)


def test_it_comes_when_the_last_thread_that_could_have_ended_the_wait_has_ended(hub):
    event = Event()
    thread = threading.Thread(target=time.sleep, args=(0.1,))
    thread.start()
    with pytest.raises(LoopExit):
        event.wait()
    assert not thread.is_alive()
    thread.join()


def test_it_is_raised_in_the_main_greenlet_of_another_thread_too(hub):
    result = []

    def run():
        try:
            wait_for("nothing")
        except LoopExit as error:
            result.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "waits on 'nothing'" in result[0]


def test_a_thread_that_wakes_somebody_and_ends_while_the_hub_looks_for_threads_is_no_loop_exit(hub_backend):
    """A program of its own, because the hub has to be of a class that has the thread come just then."""
    done = run_python(
        """
        import threading
        import greenlet, hubcore
        from hubcore.hub import Hub

        class Set:
            cross_thread = True

        class LateHub(Hub):
            late = None

            def _woken_from_outside(self):
                if self.late is not None and greenlet.getcurrent() is self:
                    thread, self.late = threading.Thread(target=self.late.wake), None
                    thread.start()
                    thread.join()
                return super()._woken_from_outside()

        hub = LateHub()

        def wait():
            waiter = hub.late = hub.new_waiter(Set())
            return hub.park(waiter)

        print(hubcore.spawn(wait).get())
        """,
        hub_backend,
    )
    assert done.stdout == "True\n"


def test_a_loop_that_fails_to_say_whether_it_is_alive_fails_the_main_greenlet_and_leaves_no_wait(hub_backend):
    done = run_python(
        """
        import hubcore
        from hubcore.backends import loop_class
        from hubcore.hub import Hub

        class Bad(loop_class()):
            bad = False

            def alive(self):
                if self.bad:
                    self.bad = False
                    raise RuntimeError("on purpose")
                return super().alive()

        hub = Hub(Bad)

        def task():
            hub.loop.bad = True
            hubcore.sleep(0.01)
            hubcore.sleep(0.01)
            return "slept twice"

        job = hubcore.spawn(task)
        try:
            job.join()
        except RuntimeError as error:
            print(error)
        print(job.get(), hub.parked.count)
        """,
        hub_backend,
    )
    assert done.stdout == "on purpose\nslept twice 0\n"


def test_the_main_thread_gets_its_hub_where_it_first_waits_and_is_told_that_the_wait_can_never_end(hub_backend):
    done = run_python(
        """
        from threading import Thread
        import hubcore
        from hubcore import from_thread
        from hubcore.event import Event
        from hubcore.hub import get_hub_if_any
        from hubcore.lock import Semaphore
        from hubcore.queue import Queue
        from hubcore.threadpool import ThreadPool

        # Its call calls back.
        assert ThreadPool(1).apply(lambda: from_thread.run(get_hub_if_any)) is get_hub_if_any()
        for wait in (Event().wait, Queue().get, Semaphore(0).acquire, lambda: hubcore.wait([Event()])):
            get_hub_if_any().destroy()
            assert get_hub_if_any() is None
            try:
                wait()
            except hubcore.LoopExit:
                print("LoopExit")

        def elsewhere():
            event = Event()
            Thread(target=event.set).start()
            print(event.wait(), Event().wait(0.001), get_hub_if_any())

        thread = Thread(target=elsewhere)
        thread.start()
        thread.join()
        """,
        hub_backend,
    )
    assert done.stdout.split("\n") == [*4 * ["LoopExit"], "True False None", ""]


@pytest.mark.skipif(os.environ.get("HUBCORE_PURE") == "1", reason="only compiled code sees a thread before it runs")
def test_a_native_thread_that_has_not_run_yet_may_wake_somebody(hub_backend):
    done = run_python(
        """
        import _thread, sys
        from hubcore.event import Event

        sys.setswitchinterval(5)  # who has the interpreter keeps it: no thread runs before the hub looks
        for function in [lambda event: event.set(), Event.set] * 10:
            event = Event()
            _thread.start_new_thread(function, (event,))
            event.wait()
        print("woken")
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("woken\n", "")
