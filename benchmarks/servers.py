"""The echo servers under test: `python -m benchmarks.servers VARIANT` prints its port and serves until it is killed.

All of them are written as their documentation would: read what is there, send it back. TCP_NODELAY is on everywhere
(asyncio and uvloop set it themselves), and where the caller names a read size it is READ.
"""

from __future__ import annotations

import asyncio
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


def greenlet_server(lib: Any) -> None:
    def handle(connection: Any) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := connection.recv(READ):
                connection.sendall(data)

    listener = lib.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)
    announce(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        lib.spawn(handle, connection)


async def streams_server() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(READ):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=BACKLOG)
    announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def protocol_server() -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=BACKLOG)
    announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def main(variant: str) -> None:
    signal.alarm(LIFETIME)
    if variant in GREENLETS:
        greenlet_server(library(variant, "socket"))
    else:
        run_coroutine(variant, streams_server if variant.endswith("-streams") else protocol_server)


if __name__ == "__main__":
    main(sys.argv[1])
