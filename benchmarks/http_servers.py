"""The HTTP servers under test: `python -m benchmarks.http_servers VARIANT PORT` serves until it is killed.

All run the same three answers: 12 bytes at /, 10 KiB at /ten, what was sent at /echo; in one process, without logs.
uvicorn has them as an ASGI application, which is its own way, the others by WSGI.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from benchmarks.contenders import GREENLETS, library

HELLO = b"hello world\n"
TEN = b"x" * 10240
LIFETIME = 120  # a server that its parent forgot ends by SIGALRM
_APP = "benchmarks.http_servers"


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The answers, by WSGI."""
    path = environ["PATH_INFO"]
    body = HELLO if path == "/" else TEN
    if path == "/echo":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The answers, by ASGI."""
    if scope["type"] != "http":
        return
    path = scope["path"]
    body = HELLO if path == "/" else TEN
    if path == "/echo":
        parts, more = [], True
        while more:
            event = await receive()
            parts.append(event.get("body", b""))
            more = event.get("more_body", False)
        body = b"".join(parts)
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main(variant: str, port: int) -> None:
    """Serve as `variant`."""
    if variant in GREENLETS:
        signal.alarm(LIFETIME)
        lib = library(variant, "pywsgi")
        lib.pywsgi.WSGIServer(("127.0.0.1", port), application, log=None).serve_forever()
    elif variant == "bjoern":
        import bjoern

        signal.alarm(LIFETIME)
        bjoern.run(application, "127.0.0.1", port)
    else:
        command = command_of(variant, port)
        signal.alarm(LIFETIME)
        os.execv(command[0], command)


def command_of(variant: str, port: int) -> list[str]:
    """The command line of a server that is a program."""
    python = [sys.executable, "-m"]
    if variant == "uvicorn":
        return [*python, "uvicorn", "--port", str(port), "--no-access-log", "--log-level", "error", f"{_APP}:asgi"]
    if variant == "granian":
        options = ["--interface", "wsgi", "--no-ws", "--http", "1", "--port", str(port), "--log-level", "error"]
        return [*python, "granian", *options, f"{_APP}:application"]
    worker = {"gunicorn-hubcore": "hubcore.gunicorn.Worker", "gunicorn-gevent": "gevent", "gunicorn-sync": "sync"}[
        variant
    ]
    options = ["-k", worker, "--bind", f"127.0.0.1:{port}", "--log-level", "error", "--keep-alive", "75"]
    return [*python, "gunicorn", *options, "--no-control-socket", f"{_APP}:application"]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
