"""grpcio, which waits in C and knows of no greenlets: in the hub's threadpool, beside greenlets that go on."""

import subprocess
import sys
from pathlib import Path

import grpc
import pytest

import hubcore
from hubcore.threadpool import ThreadPool

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture(scope="module")
def port():
    environment = {"GRPC_VERBOSITY": "NONE"}
    command = [sys.executable, str(Path(__file__).with_name("rpc_server.py"))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as server:
        yield int(server.stdout.readline())
        server.kill()


@pytest.fixture
def threads(hub):
    pool = ThreadPool(10)
    yield pool
    pool.kill()


def test_calls_in_the_threadpool_run_at_the_same_time(port, threads):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/play/Gate")
        jobs = [threads.spawn(call, b"8", timeout=30) for _ in range(8)]
        turns = 0
        while not all(job.ready() for job in jobs):
            hubcore.sleep(0.001)  # nobody is in the way of this greenlet
            turns += 1
        assert [int(job.get()) for job in jobs] == [8] * 8
        assert turns > 0
        with pytest.raises(grpc.RpcError) as caught:
            threads.apply(channel.unary_unary("/play/Nothing"), (b"",), {"timeout": 30})
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
