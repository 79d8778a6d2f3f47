"""A page with an upload form, a clock by server-sent events, and a chat by WebSocket.

    pip install 'hubcore[http]' simple-websocket
    hubcore serve app --app-dir examples/web

Each client costs a greenlet or two, so thousands may listen at the same time.
"""

import hashlib
import json
import threading
import time
from email.parser import BytesHeaderParser
from pathlib import Path
from queue import Queue

import simple_websocket

PAGE = Path(__file__).with_name("page.html").read_bytes()
chatters: set[Queue] = set()


def application(environ, start_response):
    """Route a request."""
    route = ROUTES.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
    if route is None:
        return answer(start_response, "404 Not Found", "text/plain", b"There is no such page.\n")
    return route(environ, start_response)


def answer(start_response, status, kind, body):
    start_response(status, [("Content-Type", kind)])
    return [body]


def page(environ, start_response):
    return answer(start_response, "200 OK", "text/html; charset=utf-8", PAGE)


def upload(environ, start_response):
    """Tell the name, size and digest of a file that was uploaded by a form; the file is read piece by piece."""
    body = environ["wsgi.input"]
    boundary = b"--" + environ["CONTENT_TYPE"].partition("boundary=")[2].strip('"').encode()
    if body.readline().strip() != boundary:
        return answer(start_response, "400 Bad Request", "text/plain", b"It takes multipart/form-data.\n")
    lines = []
    while (line := body.readline()).strip():
        lines.append(line)
    name = BytesHeaderParser().parsebytes(b"".join(lines)).get_param("filename", header="content-disposition")
    digest, size, held = hashlib.sha256(), 0, b""
    while True:
        # The line end before the boundary is not the file's, so one piece is held back.
        piece = held + body.read(65536)
        end = piece.find(b"\r\n" + boundary)
        keep = len(boundary) + 2
        done, held = (piece[:end], b"") if end >= 0 else (piece[:-keep], piece[-keep:])
        digest.update(done)
        size += len(done)
        if end >= 0:
            break
        if not done:
            return answer(start_response, "400 Bad Request", "text/plain", b"The form has no end.\n")
    found = {"name": name, "size": size, "sha256": digest.hexdigest()}
    return answer(start_response, "200 OK", "application/json", json.dumps(found).encode())


def clock(environ, start_response):
    """Tell the time again and again; the client's going away ends it."""
    start_response("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")])
    while True:
        yield f"data: {time.strftime('%H:%M:%S')}\n\n".encode()
        time.sleep(0.2)


def chat(environ, start_response):
    """Pass on what each client says to all of them."""
    socket = simple_websocket.Server.accept(environ)
    said = Queue()
    chatters.add(said)
    threading.Thread(target=speak, args=(socket, said), daemon=True).start()
    try:
        while True:
            text = socket.receive()
            for each in list(chatters):
                each.put(text)
    except simple_websocket.ConnectionClosed:
        return []
    finally:
        chatters.discard(said)
        said.put(None)


def speak(socket, said):
    """Send a client what was said, in order: a slow one holds up no other."""
    while (text := said.get()) is not None:
        try:
            socket.send(text)
        except simple_websocket.ConnectionClosed:
            return


ROUTES = {
    ("GET", "/"): page,
    ("POST", "/upload"): upload,
    ("GET", "/clock"): clock,
    ("GET", "/chat"): chat,
}
