"""A guest: greenlets beside the coroutines of an asyncio loop that runs already; also of uvloop's."""

import asyncio
import contextvars
import importlib.util
import os
import socket
import threading
import time

import pytest

import hubcore
import hubcore.event
import hubcore.lock
import hubcore.queue
import hubcore.socket
from hubcore import aio
from hubcore.exceptions import BlockingSwitchOutError, HubDestroyed
from hubcore.hub import get_hub_if_any
from hubcore.testing import leaks

HOSTS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]


@pytest.fixture(params=[*HOSTS, "asyncio in debug mode"])
def host(request):
    """A function that runs a coroutine function in the host, as a guest, and finds nothing left behind."""
    hub = get_hub_if_any()
    if hub is not None:
        hub.destroy()
    if request.param == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
        factory().close()
    else:
        factory = asyncio.new_event_loop
    hubcore.get_hub().destroy()

    def run(main):
        async def as_guest():
            async with aio.guest():
                return await asyncio.wait_for(main(), 30)

        before = leaks.process()
        with asyncio.Runner(debug="debug" in request.param, loop_factory=factory) as runner:
            result = runner.run(as_guest())
        assert get_hub_if_any() is None
        assert leaks.left_by_process(before) == []
        return result

    return run


def in_greenlet(function, *args):
    """What a coroutine awaits to have `function` run in a greenlet."""
    return aio.wrap(hubcore.spawn(function, *args))


def test_coroutines_and_greenlets_both_go_on(host):
    order = []

    def greenlet():
        for number in range(5):
            order.append(f"greenlet {number}")
            hubcore.sleep(0.02)
        return "result"

    async def coroutine():
        for number in range(5):
            order.append(f"coroutine {number}")
            await asyncio.sleep(0.02)

    async def main():
        started = hubcore.spawn(greenlet)
        await coroutine()
        return await aio.wrap(started)

    assert host(main) == "result"
    # Neither has run to its end before the other began its second turn.
    assert order.index("coroutine 1") < order.index("greenlet 4")
    assert order.index("greenlet 1") < order.index("coroutine 4")


def test_neither_side_starves_the_other(host):
    async def main():
        turns = {"greenlets": 0, "coroutines": 0}
        ended = []

        def yields():
            while not ended:
                turns["greenlets"] += 1
                hubcore.sleep(0)

        async def gives_way():
            while not ended:
                turns["coroutines"] += 1
                await asyncio.sleep(0)

        jobs = [hubcore.spawn(yields) for _ in range(3)]
        tasks = [asyncio.create_task(gives_way()) for _ in range(3)]
        while min(turns.values()) < 200:
            await asyncio.sleep(0)
        ended.append(True)
        await asyncio.gather(*tasks, *map(aio.wrap, jobs))

    host(main)


def test_a_greenlets_end_is_a_coroutines_result_and_a_cancelled_await_kills_it(host):
    async def main():
        with pytest.raises(ZeroDivisionError):
            await in_greenlet(lambda: 1 / 0)
        ended = []

        def long():
            try:
                hubcore.sleep(3600)
            finally:
                ended.append("unwound")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_greenlet(long), 0.01)
        assert ended == ["unwound"]

    host(main)


def test_a_greenlet_serves_a_coroutine_over_a_socket_and_the_other_way_round(host):
    from hubcore.server import StreamServer

    async def main():
        def shout(sock, address):
            sock.sendall(sock.recv(100).upper())

        server = StreamServer(("127.0.0.1", 0), shout)
        server.start()
        reader, writer = await asyncio.open_connection(*server.address[:2])
        writer.write(b"hello")
        assert await reader.read() == b"HELLO"
        writer.close()
        await in_greenlet(server.stop)

        async def whisper(reader, writer):
            writer.write((await reader.read(100)).lower())
            writer.close()

        async with await asyncio.start_server(whisper, "127.0.0.1", 0) as server:

            def client():
                with hubcore.socket.create_connection(server.sockets[0].getsockname()) as sock:
                    sock.sendall(b"HELLO")
                    return sock.recv(100)

            return await in_greenlet(client)

    assert host(main) == b"hello"


def test_what_a_coroutine_sets_puts_or_schedules_wakes_a_sleeping_hub(host):
    async def main():
        event, queue = hubcore.event.Event(), hubcore.queue.Queue()
        waits = [hubcore.spawn(event.wait), hubcore.spawn(queue.get)]
        await asyncio.sleep(0.01)  # the hub has given way without a limit
        queue.put("item")
        event.set()
        assert [await aio.wrap(wait) for wait in waits] == [True, "item"]
        # A time that is nearer than the one for which the hub sleeps.
        far = hubcore.spawn(hubcore.sleep, 3600)
        await asyncio.sleep(0.01)
        assert await aio.wrap(hubcore.spawn_later(0.01, lambda: "later")) == "later"
        scope = hubcore.CancelScope()

        def scoped():
            with scope:
                hubcore.sleep(3600)
            return "after the scope"

        waiting = hubcore.spawn(scoped)
        await asyncio.sleep(0.01)
        scope.deadline = hubcore.get_hub().loop.now() + 0.01
        assert await aio.wrap(waiting) == "after the scope"
        seen = []
        timer = hubcore.get_hub().loop.timer(3600, 0.005)
        timer.again(seen.append, "again")
        while not seen:
            await asyncio.sleep(0.001)
        timer.close()
        hubcore.get_hub().loop.run_callback(seen.append, "callback")
        while len(seen) < 2:
            await asyncio.sleep(0)
        far.kill(block=False)

    host(main)


