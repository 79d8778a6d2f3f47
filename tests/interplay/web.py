"""A web server for the tests: http.server's handler, on hubcore.server, with paths that show how many are at it."""

from __future__ import annotations

import http.server
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hubcore import socket
from hubcore.event import Event
from hubcore.server import StreamServer

BIG = bytes(range(256)) * 4096 * 4  # 4 MiB


class Gate:
    """Lets nobody through before `expected` have come, so that whoever gets through was not alone."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.inside = self.most = 0
        self.opened = Event()

    def __enter__(self) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside >= self.expected:
            self.opened.set()
        assert self.opened.wait(30), f"only {self.most} of {self.expected} came"

    def __exit__(self, *_: object) -> None:
        self.inside -= 1


class Site:
    """What the handlers share with the test."""

    def __init__(self, gate: Gate | None = None) -> None:
        self.gate = gate or Gate(1)
        self.connections = self.ended = 0
        self.seen: list[str] = []  # methods and paths, in the order in which they came
        self.failures = 0  # how many requests of /sometimes are still to be refused
        self.stalled = Event()  # somebody is at /stall
        self.go_on = Event()  # let them finish
        self.port = 0

    def url(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://localhost:{self.port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    """/gate waits for others, /big and /chunked are long, /stall hangs half-way, /reset fails, the rest is an echo."""

    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        self.site.seen.append(f"{self.command} {self.path}")
        what = self.path.partition("?")[0].strip("/").split("/")[0]
        answer = getattr(self, f"answer_{what}", None)
        if answer is not None:
            answer()
        else:
            self.answer_echo()

    do_POST = do_PUT = do_HEAD = do_GET

    def reply(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer_echo(self) -> None:
        body = self.body()
        said = {"method": self.command, "path": self.path, "size": len(body), "head": body[:40].decode("latin-1")}
        self.reply(json.dumps(said).encode())

    def answer_gate(self) -> None:
        with self.site.gate:
            self.reply(self.path.encode())

    def answer_big(self) -> None:
        self.reply(BIG)

    def answer_chunked(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (b"one,", b"two,", b"three"):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def answer_stall(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"half ")
        self.site.stalled.set()
        self.site.go_on.wait(30)
        self.wfile.write(b"whole")

    def answer_sometimes(self) -> None:
        self.site.failures -= 1
        self.reply(b"later" if self.site.failures >= 0 else b"now", 503 if self.site.failures >= 0 else 200)

    def answer_redirect(self) -> None:
        self.reply(b"", 302, Location="/echo")

    def answer_reset(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"not all")
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.shutdown(socket.SHUT_RD)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(site: Site, listener: Any = ("127.0.0.1", 0), **options: Any) -> Iterator[StreamServer]:
    """A server of `site`, a greenlet per connection; what still goes on at the end is killed."""
    handler = type("SiteHandler", (Handler,), {"site": site})

    def handle(sock: Any, address: Any) -> None:
        site.connections += 1
        try:
            handler(sock, address, None)
        except OSError:
            pass  # the client went away, which some tests are about
        site.ended += 1

    server = StreamServer(listener, handle, **options)
    server.start()
    site.port = server.server_port or 0
    try:
        yield server
    finally:
        server.stop(timeout=0)
