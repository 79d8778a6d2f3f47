"""A server with a backdoor, a Python prompt into the running process: `python backdoor.py [PORT] [PATH]`.

Connect by `socat readline UNIX-CONNECT:PATH`, and look at `server` and `visits`. Only the same user can.
"""

import sys

from hubcore.backdoor import BackdoorServer
from hubcore.server import StreamServer

visits = []


def greet(sock, address):
    visits.append(address)
    sock.sendall(b"you are visitor %d\n" % len(visits))


def main(port="8007", path=None):
    server = StreamServer(("127.0.0.1", int(port)), greet)
    server.start()
    with BackdoorServer(path, locals={"server": server, "visits": visits}) as backdoor:
        print("listening on port", server.server_port, flush=True)
        print("backdoor at", backdoor.address, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
