"""An echo server: `python echo.py [PORT]`. SIGTERM and Ctrl-C let clients finish for ten seconds."""

import signal
import sys

from hubcore import signal_handler
from hubcore.server import StreamServer


def echo(sock, address):
    """Send back what one client sends, until it closes its end."""
    while data := sock.recv(65536):
        sock.sendall(data)


def main(port=8007):
    server = StreamServer(("127.0.0.1", port), echo, spawn=10_000)
    server.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal_handler(number, server.stop, 10)
    print("listening on port", server.server_port, flush=True)
    server.serve_forever()
    print("stopped")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
