"""asyncio's running loop belongs to one greenlet: other greenlets see none, and can run their own."""

import asyncio
import sys
import threading

import greenlet
import pytest

import hubcore
from hubcore import aio, get_hub, spawn
from hubcore.testing import run_python


def state():
    """What asyncio keeps per thread, as the calling greenlet sees it."""
    return asyncio._get_running_loop(), sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()


NOTHING = (None, (None, None), 0)


@pytest.fixture
def loop(hub):
    loop = aio.EventLoop()
    yield loop
    loop.close()


async def numbers():
    for n in range(3):
        yield n
        await asyncio.sleep(0.001)


async def works(n, seen):
    """Waits in the loop and in the hub, and is the same in between; leaves an asynchronous generator behind."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    mine = state()
    assert mine[2] > 0  # debug mode
    for _ in range(5):
        spawn(lambda: seen.append(state()))
        hubcore.sleep(0.001)
        await asyncio.sleep(0.001 * n)
        hubcore.sleep(0)
        assert state() == mine
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task
    async for _ in numbers():
        break
    assert sys.get_asyncgen_hooks().firstiter.__self__ is loop
    return n


def test_loops_run_in_greenlets_of_one_thread_at_once_and_others_see_none(hub):
    seen = []

    def look():
        for _ in range(20):
            seen.append(state())
            hubcore.sleep(0.001)

    tasks = [spawn(aio.run, works(n, seen), debug=True) for n in range(1, 5)]
    looking = spawn(look)
    assert aio.run(works(3, seen), debug=True) == 3
    hubcore.joinall([*tasks, looking], raise_error=True)
    assert [task.value for task in tasks] == [1, 2, 3, 4]
    assert len(seen) == 45
    assert set(seen) == {NOTHING}
    assert state() == NOTHING


def test_the_hub_and_what_it_starts_see_no_loop(hub):
    seen = []

    async def main():
        hub.loop.run_callback(lambda: seen.append(state()))
        spawn(lambda: seen.append(state()))
        hubcore.spawn_raw(lambda: seen.append(state()))
        hubcore.spawn_later(0.001, lambda: seen.append(state()))
        hubcore.sleep(0.002)

    aio.run(main())
    assert seen == [NOTHING] * 4


def test_a_greenlet_of_another_maker_takes_the_loop_of_whoever_switches_to_it(hub):
    """As SQLAlchemy's does, in which blocking code awaits by switching to its parent. When it parks, it keeps it."""
    seen = []

    async def main():
        loop = asyncio.get_running_loop()

        def inner():
            seen.append(asyncio._get_running_loop() is loop)
            hubcore.sleep(0.001)
            seen.append(asyncio._get_running_loop() is loop)

        other = spawn(lambda: seen.append(state()))
        greenlet.greenlet(inner).switch()
        assert asyncio.get_running_loop() is loop
        other.join()

    aio.run(main())
    assert seen == [True, NOTHING, True]


@pytest.mark.parametrize("end", ["return", "raise", "killed", "throw"])
def test_a_greenlet_that_ends_in_whatever_way_leaves_no_loop(hub, end):
    async def main():
        if end == "raise":
            raise ValueError
        if end in ("killed", "throw"):
            await asyncio.sleep(100)

    one = spawn(aio.run, main())
    if end == "killed":
        hubcore.sleep(0.001)
        one.kill()
    elif end == "throw":
        hubcore.sleep(0.001)
        hub.loop.run_callback(one.throw, hubcore.GreenletExit)
    one.rawlink(lambda _: None)
    with pytest.raises(ValueError) if end == "raise" else hubcore.Timeout(5):
        one.get()
    assert state() == NOTHING


def test_a_loop_that_a_greenlet_leaves_behind_is_nobodys(hub, loop):
    spawn(asyncio._set_running_loop, loop).join()
    assert spawn(state).get() == state() == NOTHING


def test_whoever_switches_by_hand_has_its_loop_when_it_goes_on(hub):
    async def main():
        mine = state()
        current = hubcore.getcurrent()
        hub.loop.run_callback(current.switch, "word")
        other = spawn(state)
        assert hub.switch() == "word"
        assert state() == mine
        assert other.get() == NOTHING
        assert state() == mine

    spawn(aio.run, main()).get()


def test_a_throw_by_hand_takes_the_loop_along_and_brings_it_back(hub):
    seen = []

    def sleeper():
        try:
            hubcore.sleep(100)
        finally:
            seen.append(state())

    sleeping = greenlet.greenlet(sleeper)

    async def main():
        mine = state()
        sleeping.parent = hubcore.getcurrent()
        with pytest.raises(ZeroDivisionError):
            sleeping.throw(ZeroDivisionError)
        assert seen == [mine]
        assert state() == mine

    hub.loop.run_callback(sleeping.switch)
    hubcore.sleep(0.001)
    spawn(aio.run, main()).get()
    assert state() == NOTHING


def test_threads_have_loops_of_their_own(hub_backend):
    seen = []

    def thread():
        tasks = [spawn(aio.run, works(n, seen), debug=True) for n in (1, 2)]
        hubcore.joinall(tasks, raise_error=True)
        get_hub().destroy()

    threads = [threading.Thread(target=thread) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(seen) == 20
    assert set(seen) == {NOTHING}


@pytest.mark.parametrize("first", ["import hubcore; hubcore.get_hub(); import asyncio", "import asyncio, hubcore"])
@pytest.mark.parametrize("pure", ["0", "1"])
def test_it_works_whenever_asyncio_is_imported(hub_backend, first, pure):
    if pure == "1" and hub_backend in ("libev", "libuv"):
        pytest.skip("is compiled")
    done = run_python(
        f"""
        import sys
        before = list(sys.meta_path)
        {first}
        assert list(sys.meta_path) == before, sys.meta_path
        from hubcore import aio
        async def main():
            hubcore.spawn(lambda: print(asyncio._get_running_loop()))
            hubcore.sleep(0.001)
            print(asyncio._get_running_loop() is asyncio.get_running_loop())
        aio.run(main())
        """.replace("== before", "== before" if pure == "0" else "!= before"),
        hub_backend,
        env={"HUBCORE_PURE": pure},
    )
    assert (done.stdout, done.stderr) == ("None\nTrue\n", "")


def test_asyncio_as_plain_python_is_noticed_too(hub_backend):
    done = run_python(
        """
        import sys
        sys.modules["_asyncio"] = None
        import hubcore
        from hubcore import aio
        import asyncio
        async def main():
            hubcore.spawn(lambda: print(asyncio._get_running_loop()))
            hubcore.sleep(0.001)
            print(asyncio.current_task().get_loop() is asyncio.get_running_loop())
        aio.run(main())
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("None\nTrue\n", "")
