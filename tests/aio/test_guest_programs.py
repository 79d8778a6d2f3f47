"""Programs under HUB_BACKEND=asyncio: guests without a block, Ctrl-C, signals, forks, children, patching."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest

from hubcore.backends import loop_class
from hubcore.backends.asyncio_ import AsyncioLoop
from hubcore.testing import run_python
from tests.support.paths import ROOT

HOSTS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]


def lines(code, status=0, host="asyncio"):
    """What the program prints. `run(coroutine)` in it runs the host."""
    setup = f"import asyncio, hubcore\nfrom hubcore import aio\nfrom {host} import run\n"
    return run_python(setup + code, "asyncio", status=status, python=("-W", "ignore::DeprecationWarning")).stdout.split(
        "\n"
    )


@pytest.fixture(params=HOSTS)
def host(request):
    return request.param


def test_the_backend_has_a_name_and_is_chosen_where_it_is_asked_for():
    assert loop_class("asyncio") is AsyncioLoop
    assert lines("print(hubcore.get_hub().backend)") == ["asyncio", ""]


def test_coroutines_use_the_hub_without_a_block_in_one_run_after_the_other(host):
    code = """
def work(number):
    hubcore.sleep(0.01)
    return number

async def main(number):
    try:
        hubcore.sleep(0.5)
    except hubcore.exceptions.BlockingSwitchOutError:
        print("refused before the first greenlet")
    job = hubcore.spawn(work, number)
    try:
        hubcore.sleep(0.5)
    except hubcore.exceptions.BlockingSwitchOutError:
        print("refused")
    print(await aio.wrap(job))
    return hubcore.spawn(hubcore.sleep, 0.02)

import hubcore.exceptions
for number in range(2):
    left = run(main(number))
    assert not left.ready()
left.join()  # without a host the thread waits by itself
print("joined")
run(main(2))
hubcore.get_hub().destroy()
"""
    once = ["refused before the first greenlet", "refused"]
    assert lines(code, host=host) == [*once, "0", *once, "1", "joined", *once, "2", ""]


def test_other_threads_have_no_host_and_wait_by_themselves():
    code = """
import threading
def thread():
    hubcore.sleep(0.001)
    print(hubcore.get_hub().backend, hubcore.get_hub().loop.host)

async def main():
    assert await aio.wrap(hubcore.spawn(hubcore.sleep, 0.001)) is None
    await asyncio.to_thread(thread)
    print(hubcore.get_hub().loop.host is asyncio.get_running_loop())

run(main())
"""
    assert lines(code) == ["asyncio None", "True", ""]


@pytest.mark.parametrize("error", ["KeyboardInterrupt('from a greenlet')", "SystemExit(7)"])
def test_what_ends_the_program_in_a_greenlet_ends_the_host(host, error):
    code = f"""
def fails():
    raise {error}

async def main():
    hubcore.spawn(fails)
    try:
        await asyncio.sleep(30)
    finally:
        print("the coroutine is cancelled")

try:
    run(main())
except KeyboardInterrupt as error:
    print(error)
"""
    status = 7 if "Exit" in error else 0
    told = [] if "Exit" in error else ["from a greenlet"]
    assert lines(code, status, host) == ["the coroutine is cancelled", *told, ""]


def test_signals_reach_the_hub_and_the_host(host):
    code = """
import os, signal
async def main():
    got = []
    hub = hubcore.get_hub()
    watcher = hub.loop.signal(signal.SIGUSR1)
    watcher.start(got.append, "hub")
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, got.append, "host")
    await asyncio.sleep(0.01)
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGUSR2)
        while "host" not in got:
            await asyncio.sleep(0.001)
        got.clear()
    watcher.close()
    print("both")

run(main())
"""
    assert lines(code, host=host) == ["both", ""]


def test_greenlets_run_children_and_fork(host):
    code = """
import os, sys
from hubcore import subprocess

def child():
    return subprocess.run(["/bin/sh", "-c", "echo from the child; exit 3"], stdout=subprocess.PIPE)

def forks():
    pid = os.fork()
    if pid == 0:
        hubcore.sleep(0.001)  # without the host, which is the parent's
        assert hubcore.get_hub().loop.host is None
        os._exit(44)
    from hubcore import os as cooperative
    return os.waitstatus_to_exitcode(cooperative.waitpid(pid, 0)[1])

async def main():
    ticks = 0
    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)
    ticking = asyncio.create_task(tick())
    done = await aio.wrap(hubcore.spawn(child))
    print(done.returncode, done.stdout.decode().strip())
    print(await aio.wrap(hubcore.spawn(forks)))
    before = ticks
    reader, writer = await asyncio.open_connection(sock=ours)
    theirs.send(b"x")
    assert await reader.read(1) == b"x"
    while ticks < before + 5:
        await asyncio.sleep(0.001)
    print("the host still has its events")
    writer.close()
    ticking.cancel()

import socket
ours, theirs = socket.socketpair()
run(main())
"""
    assert lines(code, host=host) == ["3 from the child", "44", "the host still has its events", ""]


def test_where_selectors_are_patched_the_loop_waits_in_the_hub_and_needs_no_guest():
    code = """
from hubcore import monkey
monkey.patch_all()
import time
async def main():
    async with aio.guest() as hub:
        job = hubcore.spawn(time.sleep, 0.01)
        await asyncio.sleep(0.02)
        print(job.ready(), hub.loop.host)
asyncio.run(main())
"""
    assert lines(code) == ["True None", ""]


@pytest.mark.parametrize("host", HOSTS)
def test_the_conformance_suite_passes_in_a_greenlet_beside_a_running_loop(host):
    """What a test starts in another process or thread has no host there, and waits by itself.

    One thing a guest says that no other loop does, and the suite's bare loops leave out: it is always alive.
    """
    backend = "tests.aio.guest_host:GuestLoop"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "hubcore.testing.plugin", "-p", "no:cacheprovider"]
    command += ["-p", "tests.aio.guest_host", f"--guest-host={host}", f"--hub-backend={backend}"]
    done = subprocess.run(
        [*command, "--pyargs", "hubcore.testing.conformance"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 120
