"""Greenlets that have switched to another one by hand are interrupted at once, like those that wait."""

import threading

import greenlet
import pytest

import hubcore
from hubcore import CancelScope, GreenletExit, TaskGroup, Timeout, fail_after, move_on_after, sleep, spawn
from hubcore.event import AsyncResult, Event
from hubcore.pool import Group, Pool
from hubcore.queue import Queue


class Boom(Exception):
    pass


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""
    hub.exception_stream = None


def sleeps():
    sleep(1000)


def yields():
    while True:
        sleep(0)


def waits_for_ever():
    # A deadline of another greenlet keeps the hub alive.
    Event().wait()


def two_deep():
    greenlet.greenlet(sleeps).switch()
    raise AssertionError("the middle greenlet must not go on")


def enters_a_scope():
    with CancelScope():
        sleep(1000)


def generator():
    """A generator made of a greenlet, whose body waits between its values."""
    parent = greenlet.getcurrent()

    def body():
        for value in range(3):
            sleep(0.001)
            parent.switch(value)
        sleep(1000)

    made = greenlet.greenlet(body)
    values = [made.switch() for _ in range(3)]
    assert values == [0, 1, 2]
    made.switch()


CHILDREN = [sleeps, yields, waits_for_ever, two_deep, enters_a_scope]


def by_hand(child):
    """Switch to a greenlet that runs `child`, and from there on be interrupted."""
    return greenlet.greenlet(child).switch()


@pytest.fixture(params=[*CHILDREN, generator], ids=lambda child: child.__name__)
def switch(request):
    return generator if request.param is generator else lambda: by_hand(request.param)


@pytest.fixture
def keeper(hub):
    """A greenlet with a deadline, so that a hang is a wrong order of events and not a LoopExit."""
    task = spawn(sleep, 5000)
    yield task
    task.kill()


def test_a_timeout(switch, keeper):
    with pytest.raises(Timeout) as caught, Timeout(0.01) as timeout:
        switch()
    assert caught.value is timeout
    assert not keeper.ready()


def test_a_timeout_in_a_task_and_it_goes_on_waiting(switch, keeper):
    def body():
        with Timeout(0.01, False):
            switch()
        sleep(0.01)
        return "end"

    assert spawn(body).get() == "end"


def test_the_other_greenlet_does_not_switch_back_later(keeper):
    def body():
        with Timeout(0.01, False):
            by_hand(lambda: sleep(0.03))
        sleep(0.1)  # the other one's wait would have ended by now
        return "end"

    assert spawn(body).get() == "end"


def test_a_timeout_with_an_exception(switch, keeper):
    error = Boom()
    for _ in range(3):
        task = spawn(lambda: Timeout(0.01, error).start() or switch())
        task.join()
        assert task.exception is error
    assert spawn(lambda: Timeout.start_new(0.01, Boom) and switch()).join() is None


@pytest.mark.parametrize(
    "kill",
    [
        lambda task: task.kill(),
        lambda task: task.kill(block=False) or task.join(),
        lambda task: hubcore.kill(task) or task.join(),
        lambda task: hubcore.killall([task]),
        lambda task: Group([task]).kill(),
    ],
    ids=["kill", "kill and join", "hub's kill", "killall", "group"],
)
def test_a_kill(kill, switch, keeper):
    task = spawn(switch)
    sleep(0.01)
    assert not task.ready()
    kill(task)
    assert task.ready()
    assert isinstance(task.value, GreenletExit)


def test_a_kill_with_an_exception(switch, keeper):
    task = spawn(switch)
    sleep(0.01)
    error = Boom()
    task.kill(error)
    assert task.exception is error


def test_a_kill_of_a_pool(switch, keeper):
    pool = Pool(3)
    tasks = [pool.spawn(switch) for _ in range(3)]
    sleep(0.01)
    pool.kill()
    assert all(isinstance(task.value, GreenletExit) for task in tasks)
    assert len(pool) == 0


def test_a_kill_from_another_thread(switch, keeper):
    task = spawn(switch)
    sleep(0.01)
    thread = threading.Thread(target=task.kill, kwargs={"block": False})
    thread.start()
    thread.join()
    task.join()
    assert isinstance(task.value, GreenletExit)


def test_a_scope(switch, keeper):
    with move_on_after(0.01) as scope:
        switch()
    assert scope.cancelled_caught
    with pytest.raises(TimeoutError), fail_after(0.01):
        switch()


def test_a_cancelled_scope_raises_at_later_waits_too(switch, keeper):
    seen = []

    def body():
        with move_on_after(0.01):
            for _ in range(3):
                try:
                    switch()
                except hubcore.Cancelled:
                    seen.append("cancelled")
                    with pytest.raises(hubcore.Cancelled):
                        sleep(1)
            return "end"

    assert spawn(body).get() == "end"
    assert seen[0] == "cancelled"


def test_a_task_group(switch, keeper):
    with TaskGroup() as group:
        task = group.spawn(switch)
        sleep(0.01)
        group.cancel("enough")
    assert task.killed


