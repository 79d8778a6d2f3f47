"""aio.run: a coroutine in a greenlet, which is cancelled with it."""

import asyncio
import contextvars
import ssl
import sys
import threading
import time

import pytest

import hubcore
from hubcore import CancelScope, Timeout, aio, fail_after, move_on_after, socket, spawn
from hubcore.testing import run_python, settle
from tests.support.certificates import client_context, server_context


async def cleans_up(log, seconds=100.0, caught=None):
    """Sleeps, and when it is cancelled takes its time to clean up."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        await asyncio.sleep(0.01)
        log.append("clean")
        if caught is not None:
            return caught
        raise
    return "done"


# -- results


def test_it_returns_and_raises_what_the_coroutine_does(hub):
    async def fails():
        raise ValueError("no")

    async def cancels_itself():
        asyncio.current_task().cancel()
        await asyncio.sleep(1)

    assert aio.run(cleans_up([], 0.01)) == "done"
    with pytest.raises(ValueError, match="no"):
        aio.run(fails())
    with pytest.raises(asyncio.CancelledError):
        aio.run(cancels_itself())
    with pytest.raises((ValueError, TypeError), match="coroutine"):
        aio.run(3)


def test_it_blocks_its_own_greenlet_only(hub):
    ticks = []

    def tick():
        while True:
            hubcore.sleep(0.001)
            ticks.append(1)

    async def waits():
        while len(ticks) < 5:
            await asyncio.sleep(0.001)

    ticking = spawn(tick)
    aio.run(waits())
    ticking.kill()


def test_a_call_that_waits_in_the_hub_holds_up_its_own_loop_only(hub):
    log = []

    async def blocks():
        inner = asyncio.create_task(cleans_up(log, 0.001))
        await asyncio.sleep(0)
        other.join()
        assert not inner.done()
        log.append("joined")
        log.append(await inner)

    other = spawn(aio.run, cleans_up(log, 0.005))
    aio.run(blocks())
    assert log == ["joined", "done"]


def test_it_sees_a_copy_of_the_callers_context(hub):
    variable = contextvars.ContextVar("variable", default=0)

    async def main():
        before = variable.get()
        variable.set(2)
        return before

    variable.set(1)
    assert aio.run(main()) == 1
    assert variable.get() == 1


def test_in_a_coroutine_it_says_what_to_do(hub):
    async def main():
        with pytest.raises(RuntimeError, match="await the coroutine"):
            aio.run(cleans_up([]))
        return await aio.wrap(spawn(aio.run, cleans_up([], 0.001)))

    assert aio.run(main()) == "done"


def test_another_factorys_loop_may_be_given(hub):
    class Mine(aio.EventLoop):
        pass

    async def main():
        return asyncio.get_running_loop()

    loop = aio.run(main(), loop_factory=Mine)
    assert type(loop) is Mine
    assert loop.is_closed()


def test_time_is_the_hubs(hub_backend, hub):
    async def main():
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(3600 if hub_backend == "virtual" else 0.01)
        return loop.time() - began, began - hub.loop.clock()

    passed, off = aio.run(main())
    assert passed >= (3600 if hub_backend == "virtual" else 0.01)
    assert -10 < off <= 0 or hub_backend == "virtual"


# -- cancelling


def test_a_kill_cancels_it_and_waits_for_its_end(hub):
    log = []
    one = spawn(aio.run, cleans_up(log))
    settle(hub)
    one.kill()
    assert log == ["clean"]
    assert one.killed


def test_a_timeout_cancels_it_and_is_raised(hub):
    log = []

    async def begins(start):
        start()  # no earlier: a coroutine that is cancelled before its first step has nothing to clean up
        await cleans_up(log)

    timeout = Timeout(0.001)
    with pytest.raises(Timeout) as caught:
        aio.run(begins(timeout.start))
    assert caught.value is timeout
    assert log == ["clean"]
    assert isinstance(timeout.__context__, asyncio.CancelledError)
    with pytest.raises(TimeoutError), fail_after(1000) as scope:
        aio.run(begins(lambda: setattr(scope, "deadline", hub.loop.now() + 0.001)))
    assert log == ["clean"] * 2
    with Timeout(0.001, False):
        aio.run(cleans_up(log))


def test_a_cancelled_scope_cancels_it_and_lets_all_of_it_clean_up(hub):
    log = []

    async def main():
        left = asyncio.create_task(cleans_up(log))
        await asyncio.sleep(0)
        spawn(scope.cancel)
        try:
            await cleans_up(log)
        finally:
            assert not left.done()

    with CancelScope() as scope:
        aio.run(main())
    assert scope.cancelled_caught
    assert log == ["clean", "clean"]
    with CancelScope() as scope:
        scope.cancel()
        aio.run(cleans_up(log))
    assert scope.cancelled_caught
    assert log == ["clean"] * 2 or log == ["clean"] * 3


def test_a_coroutine_that_catches_its_cancellation_goes_on(hub):
    log = []
    one = spawn(aio.run, cleans_up(log, caught="kept"))
    settle(hub)
    one.kill()
    assert one.value == "kept"
    with move_on_after(0.001) as scope:
        assert aio.run(cleans_up(log, caught="kept")) == "kept"
        hubcore.sleep(0)
    assert scope.cancelled_caught


def test_each_further_kill_cancels_once_more(hub):
    log = []

    async def main():
        for _ in range(3):
            await cleans_up(log, caught="again")
        return "enough"

    one = spawn(aio.run, main())
    for number in range(3):
        settle(hub)
        one.kill(block=False)
        while len(log) == number:
            hubcore.sleep(0.001)
    assert one.get() == "enough"
    assert log == ["clean"] * 3


def test_what_comes_second_is_raised_at_the_next_wait(hub):
    log = []

    def work():
        try:
            aio.run(cleans_up(log))
        except KeyError:
            log.append("first")
        hubcore.sleep(100)

    one = spawn(work)
    settle(hub)
    one.kill(KeyError, block=False)
    settle(hub)
    one.kill(block=False)
    one.join()
    assert log == ["first"]
    assert one.killed


def test_a_kill_that_comes_with_the_result_is_raised_at_the_next_wait(hub):
    log = []

    def work():
        loop = aio.EventLoop()
        try:
            done = loop.create_future()
            loop.call_later(0.001, lambda: (done.set_result(1), one.kill(block=False)))
            log.append(loop.run_until_complete(done))
        finally:
            loop.close()
        hubcore.sleep(100)
        log.append("lived on")

    one = spawn(work)
    one.join()
    assert log == [1]
    assert one.killed


def test_a_call_in_a_coroutine_that_waits_in_the_hub_gets_the_exception_itself(hub):
    async def main():
        with Timeout(0.001, False):
            hubcore.sleep(100)
        hubcore.sleep(100)

    one = spawn(aio.run, main())
    hubcore.sleep(0.01)
    one.kill()
    assert one.killed


def test_a_hub_that_is_destroyed_ends_it(hub_backend):
    done = run_python(
        """
        import asyncio, hubcore
        from hubcore import aio
        async def main():
            left = asyncio.create_task(asyncio.sleep(100))
            try:
                await asyncio.sleep(100)
            finally:
                print("clean")
        async def stays():
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                await asyncio.Event().wait()
        one, other = hubcore.spawn(aio.run, main()), hubcore.spawn(aio.run, stays())
        hubcore.sleep(0.001)
        hubcore.get_hub().destroy()
        print(one.ready(), other.ready())
        """,
        hub_backend,
    )
    assert done.stdout == "clean\nTrue True\n"


# -- what asyncio's loop is for


def test_call_soon_threadsafe_from_another_greenlet_and_another_thread(hub):
    loops = []

    async def main():
        loops.append(asyncio.get_running_loop())
        event = asyncio.Event()
        loops.append(event)
        await event.wait()
        return "woken"

    for call in (lambda f, *args: f(*args), lambda f, *args: threading.Thread(target=f, args=args).start()):
        del loops[:]
        one = spawn(aio.run, main())
        settle(hub)
        call(loops[0].call_soon_threadsafe, loops[1].set)
        assert one.get() == "woken"


def test_threads_run_what_blocks(hub_backend, hub):
    variable = contextvars.ContextVar("variable")

    async def main():
        variable.set(7)
        loop = asyncio.get_running_loop()
        idents = await asyncio.gather(*[asyncio.to_thread(blocks) for _ in range(3)])
        idents.append(await loop.run_in_executor(None, threading.get_ident))
        assert threading.get_ident() not in idents
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)

    def blocks():
        time.sleep(0.005)
        assert variable.get() == 7
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return threading.get_ident()

    aio.run(main(), debug=True)


@pytest.mark.parametrize("tls", [False, True])
def test_streams_and_servers(hub_backend, hub, tls):
    async def serve(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
        try:
            await writer.wait_closed()
        except ssl.SSLError:
            pass  # the other end has hung up

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context(ssl) if tls else None)
        async with server:
            address = server.sockets[0].getsockname()
            name = {"ssl": client_context(ssl), "server_hostname": "localhost"} if tls else {}
            for n in range(3):
                reader, writer = await asyncio.open_connection(*address, **name)
                writer.write(b"%d\n" % n)
                assert await reader.readline() == b"%d\n" % n
                writer.close()
                await writer.wait_closed()
            if not tls:
                asker = spawn(ask, address)  # a greenlet of the same thread
                assert await aio.wrap(asker) == b"hello\n"

    def ask(address):
        with socket.create_connection(address) as connection:
            connection.sendall(b"hello\n")
            return connection.recv(100)

    one, other = spawn(aio.run, main()), spawn(aio.run, main(), debug=True)
    hubcore.joinall([one, other], raise_error=True)


def test_subprocesses(hub_backend, hub):
    async def main(text):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print(input())", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate(text)
        return out, await process.wait()

    one, other = spawn(aio.run, main(b"one")), spawn(aio.run, main(b"other"))
    assert one.get() == (b"one\n", 0)
    assert other.get() == (b"other\n", 0)


def test_signals_reach_each_loop_and_the_hub_still_hears_of_them(hub_backend):
    done = run_python(
        """
        import asyncio, os, signal, threading, time, hubcore
        from hubcore import aio
        def soon(signum):
            threading.Thread(target=lambda: (time.sleep(0.05), os.kill(os.getpid(), signum))).start()
        previous = lambda *args: print("as before")
        signal.signal(signal.SIGUSR1, previous)
        prepared = []
        async def main():
            loop = asyncio.get_running_loop()
            came = asyncio.Event()
            loop.add_signal_handler(signal.SIGUSR1, print, "replaced")
            loop.add_signal_handler(signal.SIGUSR1, came.set)
            prepared.append(loop)
            if len(prepared) == 2:
                soon(signal.SIGUSR1)
            await asyncio.to_thread(time.sleep, 0.1)
            await came.wait()
            assert loop.remove_signal_handler(signal.SIGUSR1)
            assert not loop.remove_signal_handler(signal.SIGUSR1)
            for wrong in (1.5, 0, 1000):
                try:
                    loop.add_signal_handler(wrong, print)
                except (TypeError, ValueError) as error:
                    print(error)
            try:
                loop.add_signal_handler(signal.SIGKILL, print)
            except RuntimeError as error:
                print("cannot be caught" in str(error))
            loop.add_signal_handler(signal.SIGUSR2, print)
        one = hubcore.spawn(aio.run, main())
        aio.run(main())
        one.get()
        assert signal.getsignal(signal.SIGUSR1) is previous
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
        began = time.monotonic()
        hubcore.get_hub().loop.begin_external()
        try:
            soon(signal.SIGINT)
            hubcore.get_hub().park(hubcore.get_hub().new_waiter("nothing"))
        except KeyboardInterrupt:
            print("heard", time.monotonic() - began < 5)
        """,
        hub_backend,
    )
    wrong = "sig must be an int, not 1.5\ninvalid signal number 0\ninvalid signal number 1000\nTrue\n"
    assert (done.stdout, done.stderr) == (wrong * 2 + "heard True\n", "")


@pytest.mark.parametrize("where", ["main", "greenlet"])
def test_ctrl_c_cancels_the_coroutine(hub_backend, where):
    done = run_python(
        f"""
        import asyncio, os, signal, threading, time, hubcore
        from hubcore import aio
        async def main():
            threading.Thread(target=lambda: (time.sleep(0.05), os.kill(os.getpid(), signal.SIGINT))).start()
            try:
                await asyncio.to_thread(time.sleep, 0.2)
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                print("cancelled")
                raise
        try:
            aio.run(main()) if "{where}" == "main" else hubcore.spawn(aio.run, main()).get()
        except KeyboardInterrupt:
            print("interrupted")
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("cancelled\ninterrupted\n", "")


def test_a_handler_in_a_greenlet_of_its_own_sees_the_loop_that_it_interrupts(hub_backend):
    """As one of the standard library's does. That it waits does not take the loop from whom it interrupts."""
    done = run_python(
        """
        import asyncio, os, hubcore
        import signal as plain
        from hubcore import aio, signal
        async def main():
            loop = asyncio.get_running_loop()
            came = asyncio.Event()
            def handler(signum, frame):
                print("same", asyncio.get_running_loop() is loop)
                hubcore.sleep(0.001)
                print("same", asyncio.get_running_loop() is loop)
                loop.call_soon_threadsafe(came.set)
            signal.signal(plain.SIGUSR1, handler)
            os.kill(os.getpid(), plain.SIGUSR1)
            print("mine", asyncio.get_running_loop() is loop)
            await came.wait()
            print("mine", asyncio.get_running_loop() is loop)
        aio.run(main())
        hubcore.spawn(lambda: print(asyncio._get_running_loop())).join()
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("same True\nmine True\nsame True\nmine True\nNone\n", "")
