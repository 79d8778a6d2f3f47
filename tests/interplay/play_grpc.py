"""grpcio, whose core waits in C: calls of all kinds in greenlets, to a server elsewhere and to one in this process."""

import queue
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

import hubcore
from hubcore.threadpool import ThreadPool
from tests.interplay.rpc_server import Handlers

pytestmark = pytest.mark.usefixtures("hub")
LIMIT = 30  # seconds that a call may take


@pytest.fixture(scope="module", autouse=True)  # its pipes are not left behind by the first test that asks
def elsewhere():
    environment = {"GRPC_VERBOSITY": "NONE"}
    command = [sys.executable, str(Path(__file__).with_name("rpc_server.py"))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as server:
        yield int(server.stdout.readline())
        server.kill()


@pytest.fixture(autouse=True)
def threads_end(hub):
    """Waits for gRPC's threads, which go on for a moment after what they serve is closed."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if type(thread) is threading.Thread:  # others only stand for a worker's
            thread.join(LIMIT)


@pytest.fixture
def here(threads_end):
    """The port of a server whose handlers are greenlets of this process."""
    with ThreadPoolExecutor(20) as pool:
        server = grpc.server(pool, handlers=[Handlers()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield port
        server.stop(0).wait()
        server.wait_for_termination(LIMIT)


@pytest.fixture(params=["elsewhere", "here"])
def channel(request, threads_end):
    port = request.getfixturevalue(request.param)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


def all_of(jobs):
    return [job.get(timeout=LIMIT) for job in jobs]


def test_calls_at_the_same_time(channel):
    call = channel.unary_unary("/play/Gate")
    jobs = [hubcore.spawn(call, b"8", timeout=LIMIT) for _ in range(8)]
    assert all_of(jobs) == [b"8"] * 8


def test_answers_that_are_streams(channel):
    count = channel.unary_stream("/play/Count")
    jobs = [hubcore.spawn(lambda: [int(one) for one in count(b"100", timeout=LIMIT)]) for _ in range(5)]
    assert all_of(jobs) == [list(range(100))] * 5


def test_requests_that_are_streams(channel):
    total = channel.stream_unary("/play/Total")
    greenlets = set()

    def numbers():
        greenlets.add(hubcore.getcurrent())  # the program's own code does not leave its thread
        assert hubcore.get_hub() is hub
        for number in range(20):
            hubcore.sleep(0)
            yield b"%d" % number

    hub = hubcore.get_hub()
    assert all_of([hubcore.spawn(total, numbers(), timeout=LIMIT) for _ in range(5)]) == [b"190"] * 5
    assert len(greenlets) == 5
    answer, call = total.with_call(numbers(), timeout=LIMIT)
    assert (answer, call.code()) == (b"190", grpc.StatusCode.OK)


def test_conversations(channel):
    def talk(name):
        said = queue.Queue()
        answers = channel.stream_stream("/play/Echo")(iter(said.get, None), timeout=LIMIT)
        heard = []
        for number in range(10):
            said.put(b"%s%d" % (name, number))
            heard.append(next(answers))
        said.put(None)
        assert list(answers) == []
        return heard

    jobs = [hubcore.spawn(talk, name) for name in (b"a", b"b", b"c")]
    assert all_of(jobs) == [[b"%s%d" % (name, number) for number in range(10)] for name in (b"a", b"b", b"c")]


def test_failures_are_grpcs_own(channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/play/Nothing")(b"", timeout=LIMIT)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert type(caught.value) is grpc._channel._InactiveRpcError
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/play/Never")(b"", timeout=0.01)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    done = threading.Event()
    future = channel.unary_unary("/play/Gate").future(b"1", timeout=LIMIT)
    future.add_done_callback(lambda _: done.set())
    assert future.result() == b"1"
    assert done.wait(LIMIT)


def test_a_channel_says_when_it_is_ready(here):
    with grpc.insecure_channel(f"127.0.0.1:{here}") as channel:
        grpc.channel_ready_future(channel).result(timeout=LIMIT)


def test_a_call_that_is_killed_is_cancelled(here):
    with grpc.insecure_channel(f"127.0.0.1:{here}") as channel:
        begun, ended = Handlers.begun, Handlers.ended
        begun.clear()
        ended.clear()
        job = hubcore.spawn(channel.unary_unary("/play/Never"), b"", timeout=LIMIT)
        assert begun.wait(LIMIT)
        job.kill()
        assert ended.wait(LIMIT)  # the server hears of it


def test_a_call_that_is_killed_while_it_begins_is_cancelled(here):
    with grpc.insecure_channel(f"127.0.0.1:{here}") as channel:
        Handlers.begun.clear()
        Handlers.ended.clear()
        job = hubcore.spawn(channel.unary_unary("/play/Never"), b"", timeout=LIMIT)
        hubcore.sleep(0)
        hubcore.sleep(0)  # gRPC's thread of this channel has been started, and the call waits for it to begin
        job.kill()
        assert channel.unary_unary("/play/Gate")(b"1", timeout=LIMIT) == b"1"
        assert not Handlers.begun.is_set() or Handlers.ended.wait(LIMIT / 2)  # before the deadline ends it


def test_calls_in_native_threads(elsewhere):
    pool = ThreadPool(8)
    with grpc.insecure_channel(f"127.0.0.1:{elsewhere}") as channel:
        call = channel.unary_unary("/play/Gate")
        jobs = [pool.spawn(call, b"8", timeout=LIMIT) for _ in range(8)]
        assert all_of(jobs) == [b"8"] * 8
    pool.kill()
