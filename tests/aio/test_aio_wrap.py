"""aio.wrap: coroutines await greenlets and other waitables. aio.run_in: greenlets await coroutines of other loops."""

import asyncio
import contextvars
import threading

import pytest

import hubcore
from hubcore import CancelScope, Timeout, aio, get_hub, spawn
from hubcore.event import AsyncResult, Event
from hubcore.lock import Semaphore
from hubcore.testing import settle
from hubcore.threadpool import ThreadPoolExecutor


def later(value, log=None, seconds=0.001):
    """A greenlet's work: a value after a moment, or, if it is an exception, that raised."""
    try:
        hubcore.sleep(seconds)
    finally:
        if log is not None:
            hubcore.sleep(0.001)
            log.append("ended")
    if isinstance(value, BaseException):
        raise value
    return value


def test_a_greenlets_result_is_the_awaits(hub):
    async def main():
        assert await aio.wrap(spawn(later, 5)) == 5
        ended = spawn(later, 6)
        ended.join()
        assert await aio.wrap(ended) == 6
        with pytest.raises(ValueError, match="no"):
            await aio.wrap(spawn(later, ValueError("no")))
        with pytest.raises(RuntimeError, match="StopIteration"):
            await aio.wrap(spawn(later, StopIteration()))
        return await asyncio.gather(*[aio.wrap(spawn(later, n)) for n in range(3)])

    assert aio.run(main()) == [0, 1, 2]


def test_whoever_is_cancelled_kills_the_greenlet_that_it_awaits_and_waits_for_its_end(hub):
    log = []

    async def main():
        one = spawn(later, 1, log, 100)
        await asyncio.sleep(0.001)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await aio.wrap(one)
        assert log == ["ended"]
        assert one.killed
        one = spawn(later, 1, log, 100)
        await asyncio.sleep(0.001)
        task = asyncio.create_task(asyncio.wait_for(aio.wrap(one), 100))
        await asyncio.sleep(0.001)
        task.cancel("why")
        with pytest.raises(asyncio.CancelledError, match="why"):
            await task

    aio.run(main())
    assert log == ["ended"] * 2


def test_a_greenlet_that_survives_the_kill_has_its_result(hub):
    def survives():
        try:
            hubcore.sleep(100)
        except hubcore.GreenletExit:
            return "survived"

    async def main():
        future = aio.wrap(spawn(survives))
        await asyncio.sleep(0.001)
        assert future.cancel()
        assert await future == "survived"
        assert not future.cancel()

    aio.run(main())


def test_shield_spares_the_greenlet(hub):
    async def main():
        go = Event()
        one = spawn(lambda: go.wait() and later(3))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(aio.wrap(one)), 0.001)
        assert not one.ready()
        go.set()
        return await aio.wrap(one)

    assert aio.run(main()) == 3


def test_one_that_somebody_else_killed_is_cancelled(hub):
    async def main():
        one = spawn(later, 3)
        one.kill()
        future = aio.wrap(one)
        with pytest.raises(asyncio.CancelledError):
            await future
        assert future.cancelled()

    aio.run(main())


def test_a_kill_goes_through_coroutines_to_the_greenlets_that_they_await(hub):
    log = []

    async def main():
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(outer())

    async def outer():
        await aio.wrap(spawn(later, 1, log, 100))

    with CancelScope() as scope:
        spawn(lambda: (settle(hub), scope.cancel()))  # once all of them wait
        aio.run(main())
    assert scope.cancelled_caught
    assert log == ["ended"] * 2


def test_other_waitables(hub):
    event, result, failed, semaphore = Event(), AsyncResult(), AsyncResult(), Semaphore(0)

    async def main():
        futures = [aio.wrap(each) for each in (event, result, failed, semaphore)]
        dropped = aio.wrap(event)
        links = event.linkcount()
        dropped.cancel()
        assert event.linkcount() == links - 1
        hub.loop.run_callback(event.set)
        spawn(result.set, 3)
        spawn(failed.set_exception, ValueError("no"))
        spawn(semaphore.release)
        assert await futures[0] is event
        assert await futures[1] == 3
        with pytest.raises(ValueError, match="no"):
            await futures[2]
        assert await futures[3] is semaphore
        assert dropped.cancelled()
        with ThreadPoolExecutor(1) as executor:
            assert await aio.wrap(executor.submit(int, "7")) == 7

    aio.run(main())


