"""Everything that would differ from run to run: its answer, and what is refused because it has none."""

import asyncio
import concurrent.futures
import datetime
import os
import random
import secrets
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from datetime import datetime as early_datetime
from random import random as early_random
from time import monotonic as early_monotonic
from time import sleep as early_sleep
from time import time as early_time

import pytest

from hubcore import monkey
from hubcore.testing import run_python, sim

EPOCH = 1767225600.0


def draw():
    """What a program may ask the real world."""
    return {
        "time": [time.time(), early_time(), time.time_ns(), time.clock_gettime(time.CLOCK_REALTIME)],
        "monotonic": [time.monotonic(), early_monotonic(), time.perf_counter(), time.monotonic_ns()],
        "text": [time.ctime(), time.strftime("%c"), time.asctime(), tuple(time.gmtime()), tuple(time.localtime())],
        "datetime": [
            str(datetime.datetime.now()),
            str(early_datetime.now(datetime.UTC)),
            str(datetime.date.today()),
            str(datetime.datetime.today()),
        ],
        "random": [random.random(), early_random(), random.Random().random(), random.SystemRandom().random()],
        "more random": [random.sample(range(100), 5), random.gauss(0, 1)],
        "bytes": [os.urandom(8), secrets.token_hex(8), os.getrandom(4)],
        "ids": [str(uuid.uuid1()), str(uuid.uuid4()), os.getpid(), socket.gethostname(), os.uname().nodename],
        "name": tempfile.mktemp(prefix="x"),
    }


def drawing(simulation):
    found = [draw()]
    simulation.host("a", lambda: found.append(draw()))
    time.sleep(1.5)
    early_sleep(1.5)
    found.append(draw())
    return found, simulation.digest


def test_all_of_it_is_the_seeds():
    first, again, other = sim.run(drawing, seed=1), sim.run(drawing, seed=1), sim.run(drawing, seed=2)
    assert first == again
    for name in ("monotonic", "random", "more random", "bytes", "ids", "name"):
        for one, two in zip(first[0], other[0], strict=True):
            assert one[name] != two[name], name


def test_the_time_of_day_begins_at_the_same_moment_for_every_seed_and_passes_as_it_should():
    (start, host, end), _ = sim.run(drawing, seed=3)
    assert start["time"][0] == pytest.approx(EPOCH, abs=0.01)
    assert start["datetime"][2] == "2026-01-01"
    assert start["datetime"][3].startswith("2026-01-01 ")
    assert end["time"][0] - start["time"][0] == pytest.approx(3, abs=0.01)
    assert end["monotonic"][0] - start["monotonic"][0] == pytest.approx(3, abs=0.01)
    assert end["time"][2] == pytest.approx(end["time"][0] * 1e9, abs=1e4)
    assert host["monotonic"][0] != pytest.approx(start["monotonic"][0], abs=10)  # of a host of its own
    assert host["random"][0] != start["random"][0]
    assert host["ids"][3:] == ["a", "a"]
    assert start["ids"][3:] == ["test", "test"]


def test_afterwards_the_world_is_the_real_one():
    before = random.getstate()
    sim.run(drawing, fork=False)
    assert abs(time.time() - EPOCH) > 1000 or time.time() != early_time()
    assert os.getpid() != 0
    assert socket.gethostname() not in ("test", "a")
    assert random.getstate() == before
    with tempfile.TemporaryFile() as file:
        file.write(b"x")


def test_removing_a_draw_of_one_host_changes_nothing_for_another():
    def main(simulation, draws):
        found = []

        def other():
            time.sleep(1)
            found.append((random.random(), os.urandom(4)))

        simulation.host("a", lambda: [random.random() for _ in range(draws)] and os.urandom(draws))
        simulation.host("b", other)
        time.sleep(2)
        return found

    assert sim.run(main, 1) == sim.run(main, 50)


PROGRAM = """
    import socket, threading, time, random, sys
    from hubcore.testing import sim

    def serve():
        with socket.create_server(("", 80)) as listener:
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection):
        with connection:
            try:
                while data := connection.recv(100):
                    time.sleep(random.random())
                    connection.sendall(data)
            except OSError:
                pass

    def main(simulation):
        simulation.host("a", serve)
        simulation.host("b", serve)
        simulation.faults(every=(0.5, 2), until=20)
        words = {"one", "two", "three", "four", "five"}
        for word in words:
            try:
                with socket.create_connection((random.choice("ab"), 80), timeout=3) as sock:
                    sock.sendall(word.encode())
                    sock.recv(100)
            except OSError:
                pass
        time.sleep(30)
        return simulation.digest

    print([sim.run(main, seed=seed) for seed in range(4)])
"""


@pytest.mark.slow
def test_processes_with_other_environments_and_folders_agree(tmp_path):
    code = f"import os\nos.chdir({str(tmp_path)!r})\n"
    plain = run_python(PROGRAM, env={"PYTHONHASHSEED": "0"}, timeout=100).stdout
    elsewhere = {"PYTHONHASHSEED": "0", "SOMETHING_ELSE": "x" * 5000, "TZ": "Asia/Tokyo", "HOME": str(tmp_path)}
    import textwrap

    moved = run_python(code + textwrap.dedent(PROGRAM), env=elsewhere, timeout=100).stdout
    assert plain == moved
    assert len(set(plain.strip("[]\n").split(", "))) == 4


# -- what runs in greenlets instead of threads and loops of other kinds


