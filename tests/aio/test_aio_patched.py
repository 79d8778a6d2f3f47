"""asyncio under monkey patching: its own `run` lets other greenlets run, and aio's does, too."""

import pytest

from hubcore.testing import run_python


@pytest.mark.parametrize("run", ["asyncio.run", "aio.run"])
def test_asyncio_in_greenlets_after_patch_all(hub_backend, run):
    if hub_backend == "virtual":
        pytest.skip("asyncio's clock is the real one")
    done = run_python(
        f"""
        from hubcore import monkey
        monkey.patch_all()
        import asyncio, os, signal, sys, threading, time
        import hubcore
        from concurrent.futures import ThreadPoolExecutor
        from hubcore import aio

        def blocks(value):
            time.sleep(0.01)
            return value

        async def serve(reader, writer):
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        async def main(n):
            loop = asyncio.get_running_loop()
            assert await asyncio.to_thread(blocks, n) == n
            assert await loop.run_in_executor(None, blocks, n) == n
            with ThreadPoolExecutor(2) as executor:
                calls = [loop.run_in_executor(executor, blocks, i) for i in range(4)]
                assert await asyncio.gather(*calls) == [0, 1, 2, 3]
            async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(b"line\\n")
                assert await reader.readline() == b"line\\n"
                writer.close()
                await writer.wait_closed()
            command = [sys.executable, "-c", "print(input())"]
            process = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1)
            assert await process.communicate(b"text\\n") == (b"text\\n", None)
            assert process.returncode == 0
            event = asyncio.Event()
            wake = lambda: [loop.call_soon_threadsafe(lambda: None) for _ in range(200)]  # a budget's worth, in the hub
            hubcore.get_hub().loop.run_callback(wake)
            threading.Thread(target=loop.call_soon_threadsafe, args=(event.set,)).start()
            await event.wait()
            return n

        async def handles():
            loop, came = asyncio.get_running_loop(), asyncio.Event()
            loop.add_signal_handler(signal.SIGUSR1, came.set)
            loop.call_later(0.01, os.kill, os.getpid(), signal.SIGUSR1)
            await asyncio.wait_for(came.wait(), 30)

        async def never():
            try:
                await asyncio.sleep(100)
            finally:
                print("clean")

        ticks = []
        def tick():
            while True:
                time.sleep(0.001)
                ticks.append(asyncio._get_running_loop())

        ticking = hubcore.spawn(tick)
        jobs = [hubcore.spawn({run}, main(n)) for n in range(3)]
        hubcore.joinall(jobs, timeout=40, raise_error=True)
        print(*[job.value for job in jobs])
        {run}(handles())
        one = hubcore.spawn({run}, never())
        time.sleep(0.01)
        one.kill()
        print(one.killed, len(ticks) > 10, set(ticks))
        """,
        hub_backend,
        timeout=45,
    )
    assert (done.stdout, done.stderr) == ("0 1 2\nclean\nTrue True {None}\n", "")