def test_what_cannot_be_awaited_is_refused(hub):
    async def main():
        with pytest.raises(TypeError, match="rawlink"):
            aio.wrap(3)
        with pytest.raises(RuntimeError, match="its own end"):
            aio.wrap(hubcore.getcurrent())

    spawn(aio.run, main()).get()
    with pytest.raises(RuntimeError, match="no running event loop"):
        aio.wrap(Event())


def test_from_a_thread_without_a_hub(hub):
    async def main(one, event):
        assert await aio.wrap(one) == 5
        return await aio.wrap(event)

    event = Event()
    one = spawn(later, 5)
    one.rawlink(lambda _: event.set())
    assert hub.threadpool.apply(asyncio.run, (main(one, event),)) is event


def test_a_loop_that_is_closed_when_the_greenlet_ends_is_harmless(hub):
    one = spawn(later, 5, None, 0.01)

    async def main():
        aio.wrap(one)

    aio.run(main())
    assert one.get() == 5
    settle(hub)


# -- run_in


@pytest.fixture
def loop(hub):
    """A loop that runs in a greenlet."""
    loops = []

    async def serve():
        loops.append(asyncio.get_running_loop())
        await asyncio.Event().wait()

    one = spawn(aio.run, serve())
    settle(hub)
    yield loops[0]
    one.kill()


async def answer(log, seconds=0.001, begun=None):
    if begun is not None:
        begun.append(1)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        await asyncio.sleep(0.001)
        log.append("clean")
        raise
    return asyncio.get_running_loop()


def test_coroutines_run_in_a_loop_of_another_greenlet(hub, loop, caplog):
    async def fails():
        raise ValueError("no")

    async def cancels_itself():
        asyncio.current_task().cancel()
        await asyncio.sleep(1)

    tasks = [spawn(aio.run_in, loop, answer([])) for _ in range(3)]
    assert [task.get() for task in tasks] == [loop] * 3
    with pytest.raises(ValueError, match="no"):
        aio.run_in(loop, fails())
    with pytest.raises(asyncio.CancelledError):
        aio.run_in(loop, cancels_itself())
    with pytest.raises(TypeError, match="coroutine"):
        aio.run_in(loop, 3)
    assert not caplog.records  # whoever asked knows it; the loop need not tell


def test_whoever_waits_cancels_the_task_and_waits_for_its_end(hub, loop):
    log, begun = [], []

    def begins(number):
        while len(begun) < number:
            hubcore.sleep(0.001)

    with CancelScope() as scope:
        spawn(lambda: (begins(1), scope.cancel()))
        aio.run_in(loop, answer(log, 100, begun))
    assert scope.cancelled_caught
    with pytest.raises(Timeout), Timeout(1000) as timeout:
        spawn(lambda: (begins(2), hub.interrupt(hub.main, timeout)))
        aio.run_in(loop, answer(log, 100, begun))
    one = spawn(aio.run_in, loop, answer(log, 100, begun))
    begins(3)
    one.kill()
    assert log == ["clean"] * 3
    one = spawn(aio.run_in, loop, answer(log, 100))
    settle(hub)
    one.kill()
    assert log == ["clean"] * 3  # it had not begun


def test_a_coroutine_of_one_loop_runs_another_in_the_other(hub, loop):
    async def main():
        assert asyncio.get_running_loop() is not loop
        return await aio.wrap(spawn(aio.run_in, loop, answer([]))), aio.run_in(loop, answer([]))

    assert aio.run(main()) == (loop, loop)


def test_the_task_sees_the_callers_context(hub, loop):
    variable = contextvars.ContextVar("variable")

    async def look():
        return variable.get()

    variable.set(4)
    assert aio.run_in(loop, look()) == 4


def test_mistakes_are_told(hub, loop):
    async def waits_for_itself():
        with pytest.raises(RuntimeError, match="wait for itself"):
            aio.run_in(loop, answer([]))

    aio.run_in(loop, waits_for_itself())
    closed = aio.EventLoop()
    closed.close()
    with pytest.raises(RuntimeError, match="closed"):
        aio.run_in(closed, answer([]))


def test_a_loop_in_another_thread(hub):
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    log = []
    ticks = []
    ticking = get_hub().loop.timer(0.001, 0.001)
    ticking.start(ticks.append, 1)
    assert aio.run_in(loop, answer(log, 0.02)) is loop
    ticking.close()
    assert ticks
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
