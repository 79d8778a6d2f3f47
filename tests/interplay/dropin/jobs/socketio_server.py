"""python-socketio and engineio: a server under pywsgi, clients by polling and by WebSocket, 4 calls at once."""

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402
import socketio  # noqa: E402
from common import Together, run  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402
from geventwebsocket.handler import WebSocketHandler  # noqa: E402

inside = Together()


def main():
    server = socketio.Server(async_mode="gevent")

    @server.event
    def add(sid, a, b):
        with inside:
            server.sleep(0.3)
            return a + b

    told = []

    @server.event
    def begin(sid):
        def background():
            server.sleep(0.05)
            server.emit("told", {"to": sid}, to=sid)

        server.start_background_task(background)

    web = WSGIServer(("127.0.0.1", 0), socketio.WSGIApp(server), log=None, handler_class=WebSocketHandler)
    web.start()
    for transport in ("polling", "websocket"):
        inside.most = 0
        clients = []
        for _ in range(4):
            client = socketio.Client(reconnection=False)
            client.on("told", told.append)
            client.connect(f"http://127.0.0.1:{web.server_port}", transports=[transport])
            clients.append(client)
        jobs = [gevent.spawn(each.call, "add", (number, 1), timeout=20) for number, each in enumerate(clients)]
        assert [job.get(timeout=20) for job in jobs] == [1, 2, 3, 4]
        assert inside.most == 4, inside.most
        told.clear()
        clients[0].call("begin", timeout=20)
        with gevent.Timeout(10):
            while not told:
                gevent.sleep(0.01)
        for each in clients:
            each.disconnect()
    web.stop(timeout=1)


run(main)