def test_a_coroutine_that_waits_by_mistake_gets_an_error_that_says_what_to_do(host):
    async def main():
        hub = hubcore.get_hub()
        queue, lock, forever = hubcore.queue.Queue(), hubcore.lock.Semaphore(), hubcore.spawn(hubcore.sleep, 3600)
        lock.acquire()
        await asyncio.sleep(0.01)  # it waits by now, so that to kill it takes a while, too
        mistakes = {
            "sleep": lambda: hubcore.sleep(0.1),
            "yield": lambda: hubcore.sleep(0),
            "get": queue.get,
            "lock": lock.acquire,
            "greenlet": forever.get,
            "kill": forever.kill,
            "join": hub.join,
            "joinall": lambda: hubcore.joinall([forever]),
            "pass": lambda: hub.loop.run_pass(True),
            "run": hub.loop.run,
            "close": hub.loop.close,
            "destroy": hub.destroy,
            "switch": hub.switch,
        }
        for name, mistake in mistakes.items():
            with pytest.raises(BlockingSwitchOutError) as caught:
                mistake()
            text = str(caught.value)
            assert "coroutine" in text, name
            assert "await hubcore.aio.wrap(hubcore.spawn(" in text, name
            assert repr(asyncio.get_running_loop())[:10] in text, name
        for begin in (hubcore.Timeout(0.01).start, hubcore.CancelScope().__enter__, hubcore.move_on_after(1).__enter__):
            with pytest.raises(RuntimeError, match=r"asyncio\.timeout"):
                begin()
        # What does not wait is no mistake, and everything goes on.
        queue.put(1)
        assert queue.get() == 1
        lock.release()
        with lock:
            pass
        return await in_greenlet(lambda: hubcore.sleep(0.01) or "goes on")

    assert host(main) == "goes on"


def test_a_mistake_in_a_callback_of_the_loop_is_reported_by_it(host):
    async def main():
        told = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: told.append(context["exception"]))
        loop.call_soon(hubcore.sleep, 0.01)
        await asyncio.sleep(0.01)
        assert [type(error) for error in told] == [BlockingSwitchOutError]

    host(main)


def test_threads_hand_over_results(host):
    async def main():
        hub = hubcore.get_hub()
        assert await in_greenlet(hub.threadpool.apply, threading.get_ident) != threading.get_ident()
        event = hubcore.event.Event()
        waiting = hubcore.spawn(event.wait)
        await asyncio.sleep(0.01)
        thread = threading.Thread(target=event.set)
        thread.start()
        assert await aio.wrap(waiting)
        thread.join()
        assert await asyncio.to_thread(lambda: hub.spawn_threadsafe(hubcore.sleep, 0.001).get()) is None

    host(main)


def test_a_greenlet_sees_no_running_loop_and_may_run_one_or_call_into_the_host(host):
    variable = contextvars.ContextVar("variable", default="default")

    async def main():
        loop = asyncio.get_running_loop()
        variable.set("the task's")

        def greenlet():
            assert asyncio._get_running_loop() is None
            assert variable.get() == "the task's"  # a copy of the spawner's context
            variable.set("the greenlet's")
            assert aio.run(asyncio.sleep(0.001, "its own")) == "its own"
            assert aio.run_in(loop, asyncio.sleep(0.001, "the host's")) == "the host's"
            assert asyncio._get_running_loop() is None
            return "ended"

        task = asyncio.current_task()
        assert await in_greenlet(greenlet) == "ended"
        assert variable.get() == "the task's"
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task

    host(main)


def test_at_the_end_of_the_block_what_still_waits_is_unwound(host):
    ended = []

    def waits(where):
        try:
            where()
        except HubDestroyed:
            ended.append("destroyed")
            raise
        finally:
            try:
                hubcore.sleep(0.01)
            except HubDestroyed:
                ended.append("cannot wait any more")

    async def main():
        hubcore.get_hub().exception_stream = None
        hubcore.spawn(waits, lambda: hubcore.sleep(3600))
        hubcore.spawn(waits, hubcore.event.Event().wait)
        ours, theirs = socket.socketpair()
        hubcore.spawn(waits, lambda: hubcore.socket.wait_read(ours.fileno()))
        hubcore.spawn(waits, hubcore.sleep).kill(block=False)  # never begins
        await asyncio.sleep(0.01)
        ours.close()
        theirs.close()

    host(main)
    assert ended.count("destroyed") == 3
    assert ended.count("cannot wait any more") == 3


