"""A connection without a network: a handler of hubcore.pywsgi that reads what it is given, piece by piece."""

import tomllib
from pathlib import Path

from hubcore.pywsgi import WSGIServer
from tests.http.support import Client, Stream

CORPUS = Path(__file__).parent.parent / "data" / "http"


def cases(name):
    """The cases of a file of the corpus, with their requests as bytes."""
    with (CORPUS / f"{name}.toml").open("rb") as file:
        found = tomllib.load(file)["case"]
    for case in found:
        text = case["request"]
        if "repeat" in case:
            unit, count = case["repeat"]
            text += unit * count + case["rest"]
        case["request"] = text.encode("latin-1")
        case["body"] = case.get("body", "").encode("latin-1")
    return found


class Pieces:
    """A socket that gives `pieces`, one at each read, and keeps what is sent."""

    def __init__(self, pieces):
        self.pieces = [piece for piece in pieces if piece]
        self.sent = b""
        self.closed = False

    def recv(self, size):
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]

    def sendall(self, data):
        self.sent += data

    def close(self):
        self.closed = True


class Seen:
    """An application that reads each body to its end, keeps what it got and answers it."""

    def __init__(self):
        self.requests = []
        self.failures = []

    def __call__(self, environ, start_response):
        try:
            body = environ["wsgi.input"].read()
        except OSError as error:
            self.failures.append(error)
            raise
        self.requests.append((environ, body))
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Path", environ["PATH_INFO"])])
        return [body]


def talk(app, *pieces, **settings):
    """Serve a connection on which `pieces` come, to its end: the responses, and the error log."""
    errors = Stream()
    server = WSGIServer(("127.0.0.1", 0), app, log=None, error_log=errors, **settings)
    server._rules.application = app
    sock = Pieces(pieces)
    server.handle(sock, ("192.0.2.1", 1234))
    assert sock.closed
    client = Answers(sock.sent)
    responses = []
    while client.buffer:
        responses.append(client.response())
    return responses, errors.text


class Answers(Client):
    """What a server has sent, to be taken apart."""

    def __init__(self, data):
        self.buffer = data

    def more(self):
        return False
