"""The servers under test: `python -m benchmarks.servers VARIANT [KIND [CERTIFICATE]]` prints its port and serves until
it is killed. Its KIND is

    echo     of TCP, or by TLS where there is a certificate
    large    the same for large messages: where the caller names a read size it is 64 KiB in place of 4
    udp      echo of datagrams
    accept   connections are accepted and closed

All of them are written as their documentation would: read what is there, send it back. TCP_NODELAY is on everywhere
(asyncio and uvloop set it themselves).
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import socket
import sys
from typing import Any

from benchmarks.contenders import GREENLETS, library, run_coroutine

READS = {"echo": 4096, "large": 65536}
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


def greenlet_server(lib: Any, kind: str, context: Any) -> None:
    read = READS.get(kind, 4096)

    def handle(connection: Any) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(connection, server_side=True) if context else connection as connection:
            while data := connection.recv(read):
                connection.sendall(data)

    listener = lib.socket.socket(type=socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    if kind != "udp":
        listener.listen(BACKLOG)
    announce(listener.getsockname()[1])
    if kind == "udp":
        while True:
            data, peer = listener.recvfrom(read)
            listener.sendto(data, peer)
    elif kind == "accept":
        while True:
            listener.accept()[0].close()
    while True:
        connection, _ = listener.accept()
        lib.spawn(handle, connection)


async def streams_server(kind: str, context: Any) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(READS[kind]):
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


class Closing(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        transport.close()


class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.transport.sendto(data, address)


async def protocol_server(kind: str, context: Any) -> None:
    loop = asyncio.get_running_loop()
    if kind == "udp":
        transport, _ = await loop.create_datagram_endpoint(Datagrams, ("127.0.0.1", 0))
        announce(transport.get_extra_info("sockname")[1])
        await loop.create_future()
    protocol = Closing if kind == "accept" else Echo
    server = await loop.create_server(protocol, "127.0.0.1", 0, backlog=BACKLOG, ssl=context)
    announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def main(variant: str, kind: str = "echo", certificate: str = "") -> None:
    signal.alarm(LIFETIME)
    if variant in GREENLETS:
        lib = library(variant, "socket", *(["ssl"] if certificate else []))
        greenlet_server(lib, kind, tls(lib.ssl, certificate) if certificate else None)
    else:
        serve = streams_server if variant.endswith("-streams") else protocol_server
        run_coroutine(variant, lambda: serve(kind, tls(importlib.import_module("ssl"), certificate)))


if __name__ == "__main__":
    main(*sys.argv[1:])