def test_an_error_in_the_block_leaves_nothing_behind_and_the_next_block_works():
    async def block(fails):
        async with aio.guest() as hub:
            assert get_hub_if_any() is hub
            await in_greenlet(hubcore.sleep, 0.001)
            if fails:
                raise LookupError

    async def main():
        with pytest.raises(LookupError):
            await block(True)
        assert get_hub_if_any() is None
        await block(False)
        await block(False)

    before = leaks.process()
    asyncio.run(main())
    assert leaks.left_by_process(before) == []


def test_a_block_within_a_block_is_the_same_guest():
    async def main():
        async with aio.guest() as outer:
            async with aio.guest() as inner:
                assert inner is outer
            assert not outer.destroyed
            await in_greenlet(hubcore.sleep, 0.001)

    asyncio.run(main())


def test_in_a_loop_that_waits_in_the_hub_itself_the_block_changes_nothing(hub):
    async def main():
        async with aio.guest() as found:
            assert found is hub
            hubcore.sleep(0.001)  # holds up this loop only
            await in_greenlet(hubcore.sleep, 0.001)
        assert not hub.destroyed

    aio.run(main())


def test_a_hub_in_use_is_refused_and_an_idle_one_replaced(hub):
    async def enter():
        async with aio.guest() as found:
            await in_greenlet(hubcore.sleep, 0.001)
            return found

    waiting = hubcore.spawn(hubcore.sleep, 3600)
    hubcore.sleep(0)
    with pytest.raises(RuntimeError, match="in use already"):
        asyncio.run(enter())
    waiting.kill()
    assert asyncio.run(enter()) is not hub
    assert hub.destroyed


def test_join_waits_until_no_greenlet_is_left(host):
    async def main():
        job = hubcore.spawn(hubcore.sleep, 0.01)
        assert await in_greenlet(hubcore.get_hub().join)
        assert job.ready()

    host(main)


def test_a_switch_or_throw_by_hand_does_not_hang(host):
    async def main():
        ended = []

        def waits():
            try:
                hubcore.sleep(3600)
            except BaseException as error:
                ended.append(type(error))
                raise

        hub = hubcore.get_hub()
        hub.exception_stream = None
        for interfere in (lambda job: job.switch(), lambda job: job.throw(KeyError)):
            job = hubcore.spawn(waits)
            await asyncio.sleep(0.01)
            try:
                interfere(job)
            except Exception:
                pass
            assert asyncio.get_running_loop() is not None
            await asyncio.sleep(0.01)
        assert len(ended) == 2
        assert await in_greenlet(lambda: hubcore.sleep(0.001) or "goes on") == "goes on"

    host(main)


def test_a_closed_fd_whose_file_stays_open_does_not_keep_the_host_busy(host):
    async def main():
        ours, theirs = socket.socketpair()
        duplicate = os.dup(ours.fileno())
        waiting = hubcore.spawn(hubcore.socket.wait_read, duplicate)
        await asyncio.sleep(0.01)
        os.close(duplicate)
        theirs.send(b"x")
        await asyncio.sleep(0.05)
        passes = hubcore.get_hub().loop.passes
        await asyncio.sleep(0.05)
        assert hubcore.get_hub().loop.passes - passes < 10
        waiting.kill(block=False)
        hubcore.get_hub().loop.closing_fd(duplicate)
        ours.close()
        theirs.close()
        assert await in_greenlet(lambda: hubcore.sleep(0.001) or "goes on") == "goes on"

    host(main)


def test_a_thousand_of_each(host):
    async def main():
        events = [(hubcore.event.Event(), asyncio.Event()) for _ in range(1000)]

        def greenlet(number):
            ours, theirs = events[number]
            ours.wait()
            hubcore.sleep(number % 7 / 1000)
            aio.run_in(loop, set_it(theirs)) if number % 100 == 0 else loop.call_soon_threadsafe(theirs.set)
            return number

        async def set_it(event):
            event.set()

        async def coroutine(number):
            await asyncio.sleep(number % 5 / 1000)
            events[number][0].set()
            await events[number][1].wait()

        loop = asyncio.get_running_loop()
        jobs = [hubcore.spawn(greenlet, number) for number in range(1000)]
        await asyncio.gather(*map(coroutine, range(1000)))
        assert await asyncio.gather(*map(aio.wrap, jobs)) == list(range(1000))

    host(main)


def test_the_loop_is_not_kept_busy_by_a_guest_that_sleeps(host):
    async def main():
        hubcore.spawn(hubcore.sleep, 3600)
        hubcore.spawn(hubcore.event.Event().wait)
        await asyncio.sleep(0.01)
        passes = hubcore.get_hub().loop.passes
        start = time.process_time()
        await asyncio.sleep(0.1)
        assert hubcore.get_hub().loop.passes == passes
        assert time.process_time() - start < 0.09

    host(main)
