"""A chat server: `python chat.py [PORT]`. A line goes to all other clients; a client that does not read is dropped."""

import sys
from queue import Full

import hubcore
from hubcore.queue import Queue
from hubcore.server import StreamServer

clients = {}


def write(sock, lines):
    """Send a client its lines, in a greenlet of its own, so that a slow client holds up no other."""
    for line in lines:
        sock.sendall(line)


def tell_others(sender, line):
    for sock, lines in list(clients.items()):
        if sock is not sender:
            try:
                lines.put_nowait(line)
            except Full:
                sock.shutdown(2)  # its reader gets the end of the input


def chat(sock, address):
    lines = clients[sock] = Queue(100)
    writer = hubcore.spawn(write, sock, lines)
    try:
        for line in sock.makefile("rb"):
            tell_others(sock, b"%d: %s" % (address[1], line))
    finally:
        del clients[sock]
        writer.kill()


def main(port=8007):
    server = StreamServer(("127.0.0.1", port), chat)
    server.start()
    print("listening on port", server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