def test_a_failure_beside_it_in_a_task_group(switch, keeper):
    def fails():
        sleep(0.01)
        raise Boom

    with pytest.raises(ExceptionGroup) as caught, TaskGroup() as group:
        task = group.spawn(switch)
        group.spawn(fails)
    assert [type(error) for error in caught.value.exceptions] == [Boom]
    assert task.killed


def test_a_program_ending_exception_reaches_the_main_greenlet(switch, keeper, hub):
    hub.loop.timer(0.01).start(lambda: hub.handle_system_error(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        switch()


def test_a_retracted_timeout_is_not_raised(keeper):
    def body():
        timeout.append(Timeout(0.01))
        timeout[0].start()
        return by_hand(lambda: sleep(0.05) or "result")

    timeout = []
    task = spawn(body)
    sleep(0)
    timeout[0].cancel()
    assert task.get() == "result"


def test_the_other_greenlet_is_unwound(keeper):
    seen = []

    def child():
        try:
            sleep(1000)
        finally:
            seen.append("child")

    def middle():
        try:
            greenlet.greenlet(child).switch()
        finally:
            seen.append("middle")

    with Timeout(0.01, False):
        by_hand(middle)
    sleep(0.01)
    assert sorted(seen) == ["child", "middle"]


def test_a_failure_of_the_other_greenlets_clean_up_is_reported(keeper, hub, caplog):
    import sys

    def child():
        try:
            sleep(1000)
        finally:
            raise Boom("in the clean-up")

    hub.exception_stream = sys.stderr
    with Timeout(0.01, False):
        by_hand(child)
    sleep(0.01)
    assert "in the clean-up" in caplog.text


def test_nothing_is_lost_when_a_value_and_a_kill_cross(keeper):
    """The greenlet that the task switched to has been handed the item: it keeps it."""
    queue, got = Queue(), []

    def child():
        got.append(queue.get())
        sleep(1000)

    task = spawn(by_hand, child)
    sleep(0.01)
    queue.put("item")
    task.kill()
    assert got + ([queue.get_nowait()] if queue.qsize() else []) == ["item"]


def test_one_that_switched_to_another_task(keeper):
    """Not to a greenlet that descends from it."""
    seen = []

    def other():
        first = greenlet.getcurrent()
        sleep(0.001)
        seen.append(first)
        sleep(0.2)
        seen.append("other went on")

    def body():
        resumed.append(greenlet.getcurrent())
        target = greenlet.greenlet(other, hubcore.get_hub())
        target.switch()

    resumed = []
    task = spawn(body)
    sleep(0.01)
    task.kill()
    assert isinstance(task.value, GreenletExit)
    sleep(0.5)
    assert seen[-1] == "other went on"


def test_one_that_is_running_or_ready_is_interrupted_at_its_next_wait_as_ever(keeper):
    seen = []

    def body():
        hubcore.kill(greenlet.getcurrent(), Boom)
        seen.append("went on")
        with pytest.raises(Boom):
            sleep(1)
        for _ in range(3):
            sleep(0)
        seen.append("end")

    spawn(body).join()
    assert seen == ["went on", "end"]


def test_a_waiting_child_of_a_running_greenlet_is_left_alone(keeper, hub):
    """It was started by a callback; its creator does not wait for it."""
    result = AsyncResult()
    child = greenlet.greenlet(lambda: sleep(0.05) or result.set("done"), hub)

    def body():
        hub.loop.run_callback(child.switch)
        with Timeout(0.01, False):
            sleep(1)

    spawn(body).join()
    assert result.get() == "done"


def test_a_greenlet_that_was_interrupted_and_is_gone_is_forgotten(keeper, hub):
    child = greenlet.greenlet(lambda: None)
    hubcore.kill(child)
    child.switch()
    sleep(0)
    sleep(0)
    import gc
    import weakref

    reference = weakref.ref(child)
    del child
    gc.collect()
    assert reference() is None


def test_asyncio_goes_on_after_an_interrupt_of_a_bridge(keeper):
    """SQLAlchemy's asyncio bridge: synchronous code runs in a greenlet to which the coroutine switches."""
    import asyncio

    from hubcore import aio

    seen = []

    async def main():
        loop = asyncio.get_running_loop()
        for _ in range(2):
            try:
                with Timeout(0.01):
                    by_hand(sleeps)
            except Timeout:
                seen.append(asyncio.get_running_loop() is loop)
            await asyncio.sleep(0.001)
        return "end"

    assert spawn(lambda: aio.run(main())).get() == "end"
    assert seen == [True, True]


def test_sqlalchemys_bridge(keeper):
    import asyncio

    util = pytest.importorskip("sqlalchemy.util")
    from hubcore import aio

    def synchronous(seconds):
        util.await_only(asyncio.sleep(0.001))
        sleep(seconds)
        return "slept"

    async def main():
        seen.append(await util.greenlet_spawn(synchronous, 0.001))
        await util.greenlet_spawn(synchronous, 1000)

    seen = []
    task = spawn(lambda: aio.run(main()))
    sleep(0.1)
    task.kill()
    assert seen == ["slept"]
    assert isinstance(task.value, GreenletExit)
