"""Flask-SocketIO: socketio.run with async_mode gevent, 4 calls at once by polling and by WebSocket."""

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402
import socketio as client_library  # noqa: E402
from common import Together, fetch, free_port, run  # noqa: E402
from flask import Flask  # noqa: E402
from flask_socketio import SocketIO  # noqa: E402

inside = Together()
app = Flask("job")
socketio = SocketIO(app, async_mode="gevent")


@app.route("/")
def index():
    return "hello"


@socketio.on("add")
def add(a, b):
    with inside:
        socketio.sleep(0.3)
        return a + b


def main():
    port = free_port()
    serving = gevent.spawn(socketio.run, app, host="127.0.0.1", port=port)
    gevent.sleep(0.5)
    assert fetch(port) == "hello"
    for transport in ("polling", "websocket"):
        inside.most = 0
        clients = [client_library.Client(reconnection=False) for _ in range(4)]
        for each in clients:
            each.connect(f"http://127.0.0.1:{port}", transports=[transport])
        jobs = [gevent.spawn(each.call, "add", (number, 1), timeout=20) for number, each in enumerate(clients)]
        assert [job.get(timeout=20) for job in jobs] == [1, 2, 3, 4]
        assert inside.most == 4, inside.most
        for each in clients:
            each.disconnect()
    serving.kill()


run(main)
