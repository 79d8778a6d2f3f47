"""Two tasks that send a message back and forth through a socketpair. A round is there and back.

asyncio and uvloop take part with Protocols, the fastest form they have. (Messages this small pass a socketpair whole.)
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from typing import Any

from benchmarks import native
from benchmarks.contenders import LIMIT, microseconds
from benchmarks.model import Case, Sample, Settings

READ = 4096


def greenlets(lib: Any, rounds: int, message: bytes) -> None:
    def pong(end: Any) -> None:
        while data := end.recv(READ):
            end.sendall(data)

    left, right = lib.socket.socketpair()
    with left, right:
        partner = lib.spawn(pong, right)
        for _ in range(rounds):
            left.sendall(message)
            left.recv(READ)
        left.shutdown(socket.SHUT_WR)
        partner.join()


class Ping(asyncio.Protocol):
    def __init__(self, message: bytes, rounds: int, done: asyncio.Future[None]) -> None:
        self.message, self.rounds, self.done = message, rounds, done

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.message)

    def data_received(self, data: bytes) -> None:
        self.rounds -= 1
        if self.rounds:
            self.transport.write(self.message)
        else:
            self.done.set_result(None)


class Pong(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def coroutines(rounds: int, message: bytes) -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    left, right = socket.socketpair()
    echo, _ = await loop.create_unix_connection(Pong, sock=right)
    start, _ = await loop.create_unix_connection(lambda: Ping(message, rounds, done), sock=left)
    await done
    start.close()
    echo.close()


def _case(size: int) -> Case:
    message = b"x" * size

    def limit(variant: str, settings: Settings) -> Sample:
        command = [native.program("pingpong"), str(size), str(settings.seconds)]
        done = subprocess.run(command, check=True, capture_output=True, timeout=settings.seconds + 30)
        return Sample(json.loads(done.stdout)["microseconds"])

    variants = microseconds(
        lambda lib, rounds: greenlets(lib, rounds, message),
        lambda rounds: coroutines(rounds, message),
        style="protocol",
        submodules=["socket"],
    )
    title = f"socketpair ping-pong, {size} byte{'s' if size > 1 else ''}"
    return Case(f"pingpong-{size}", title, "us", {**variants, LIMIT: limit}, note="limit: C on libev")


CASES = [_case(1), _case(100)]
