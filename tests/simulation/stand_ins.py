"""Servers in a few lines each, as much of their protocols as a client library needs for a few calls."""

import datetime
import socketserver
import struct


class Redis(socketserver.StreamRequestHandler):
    """INCRBY, GET; everything else is OK."""

    values = {}

    def handle(self):
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2].decode())
            name = words[0].upper()
            if name == "INCRBY":
                self.values[words[1]] = self.values.get(words[1], 0) + int(words[2])
                self.wfile.write(b":%d\r\n" % self.values[words[1]])
            elif name == "GET":
                value = str(self.values.get(words[1], "")).encode()
                self.wfile.write(b"$%d\r\n%s\r\n" % (len(value), value))
            elif name == "HELLO":
                self.wfile.write(b"-ERR unknown command\r\n")
            else:
                self.wfile.write(b"+OK\r\n")


def text(data):
    """A string with its length before it, as MySQL has them."""
    return bytes([len(data)]) + data


class Mysql(socketserver.StreamRequestHandler):
    """UPDATE adds 1 to the only number there is, SELECT gives it; everything else is OK.

    Facts: the protocol is in MySQL's "Client/Server Protocol" manual: packets of a 3-byte length and a number, the
    handshake of version 10, OK and EOF packets, text result sets.
    """

    total = 0

    def send(self, *payloads):
        for payload in payloads:
            self.wfile.write(len(payload).to_bytes(3, "little") + bytes([self.number]) + payload)
            self.number = (self.number + 1) % 256

    def read(self):
        head = self.rfile.read(4)
        if len(head) < 4:
            return b""
        self.number = (head[3] + 1) % 256
        return self.rfile.read(int.from_bytes(head[:3], "little"))

    def handle(self):
        self.number = 0
        capabilities = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000  # protocol 4.1, secure connection, plug-in names
        self.send(
            b"\x0a8.0.0-stand-in\0" + struct.pack("<I", 1) + b"saltsalt\0"
            + struct.pack("<HBHH", capabilities & 0xFFFF, 45, 2, capabilities >> 16)
            + bytes([21]) + bytes(10) + b"saltsaltsalt\0" + b"mysql_native_password\0"
        )  # fmt: skip
        self.read()
        ok, end = b"\0\1\0\2\0\0\0", b"\xfe\0\0\2\0"
        self.send(ok)
        while (command := self.read()) and command[:1] != b"\x01":
            statement = command[1:].upper()
            if statement.startswith(b"SELECT"):
                column = text(b"def") + text(b"") * 3 + text(b"n") + text(b"") + b"\x0c"
                column += struct.pack("<HIBHBH", 63, 20, 8, 0, 0, 0)
                self.send(b"\1", column, end, text(b"%d" % Mysql.total), end)
            else:
                Mysql.total += statement.startswith(b"UPDATE")
                self.send(ok)


class Mongo(socketserver.StreamRequestHandler):
    """Keeps what is inserted, and finds all of it; everything else is OK.

    Facts: MongoDB's wire protocol: a header of four int32, OP_QUERY (2004) for the first hello and its OP_REPLY (1),
    then OP_MSG (2013) with one document, and perhaps a sequence of documents.
    """

    documents = []

    def handle(self):
        import bson

        while len(head := self.rfile.read(16)) == 16:
            size, number, _, code = struct.unpack("<iiii", head)
            body = self.rfile.read(size - 16)
            if code == 2004:
                answer = struct.pack("<iqii", 0, 0, 0, 1) + bson.encode(self.hello())
                code = 1
            else:
                end = 5 + int.from_bytes(body[5:9], "little")
                command = bson.decode(body[5:end])
                more = []
                if body[end : end + 1] == b"\1":
                    start = body.index(b"\0", end + 5) + 1
                    more = bson.decode_all(body[start : end + 1 + int.from_bytes(body[end + 1 : end + 5], "little")])
                answer = bytes(5) + bson.encode(self.answer(command, more))
            self.wfile.write(struct.pack("<iiii", 16 + len(answer), 0, number, code) + answer)

    def hello(self):
        now = datetime.datetime.now(datetime.UTC)
        return {
            "ismaster": True, "isWritablePrimary": True, "helloOk": True, "maxBsonObjectSize": 1 << 24,
            "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 1000, "localTime": now, "minWireVersion": 0,
            "maxWireVersion": 21, "readOnly": False, "ok": 1.0,
        }  # fmt: skip

    def answer(self, command, more):
        name = next(iter(command))
        if name in ("hello", "ismaster"):
            return self.hello()
        if name == "insert":
            added = command.get("documents", more)
            self.documents.extend(added)
            return {"n": len(added), "ok": 1.0}
        if name == "find":
            space = f"{command['$db']}.{command['find']}"
            return {"cursor": {"id": 0, "ns": space, "firstBatch": list(self.documents)}, "ok": 1.0}
        return {"ok": 1.0}


class Server(socketserver.ThreadingTCPServer):
    """May begin again at once, at the port of connections that are over."""

    allow_reuse_address = True


def serve(handler, port):
    """A program that serves with a thread for each connection."""
    Server(("", port), handler).serve_forever()
