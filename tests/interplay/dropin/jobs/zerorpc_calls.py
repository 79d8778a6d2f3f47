"""zerorpc: 10 calls at once, a stream, a remote error."""

import logging

import gevent
import zerorpc
from common import Together, free_port, run

logging.getLogger("zerorpc").setLevel(logging.CRITICAL + 1)  # it logs the error that it sends

inside = Together()


class Service:
    def add(self, a, b):
        with inside:
            gevent.sleep(0.3)
            return a + b

    def fail(self):
        raise ValueError("mine")

    @zerorpc.stream
    def count(self, n):
        yield from range(n)


def main():
    server = zerorpc.Server(Service(), pool_size=20)
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    server.bind(endpoint)
    serving = gevent.spawn(server.run)
    client = zerorpc.Client(timeout=20)
    client.connect(endpoint)
    jobs = [gevent.spawn(client.add, number, 1) for number in range(10)]
    assert [job.get(timeout=20) for job in jobs] == list(range(1, 11))
    assert inside.most == 10
    assert list(client.count(50)) == list(range(50))
    try:
        client.fail()
        raise AssertionError("it failed")
    except zerorpc.RemoteError as error:
        if error.msg != "mine":
            raise
    client.close()
    server.stop()
    serving.get(timeout=10)


run(main)
