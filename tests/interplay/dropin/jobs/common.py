"""What every job shares: whom it runs on, whether things overlap, and how it ends."""

import os
import sys
import threading
import time
from contextlib import contextmanager

PATIENCE = 30.0  # seconds


def whom():
    """Fail unless `gevent` is hubcore on the backend that was asked for; with JOB_REAL unless it is not."""
    import gevent

    if os.environ.get("JOB_REAL"):
        assert "hubcore" not in sys.modules, "the real gevent was asked for"
        return
    import hubcore

    assert gevent.Greenlet is hubcore.Greenlet, gevent
    assert gevent.spawn is hubcore.spawn
    assert gevent.get_hub().loop.name == os.environ["HUB_BACKEND"], gevent.get_hub()


class Together:
    """Counts how many are inside at once."""

    def __init__(self):
        self.now = self.most = 0

    def __enter__(self):
        self.now += 1
        self.most = max(self.most, self.now)

    def __exit__(self, *failure):
        self.now -= 1


class Ticks:
    """A greenlet that counts while others wait; what blocks the thread stops it."""

    def __init__(self):
        import gevent

        self.count = 0
        self.greenlet = gevent.spawn(self._run)

    def _run(self):
        import gevent

        while True:
            gevent.sleep(0.01)
            self.count += 1

    def end(self, least):
        """Stop; fail if it has ticked less than `least` times."""
        self.greenlet.kill()
        assert self.count >= least, f"only {self.count} ticks: something blocked the thread"


@contextmanager
def limit(seconds=PATIENCE):
    """End the process, with a report, if the block takes longer: a job that hangs has failed."""
    import faulthandler

    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def run(main):
    """Run a job: its last line is OK."""
    with limit(2 * PATIENCE):
        whom()
        main()
        whom_after = sys.modules["gevent"]
        assert whom_after is __import__("gevent")
    print("OK", flush=True)


def web_application(environ, start_response):
    """A WSGI application that waits, says how many requests it has at once, and answers."""
    with _requests:
        time.sleep(0.3)
        body = f"{_requests.most} {threading.current_thread().name}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


_requests = Together()


def fetch(port, path="/", host="127.0.0.1"):
    """The body of a response, by http.client."""
    import http.client

    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, (response.status, body)
        return body.decode()
    finally:
        connection.close()


def fetch_at_once(port, count=10, path="/"):
    """Fetch so many times at once; fail unless the requests overlapped in the server."""
    import gevent

    jobs = [gevent.spawn(fetch, port, path) for _ in range(count)]
    gevent.joinall(jobs, timeout=PATIENCE, raise_error=True)
    most = max(int(job.value.split()[0]) for job in jobs)
    assert most >= count // 2, f"at most {most} requests at once"


def talk_by_websocket(server, inside, clients=8, turns=5):
    """Start `server`, which answers in capitals and counts by `inside`; fail unless all clients talk to it at once."""
    import gevent
    from websocket import create_connection

    server.start()

    def talk(number):
        client = create_connection(f"ws://127.0.0.1:{server.server_port}/", timeout=20)
        found = []
        for turn in range(turns):
            client.send(f"hello {number} {turn}")
            found.append(client.recv())
        client.close()
        return found

    jobs = [gevent.spawn(talk, number) for number in range(clients)]
    for number, job in enumerate(jobs):
        assert job.get(timeout=20) == [f"HELLO {number} {turn}" for turn in range(turns)]
    assert inside.most == clients
    server.stop(timeout=1)


def free_port():
    """A port of this host that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