def test_thread_pools_and_executors_run_in_greenlets():
    def main(simulation):
        order = []

        def job(number):
            time.sleep(number)
            order.append(number)
            return number

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            assert sorted(future.result() for future in [pool.submit(job, number) for number in (3, 1, 2)]) == [1, 2, 3]
        import hubcore
        from hubcore.threadpool import ThreadPool, ThreadPoolExecutor

        assert hubcore.get_hub().threadpool.apply(job, (4,)) == 4
        assert ThreadPool(2).map(job, [2, 1]) == [2, 1]
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(job, [1, 2])) == [1, 2]
        assert 11 < simulation.now < 12
        return order

    assert sim.run(main)[:3] == [1, 2, 3]


def test_asyncio():
    import hubcore.aio

    async def client(number):
        await asyncio.sleep(number)
        reader, writer = await asyncio.open_connection("web", 80)
        writer.write(b"%d\n" % number)
        line = await reader.readline()
        writer.close()
        return line

    async def serve():
        async def answer(reader, writer):
            writer.write(b"got " + await reader.readline())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "", 80)
        await server.serve_forever()

    async def together():
        return await asyncio.gather(*map(client, range(5)), asyncio.to_thread(time.time))

    def main(simulation):
        simulation.host("web", lambda: hubcore.aio.run(serve()))
        return hubcore.aio.run(together()), simulation.digest

    first = sim.run(main, seed=4)
    assert first == sim.run(main, seed=4)
    assert first[0][:5] == [b"got %d\n" % number for number in range(5)]
    assert first[0][5] == pytest.approx(EPOCH, abs=10)


def test_threads_that_are_no_daemons_are_joined_at_the_end_of_a_program():
    def program(done):
        threading.Thread(target=lambda: (time.sleep(5), done.append("thread"))).start()
        threading.Thread(target=lambda: (time.sleep(9), done.append("daemon")), daemon=True).start()

    def main(simulation):
        done = []
        host = simulation.host("a", program, done)
        simulation.eventually(lambda: not host.alive)
        time.sleep(10)
        return done

    assert sim.run(main) == ["thread"]


# -- what there is not

REFUSED = {
    "subprocess": (lambda: subprocess.run(["true"]), "another process"),
    "os.fork": (os.fork, "another process"),
    "os.system": (lambda: os.system("true"), "another process"),
    "os.execv": (lambda: os.execv("/bin/true", ["true"]), "replaces the process"),
    "alarm": (lambda: signal.alarm(5), "real time"),
    "setitimer": (lambda: signal.setitimer(signal.ITIMER_REAL, 5), "real time"),
    "a raw socket": (lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW), "TCP and UDP"),
    "netlink": (lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), "TCP and UDP"),
    "a native thread": (lambda: monkey.get_original("_thread", "start_new_thread")(print, ()), "patch"),
    "another signal": (lambda: os.kill(os.getpid(), signal.SIGTERM), "SIGKILL only"),
    "a native socket": (
        lambda: monkey.get_original("socket", "socket")().connect(("10.0.0.1", 80)),
        "real kernel",
    ),
}  # fmt: skip


def test_what_is_not_simulated_says_so_at_the_call():
    def main(simulation):
        told = {}
        for name, (call, _) in REFUSED.items():
            try:
                call()
            except sim.Unsimulated as error:
                told[name] = str(error)
        return told

    told = sim.run(main)
    assert told.keys() == REFUSED.keys()
    for name, (_, text) in REFUSED.items():
        assert text in told[name]


def test_kill_minus_nine_by_pid():
    def main(simulation):
        pids = []

        def program():
            pids.append(os.getpid())
            time.sleep(1000)

        host = simulation.host("a", program)
        os.kill(pids[0], 0)
        os.kill(pids[0], signal.SIGKILL)
        with pytest.raises(ProcessLookupError):
            os.kill(pids[0], 0)
        return host.alive

    assert sim.run(main) is False


def test_what_a_program_prints_comes_out_and_into_the_log(capsys):
    def main(simulation):
        print("by", "the test")
        simulation.host("a", print, "by a host")
        return [str(event) for event in simulation.log if event.kind == "print"]

    lines = sim.run(main)
    assert [line.split(maxsplit=2)[1:] for line in lines] == [["test", "print by the test"], ["a", "print by a host"]]
    assert capsys.readouterr().out == "by the test\nby a host\n"


# -- what crosses the pipe


class Odd(Exception):
    def __init__(self, first, *, second):
        super().__init__(f"{first} and {second}")
        self.second = second


def test_exceptions_with_other_arguments_and_some_that_cannot_be_pickled():
    def fail(simulation, how):
        if how == "odd":
            raise Odd(1, second=2)

        class Local(Exception):
            pass

        raise Local("of a function")

    with pytest.raises(Odd, match="1 and 2") as caught:
        sim.run(fail, "odd")
    assert caught.value.second == 2
    assert "in fail" in str(caught.value.__cause__)
    with pytest.raises(Exception, match=r"Local: of a function"):
        sim.run(fail, "local")
    with pytest.raises(TypeError, match=r"cannot be pickled: <function .*fork=False"):
        sim.run(lambda simulation: lambda: None)


def test_a_run_whose_process_dies_says_so():
    with pytest.raises(RuntimeError, match="status 7"):
        sim.run(lambda simulation: os._exit(7))
    with pytest.raises(RuntimeError, match="SIGABRT"):
        sim.run(lambda simulation: os.abort())
