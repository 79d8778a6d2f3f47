"""gevent-websocket: 8 sockets at once, each with several messages."""

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402
from common import Together, run, talk_by_websocket  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402
from geventwebsocket.handler import WebSocketHandler  # noqa: E402

inside = Together()


def application(environ, start_response):
    socket = environ["wsgi.websocket"]
    with inside:
        while (message := socket.receive()) is not None:
            gevent.sleep(0.05)
            socket.send(message.upper())
    return []


def main():
    talk_by_websocket(WSGIServer(("127.0.0.1", 0), application, log=None, handler_class=WebSocketHandler), inside)


run(main)
