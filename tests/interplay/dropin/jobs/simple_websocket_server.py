"""simple-websocket under pywsgi: 8 sockets at once, with pings."""

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402
from common import Together, run, talk_by_websocket  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402
from simple_websocket import ConnectionClosed, Server  # noqa: E402

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
    talk_by_websocket(WSGIServer(("127.0.0.1", 0), application, log=None), inside)


run(main)
