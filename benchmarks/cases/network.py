"""Both ends in one process, as its tasks: large messages by TCP, datagrams, and connections accepted and closed.

What is compared there is the client as well: benchmarks/cases/echo.py has the servers alone.

The limit is the same system calls made by the standard library in one plain thread, in an order in which none waits.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from benchmarks.contenders import microseconds
from benchmarks.model import Case

LARGE = b"x" * 65536
DATAGRAM = b"x" * 100
PEERS = 10  # tasks that talk to the one server
LOCAL = ("127.0.0.1", 0)


def connection(library: Any) -> tuple[Any, Any]:
    """Both ends of a TCP connection of `library`'s sockets."""
    with library.socket.socket() as listener:
        listener.bind(LOCAL)
        listener.listen()
        left = library.socket.create_connection(listener.getsockname())
        right, _ = listener.accept()
    for end in (left, right):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return left, right


def large(lib: Any, rounds: int) -> None:
    def echo(end: Any) -> None:
        while data := end.recv(65536):
            end.sendall(data)

    left, right = connection(lib)
    with left, right:
        partner = lib.spawn(echo, right)
        for _ in range(rounds):
            left.sendall(LARGE)
            missing = len(LARGE)
            while missing:
                missing -= len(left.recv(65536))
        left.shutdown(socket.SHUT_WR)
        partner.join()


def plain_large(rounds: int) -> None:
    def carry(source: Any, sink: Any) -> None:
        sent = received = 0
        while received < len(LARGE):
            with suppress(BlockingIOError):
                sent += source.send(LARGE[sent:]) if sent < len(LARGE) else 0
            with suppress(BlockingIOError):
                received += len(sink.recv(65536))

    left, right = connection(SimpleNamespace(socket=socket))
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        for _ in range(rounds):
            carry(left, right)
            carry(right, left)


def datagrams(lib: Any, rounds: int) -> None:
    server = lib.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(LOCAL)
    address = server.getsockname()

    def serve() -> None:
        while True:
            data, peer = server.recvfrom(4096)
            server.sendto(data, peer)

    def ask() -> None:
        with lib.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for _ in range(rounds):
                client.sendto(DATAGRAM, address)
                client.recvfrom(4096)

    with server:
        serving = lib.spawn(serve)
        lib.joinall([lib.spawn(ask) for _ in range(PEERS)])
        serving.kill()


class Answer(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.transport.sendto(data, address)


class Ask(asyncio.DatagramProtocol):
    def __init__(self, address: Any, rounds: int, done: asyncio.Future[None]) -> None:
        self.address, self.rounds, self.done = address, rounds, done

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.sendto(DATAGRAM, self.address)

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.rounds -= 1
        if self.rounds:
            self.transport.sendto(DATAGRAM, self.address)
        else:
            self.done.set_result(None)


async def datagram_protocols(rounds: int) -> None:
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(Answer, LOCAL)
    address = server.get_extra_info("sockname")
    waiting, clients = [], []
    for _ in range(PEERS):
        done = loop.create_future()
        waiting.append(done)
        client, _ = await loop.create_datagram_endpoint(lambda done=done: Ask(address, rounds, done), LOCAL)
        clients.append(client)
    await asyncio.gather(*waiting)
    for transport in (server, *clients):
        transport.close()


def plain_datagrams(rounds: int) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.bind(LOCAL)
        address = server.getsockname()
        for _ in range(rounds * PEERS):
            client.sendto(DATAGRAM, address)
            data, peer = server.recvfrom(4096)
            server.sendto(data, peer)
            client.recvfrom(4096)


def connections(lib: Any, rounds: int) -> None:
    listener = lib.socket.socket()
    listener.bind(LOCAL)
    listener.listen(128)
    address = listener.getsockname()

    def serve() -> None:
        while True:
            listener.accept()[0].close()

    def connect() -> None:
        for _ in range(rounds):
            with lib.socket.socket() as client:
                client.connect(address)
                client.recv(1)  # the end

    with listener:
        serving = lib.spawn(serve)
        lib.joinall([lib.spawn(connect) for _ in range(PEERS)])
        serving.kill()


def plain_connections(rounds: int) -> None:
    with socket.create_server(LOCAL) as listener:
        address = listener.getsockname()
        for _ in range(rounds * PEERS):
            with socket.socket() as client:
                client.connect(address)
                listener.accept()[0].close()
                client.recv(1)


CASES = [
    Case(
        "echo-64k",
        "TCP echo of 64 KiB, both ends",
        "us",
        microseconds(large, raw=plain_large, submodules=["socket"]),
        note="limit: the standard library without waits",
    ),
    Case(
        "udp",
        f"UDP echo, {PEERS} clients, both ends",
        "us",
        microseconds(
            datagrams,
            datagram_protocols,
            plain_datagrams,
            style="protocol",
            per_round=PEERS,
            submodules=["socket"],
        ),
        note="limit: the standard library without waits",
    ),
    Case(
        "accept",
        f"connect, accept, close, {PEERS} clients, both ends",
        "us",
        microseconds(connections, raw=plain_connections, per_round=PEERS, submodules=["socket"]),
        note="limit: the standard library without waits",
    ),
]
