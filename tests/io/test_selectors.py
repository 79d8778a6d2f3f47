"""Selectors on hubcore's select module, and asyncio's own loop on them."""

import asyncio
import os
import selectors as stdlib
import socket as plain
import threading

import pytest

import hubcore
from hubcore import select, selectors, socket, spawn
from hubcore.testing import settle

CLASSES = [
    name
    for name in ("SelectSelector", "PollSelector", "EpollSelector", "KqueueSelector", "DefaultSelector")
    if hasattr(selectors, name)
]
READ, WRITE = stdlib.EVENT_READ, stdlib.EVENT_WRITE


@pytest.fixture(params=CLASSES)
def selector(request, hub):
    with getattr(selectors, request.param)() as selector:
        yield selector


@pytest.fixture
def pair(hub):
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def test_others_go_on_while_it_waits(selector, pair, hub):
    first, second = pair
    key = selector.register(first, READ, "data")
    assert selector.select(0) == []
    assert selector.select(-1) == []
    assert selector.select(0.001) == []
    one = spawn(selector.select)
    settle(hub)
    assert not one.ready()
    second.send(b"x")
    assert one.get(timeout=5) == [(key, READ)]
    key = selector.modify(first, READ | WRITE)
    assert selector.select(5) == [(key, READ | WRITE)]
    selector.unregister(first)
    assert selector.select(0.001) == []


def test_they_are_the_standard_librarys_on_our_objects(hub):
    for name in CLASSES:
        ours = getattr(selectors, name)
        assert issubclass(ours, getattr(stdlib, name))
        assert ours is not getattr(stdlib, name)
    assert selectors.SelectSelector._select is select.select
    with selectors.PollSelector() as selector:
        assert isinstance(selector._selector, select.poll)
    if hasattr(selectors, "EpollSelector"):
        with selectors.EpollSelector() as selector:
            assert type(selector._selector) is select.epoll
            assert selector.fileno() == selector._selector.fileno()


def test_geventselector_is_the_default_and_takes_a_hub(hub):
    assert selectors.GeventSelector is selectors.DefaultSelector
    with selectors.DefaultSelector(hub=hub) as selector, selectors.DefaultSelector(None) as other:
        assert selector.hub is other.hub is hub
    assert selectors.EVENT_READ == READ
    assert selectors.SelectorKey is stdlib.SelectorKey
    assert set(dir(stdlib)) <= set(dir(selectors))


# -- asyncio in a greenlet


def run(main, selector=selectors.DefaultSelector):
    """What asyncio.run does, with a loop on our selector."""
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector())) as runner:
        return runner.run(main())


async def echo_once(text):
    """Streams, a task, a timer, a thread and a name: what asyncio's loop is for."""

    async def serve(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await asyncio.sleep(0.01)
        address = server.sockets[0].getsockname()
        reader, writer = await asyncio.wait_for(asyncio.open_connection(*address), 30)
        writer.write(text.encode() + b"\n")
        line = await asyncio.wait_for(reader.readline(), 30)
        writer.close()
        await writer.wait_closed()
    in_a_thread = await asyncio.to_thread(threading.get_ident)
    assert in_a_thread != threading.get_ident()
    return line.decode().strip()


@pytest.mark.parametrize("name", CLASSES)
def test_asyncio_runs_in_greenlets_one_after_the_other(hub_backend, hub, name):
    if hub_backend == "virtual":
        pytest.skip("asyncio's clock is the real one")
    for text in ("first", "second"):
        one = spawn(run, lambda text=text: echo_once(text), getattr(selectors, name))
        assert one.get(timeout=30) == text


def test_asyncio_beside_a_greenlet_that_ticks_and_one_that_serves(hub_backend, hub):
    if hub_backend == "virtual":
        pytest.skip("asyncio's clock is the real one")
    ticks = []

    def tick():
        while True:
            ticks.append(1)
            hubcore.sleep(0.001)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()

        def serve():
            connection, _ = listener.accept()
            with connection:
                for _ in range(20):
                    connection.sendall(connection.recv(100))

        async def client():
            reader, writer = await asyncio.open_connection(*address)
            for i in range(20):
                writer.write(b"%d\n" % i)
                assert await reader.readline() == b"%d\n" % i
                await asyncio.sleep(0.001)
            writer.close()
            await writer.wait_closed()
            return "done"

        ticking, serving = spawn(tick), spawn(serve)
        assert spawn(run, client).get(timeout=30) == "done"
        serving.get(timeout=30)
        ticking.kill()
    assert len(ticks) >= 10


def test_asyncio_that_is_always_busy_lets_others_run(hub_backend, hub):
    if hub_backend == "virtual":
        pytest.skip("asyncio's clock is the real one")
    done = []

    async def busy():
        rounds = 0
        while not done:
            await asyncio.sleep(0)
            rounds += 1
        return rounds

    one = spawn(run, busy)
    spawn(done.append, 1)
    assert one.get(timeout=30) < 1000


def test_a_greenlet_wakes_asyncio_by_call_soon_threadsafe(hub_backend, hub):
    if hub_backend == "virtual":
        pytest.skip("asyncio's clock is the real one")
    loops = []

    async def waits():
        loop = asyncio.get_running_loop()
        event = asyncio.Event()
        loops.append((loop, event))
        await asyncio.wait_for(event.wait(), 30)
        return "woken"

    one = spawn(run, waits)
    while not loops:
        hubcore.sleep(0)
    loop, event = loops[0]
    loop.call_soon_threadsafe(event.set)
    assert one.get(timeout=30) == "woken"


def test_a_selector_in_a_thread_has_that_threads_hub(hub_backend):
    got = []

    def work():
        into, out = plain.socketpair()
        with into, out, selectors.DefaultSelector() as selector:
            selector.register(into, READ)
            spawn(out.send, b"x")
            got.append(selector.select())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(got[0]) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="of POSIX")
def test_an_epoll_outlives_a_fork(hub_backend):
    if not hasattr(select, "epoll"):
        pytest.skip("of Linux")
    hubcore.testing.run_python(
        """
        import os
        import hubcore
        from hubcore import select
        into, out = os.pipe()
        epoll = select.epoll()
        epoll.register(into, select.EPOLLIN)
        assert epoll.poll(0.01) == []
        pid = os.fork()
        if pid == 0:
            hubcore.spawn(os.write, out, b"x")
            assert epoll.poll() == [(into, select.EPOLLIN)]
            epoll.close()
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert epoll.poll(5) == [(into, select.EPOLLIN)]
        """,
        hub_backend,
    )
