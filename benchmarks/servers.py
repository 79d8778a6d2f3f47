"""The echo servers under test: `python -m benchmarks.servers VARIANT [CERTIFICATE]` prints its port and serves until it
is killed; by TLS where it is given a certificate.

All of them are written as their documentation would: read what is there, send it back. TCP_NODELAY is on everywhere
(asyncio and uvloop set it themselves), and where the caller names a read size it is READ.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import socket
import sys
from typing import Any

from benchmarks.contenders import GREENLETS, library, run_coroutine

READ = 4096
BACKLOG = 4096
LIFETIME = 120  # a server that its parent forgot ends by SIGALRM


def announce(port: int) -> None:
    print(port, flush=True)


def tls(module: Any, certificate: str) -> Any:
    """A context of `module`, which is an ssl module; None without a certificate."""
    if not certificate:
        return None
    context = module.SSLContext(module.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def greenlet_server(lib: Any, context: Any) -> None:
    def handle(connection: Any) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(connection, server_side=True) if context else connection as connection:
            while data := connection.recv(READ):
                connection.sendall(data)

    listener = lib.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)
    announce(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        lib.spawn(handle, connection)


async def streams_server(context: Any) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(READ):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=BACKLOG, ssl=context)
    announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def protocol_server(context: Any) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=BACKLOG, ssl=context)
    announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def main(variant: str, certificate: str = "") -> None:
    signal.alarm(LIFETIME)
    if variant in GREENLETS:
        lib = library(variant, "socket", *(["ssl"] if certificate else []))
        greenlet_server(lib, tls(lib.ssl, certificate) if certificate else None)
    else:
        serve = streams_server if variant.endswith("-streams") else protocol_server
        run_coroutine(variant, lambda: serve(tls(importlib.import_module("ssl"), certificate)))


if __name__ == "__main__":
    main(*sys.argv[1:])
