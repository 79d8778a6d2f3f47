"""Servers and raw clients for the tests of hubcore.pywsgi."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from wsgiref.validate import validator

from hubcore import socket
from hubcore.pywsgi import WSGIServer

LOCAL = ("127.0.0.1", 0)
EOF = b""


class Stream:
    """A log that keeps what is written."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def writelines(self, lines):
        self.text += "".join(lines)

    def flush(self):
        pass

    @property
    def lines(self):
        return self.text.splitlines()


@dataclass
class Response:
    """A response as it came: `framing` says what ended its body."""

    status: int
    reason: str
    headers: list = field(default_factory=list)
    body: bytes = b""
    framing: str = "none"

    def __getitem__(self, name):
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) == 1, (name, self.headers)
        return found[0]

    def __contains__(self, name):
        return any(key.lower() == name.lower() for key, _ in self.headers)


class Client:
    """A connection to a server, byte by byte."""

    def __init__(self, server_or_sock, timeout=1000.0):
        if hasattr(server_or_sock, "recv"):
            self.sock = server_or_sock
        else:
            self.sock = socket.create_connection(("127.0.0.1", server_or_sock.server_port))
            # The kernel's wait for an acknowledgement is in real time, which virtual time does not wait for.
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(timeout)
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data)
        return self

    def end(self):
        """Send no more."""
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def more(self):
        """Read once; False at the end."""
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def rest(self):
        """What comes until the server ends the connection."""
        while self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def ended(self):
        """Whether the server has ended the connection, with nothing more to read."""
        return self.rest() == EOF

    def take(self, size):
        while len(self.buffer) < size:
            assert self.more(), f"the connection ended after {self.buffer!r}"
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def line(self):
        while b"\r\n" not in self.buffer:
            assert self.more(), f"the connection ended after {self.buffer!r}"
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def head(self):
        """The next response, without its body."""
        version, code, reason = self.line().decode("latin-1").split(" ", 2)
        assert version == "HTTP/1.1"
        response = Response(int(code), reason)
        while line := self.line():
            name, colon, value = line.decode("latin-1").partition(": ")
            assert colon, line
            response.headers.append((name, value))
        return response

    def chunk(self):
        """The next chunk of a body; b"" at its end."""
        size = int(self.line(), 16)
        data = self.take(size)
        assert self.line() == b""
        return data

    def response(self, method="GET"):
        """The next response, with its body as the framing says."""
        response = self.head()
        assert not ("Content-Length" in response and "Transfer-Encoding" in response)
        if method == "HEAD" or response.status < 200 or response.status in (204, 304):
            return response
        if "Transfer-Encoding" in response:
            assert response["Transfer-Encoding"] == "chunked"
            response.framing = "chunked"
            while data := self.chunk():
                response.body += data
        elif "Content-Length" in response:
            response.framing = "length"
            response.body = self.take(int(response["Content-Length"]))
        else:
            response.framing = "end"
            response.body = self.rest()
        return response

    def ask(self, request, method=None):
        """Send a request; its response."""
        self.send(request)
        return self.response(method or request.split(b" ", 1)[0].decode())


def get(path="/", *fields, method="GET", version="1.1", host="test"):
    """A request without a body."""
    lines = [f"{method} {path} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    return "\r\n".join([*lines, *fields, "", ""]).encode("latin-1")


def post(body, *fields, path="/", method="POST"):
    """A request with a body of known length."""
    return get(path, f"Content-Length: {len(body)}", *fields, method=method) + body


def chunked(*parts, fields=(), path="/", end=b"0\r\n\r\n"):
    """A request with a body in chunks."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return get(path, "Transfer-Encoding: chunked", *fields, method="POST") + body + end


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def echo(environ, start_response):
    """The body, and the path in a field."""
    body = environ["wsgi.input"].read(-1) if False else read_all(environ["wsgi.input"])
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("X-Path", environ["PATH_INFO"])])
    return [body]


def read_all(body):
    parts = []
    while part := body.read(65536):
        parts.append(part)
    return b"".join(parts)


@contextmanager
def serving(app=hello, *, validate=True, expect_errors=False, listener=LOCAL, **settings):
    """A running server of `app`, which wsgiref's validator watches; fails if anything is in its error log."""
    errors = settings.setdefault("error_log", Stream())
    settings.setdefault("log", None)
    server = WSGIServer(listener, validator(app) if validate else app, **settings)
    server.start()
    try:
        yield server
    finally:
        server.idle_grace = server._rules.idle_grace = 0.0
        server.stop(settings.get("graceful_timeout", 5))
    if not expect_errors:
        assert errors.text == ""
