"""local, where it goes beyond threading.local: greenlets, copies, and the moment at which values are freed."""

import copy
import gc
import io
import threading
import tracemalloc
import weakref

import greenlet as greenlet_module
import pytest

import hubcore
from hubcore.local import local
from hubcore.testing import run_python, settle


class Value:
    """Something that weak references can be made to."""


def test_a_copy_begins_with_the_attributes_of_the_current_greenlet(hub):
    class Mine(local):
        def __init__(self, start):
            self.start = start

    data = Mine(1)
    data.x = []
    other = copy.copy(data)
    assert type(other) is Mine
    assert other.__dict__ == {"start": 1, "x": []}
    assert other.x is data.x
    other.y = 2
    assert not hasattr(data, "y")
    assert hubcore.spawn(lambda: dict(other.__dict__)).get() == {"start": 1}
    assert hubcore.spawn(lambda: dict(copy.copy(data).__dict__)).get() == {"start": 1}


def test_greenlets_that_take_turns_keep_their_own(hub):
    class Mine(local):
        def __init__(self):
            hubcore.sleep(0)  # others come to theirs meanwhile
            self.seen = []

    data = Mine()

    def work(number):
        data.number = number
        for _ in range(5):
            data.seen.append(number)
            hubcore.sleep(0)
            assert data.number == number
        return data.seen

    tasks = [hubcore.spawn(work, number) for number in range(10)]
    assert [task.get() for task in tasks] == [[number] * 5 for number in range(10)]
    assert data.seen == []


def test_raw_greenlets_and_the_hub_have_their_own(hub):
    data = local()
    data.x = "main"
    found = []

    def work(name):
        found.append(dict(data.__dict__))
        data.x = name

    hubcore.spawn_raw(work, "raw")
    hub.loop.run_callback(work, "in the hub")
    hubcore.sleep(0)
    hub.loop.run_callback(work, "in the hub again")
    hubcore.sleep(0)
    assert sorted(found, key=str) == [{"x": "in the hub"}, {}, {}]
    assert data.x == "main"


@pytest.mark.parametrize("end", ["returns", "raises", "is killed"])
def test_values_are_freed_when_the_greenlet_ends_though_it_is_kept(hub, end):
    hub.exception_stream = None
    data = local()
    alive = []

    def work():
        data.x = Value()
        data.me = hubcore.getcurrent()  # not even a cycle delays it
        alive.append(weakref.ref(data.x))
        if end == "is killed":
            hubcore.sleep(100)
        if end == "raises":
            raise ValueError(end)

    kept = [hubcore.spawn(work), hubcore.spawn_raw(work)]
    hubcore.sleep(0)
    if end == "is killed":
        assert all(one() for one in alive)
        for task in kept:
            task.kill_nowait()
    hubcore.sleep(0)
    assert [one() for one in alive] == [None, None]


def test_a_dropped_local_frees_what_parked_greenlets_and_threads_have_in_it(hub):
    data = [local()]
    alive = []
    ready, finish = threading.Event(), threading.Event()

    def put():
        data[0].x = Value()
        alive.append(weakref.ref(data[0].x))

    def in_thread():
        put()
        ready.set()
        finish.wait(10)

    thread = threading.Thread(target=in_thread)
    thread.start()
    assert ready.wait(10)
    put()
    plain = greenlet_module.greenlet(lambda: (put(), greenlet_module.getcurrent().parent.switch()))
    plain.switch()
    parked = [hubcore.spawn(lambda: (put(), hubcore.sleep(100))) for _ in range(3)]
    parked.append(hubcore.spawn_raw(lambda: (put(), hubcore.sleep(100))))
    hubcore.sleep(0)
    assert [bool(one()) for one in alive] == [True] * 7
    data.clear()
    assert [one() for one in alive] == [None] * 7
    finish.set()
    thread.join()
    for task in parked:
        task.kill_nowait()
    hubcore.sleep(0)


def test_ten_thousand_greenlets_leave_nothing_behind(hub):
    data = local()
    living = [0]

    class Counted:
        def __init__(self):
            living[0] += 1

        def __del__(self):
            living[0] -= 1

    def work(number):
        data.x = Counted()
        data.number = number
        hubcore.sleep(0)
        assert data.number == number

    def rounds():
        for _ in range(10):
            hubcore.joinall([hubcore.spawn(work, number) for number in range(1000)])

    rounds()
    gc.collect()
    before = len(gc.get_objects())
    rounds()
    assert living == [0]
    gc.collect()
    assert len(gc.get_objects()) - before < 50


def test_ten_thousand_locals_leave_nothing_in_a_greenlet_that_lives_on(hub):
    def make(count):
        kept = local()  # among those that go
        for _ in range(count):
            data = local()
            data.x = 1
        kept.x = 1

    make(1000)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        make(10_000)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


def test_finalizers_and_links_of_an_ended_greenlet_may_use_the_local(hub):
    class Mine(local):
        def __init__(self):
            self.started = True

    data = Mine()
    seen = []

    class Late:
        def __init__(self, again):
            self.again = again

        def __del__(self):
            seen.append(sorted(data.__dict__))
            if self.again:
                data.late = Late(False)

    def work():
        data.x = Late(True)

    task = hubcore.spawn(work)
    task.link(lambda source: seen.append("link" if data.started else ""))
    settle(hub)
    assert seen == [["started"], "link"]
    del task  # and with it what its finalizer has set
    assert seen == [["started"], "link", ["started"]]


def test_a_failure_is_reported_while_the_values_are_still_there(hub):
    data = local()
    seen = []

    class Failure(ValueError):
        def __str__(self):
            seen.append(getattr(data, "request", None))
            return "failed"

    def work():
        data.request = "GET /"
        raise Failure

    hub.exception_stream = io.StringIO()
    hubcore.spawn(work).join()
    assert "GET /" in seen


def test_a_local_may_be_dropped_while_a_greenlet_with_values_ends(hub):
    class Holder:
        def __del__(self):
            self.other.clear()

    keep = [local()]
    first = local()
    alive = []

    def work():
        holder = Holder()
        holder.other = keep
        first.holder = holder
        keep[0].x = Value()
        alive.append(weakref.ref(keep[0].x))

    hubcore.spawn(work).join()
    assert keep == []
    assert alive[0]() is None


@pytest.mark.parametrize("pure", ["", "1"], ids=["compiled", "pure"])
def test_values_that_live_to_the_end_of_the_process_do_no_harm(pure):
    done = run_python(
        """
        import sys, threading
        import hubcore
        from hubcore.local import local

        data = local()

        class Last:
            def __del__(self):
                try:
                    data.late = 1
                    local().x = 1
                except Exception:
                    pass  # too late for attributes, not for an error

        data.main = Last()
        sys.last = Last()

        def work():
            data.parked = Last()
            hubcore.sleep(100)

        parked = hubcore.spawn(work)
        hubcore.sleep(0)
        thread = threading.Thread(target=lambda: setattr(data, "x", Last()))
        thread.start()
        thread.join()
        print("end")
        """,
        "virtual",
        env={"HUBCORE_PURE": pure},
    )
    assert done.stdout.strip() == "end"
