"""Two ends of a TLS connection within one test, and peers in threads of their own."""

from __future__ import annotations

import re
import socket as plain_socket
import ssl as stdlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hubcore
from hubcore import socket, spawn, ssl
from tests.support.certificates import client_context, server_context


def handshake(server: Any, client: Any, sockets: Any = None, **client_options: Any) -> tuple[Any, Any]:
    """(server's, client's) socket after the handshake of two contexts, over a new pair of sockets or those given."""
    first, second = sockets or socket.socketpair()
    client_options.setdefault("server_hostname", "localhost")
    jobs = [
        spawn(server.wrap_socket, first, server_side=True),
        spawn(client.wrap_socket, second, **client_options),
    ]
    hubcore.joinall(jobs, raise_error=True)
    return jobs[0].get(), jobs[1].get()


def pair(version: Any = None, **client_options: Any) -> tuple[Any, Any]:
    """As `handshake`, of contexts of ours."""
    server, client = server_context(ssl, version=version), client_context(ssl, version=version)
    return handshake(server, client, **client_options)


def connected() -> tuple[plain_socket.socket, plain_socket.socket]:
    """Two ends of a TCP connection, of the standard library's sockets."""
    with plain_socket.create_server(("127.0.0.1", 0)) as listener:
        client = plain_socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    return server, client


@contextmanager
def in_thread(function: Callable[..., object], *args: object) -> Iterator[None]:
    """`function(*args)`, which blocks, beside the body; what it raises is raised at the end."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            function(*args)
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if failures:
        raise failures[0]


def outcome(call: Callable[..., Any], *args: Any) -> Any:
    """What the call returned, or the exception's class, first argument and text without what says whose it is."""
    try:
        return "returned", call(*args)
    except Exception as error:
        text = re.sub(r"^_ssl\.c:\d+: | \(_ssl\.c:\d+\)$", "", str(error))
        text = re.sub(r"<(class ')?(hubcore\.ssl|ssl)\.SSLSocket[^>]*>", "<SSLSocket>", text)
        return type(error), error.args[0] if isinstance(error, stdlib.SSLError) else None, text
