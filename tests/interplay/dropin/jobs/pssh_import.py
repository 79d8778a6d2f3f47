"""parallel-ssh: imports, which sets Hub.NOT_ERROR, and three clients report a port that refuses."""

import gevent
from common import free_port, run
from gevent.hub import Hub
from pssh.clients import ParallelSSHClient


def main():
    assert issubclass(Exception, Hub.NOT_ERROR)
    client = ParallelSSHClient(
        ["127.0.0.1"] * 3, port=free_port(), num_retries=2, retry_delay=0.2, timeout=2, user="x", password="x"
    )
    output = client.run_command("true", stop_on_errors=False)
    assert len(output) == 3
    assert all(isinstance(each.exception, ConnectionRefusedError) for each in output)
    failing = gevent.spawn(lambda: 1 / 0)
    failing.join()
    assert isinstance(failing.exception, ZeroDivisionError)


run(main)
