"""simple-websocket under pywsgi: 8 sockets at once, with pings."""

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402
from common import Together, run  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402
from simple_websocket import ConnectionClosed, Server  # noqa: E402
from websocket import create_connection  # noqa: E402

inside = Together()


def application(environ, start_response):
    socket = Server(environ, ping_interval=5)
    with inside:
        try:
            while True:
                message = socket.receive()
                gevent.sleep(0.05)
                socket.send(message.upper())
        except ConnectionClosed:
            pass
    return []


def main():
    server = WSGIServer(("127.0.0.1", 0), application, log=None)
    server.start()

    def talk(number):
        client = create_connection(f"ws://127.0.0.1:{server.server_port}/", timeout=20)
        found = []
        for turn in range(5):
            client.send(f"hello {number} {turn}")
            found.append(client.recv())
        client.close()
        return found

    jobs = [gevent.spawn(talk, number) for number in range(8)]
    for number, job in enumerate(jobs):
        assert job.get(timeout=20) == [f"HELLO {number} {turn}" for turn in range(5)]
    assert inside.most == 8
    server.stop(timeout=1)


run(main)
