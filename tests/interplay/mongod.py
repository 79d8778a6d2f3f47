"""A stand-in for a MongoDB server, which Debian does not have: enough of the wire protocol for pymongo to use its pool.

The protocol (OP_MSG): https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bson

from hubcore.event import Event
from hubcore.server import StreamServer

HEADER = struct.Struct("<iiii")
OP_MSG, OP_QUERY, OP_REPLY = 2013, 2004, 1
ANSWERS_LATER = 1 << 16  # exhaustAllowed


class Mongod:
    """Answers `hello`, `ping`, `wait` (once `go_on` is set) and `find` (one document with what was asked)."""

    def __init__(self) -> None:
        self.waiting = self.most = 0
        self.go_on = Event()
        self.port = 0
        self.connections = 0

    def handle(self, sock: Any, _: Any) -> None:
        self.connections += 1
        with sock.makefile("rb") as file:
            while len(head := file.read(16)) == 16:
                size, request, _, kind = HEADER.unpack(head)
                body = file.read(size - 16)
                if kind == OP_QUERY:  # the first hello of a connection
                    skip = 4 + body.index(b"\0", 4) - 4 + 1 + 8
                    answer = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(self.answer(bson.decode(body[skip:])))
                    reply = OP_REPLY
                else:
                    answer = struct.pack("<ib", 0, 0) + bson.encode(self.answer(bson.decode(body[5:])))
                    reply = OP_MSG
                sock.sendall(HEADER.pack(16 + len(answer), 1, request, reply) + answer)

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        name = next(iter(command))
        if name in ("hello", "ismaster", "isMaster"):
            return {"ok": 1.0, "isWritablePrimary": True, "ismaster": True, "helloOk": True, **LIMITS}
        if name == "wait":
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            self.go_on.wait(30)
            self.waiting -= 1
            return {"ok": 1.0, "number": command["wait"]}
        if name == "find":
            return {"ok": 1.0, "cursor": {"id": 0, "ns": "play.things", "firstBatch": [command["filter"]]}}
        return {"ok": 1.0}


LIMITS = {
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "maxBsonObjectSize": 16 << 20,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
}


@contextmanager
def mongod() -> Iterator[Mongod]:
    """A running one."""
    site = Mongod()
    server = StreamServer(("127.0.0.1", 0), site.handle)
    server.start()
    site.port = server.server_port or 0
    try:
        yield site
    finally:
        server.stop(timeout=0)
