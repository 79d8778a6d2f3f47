"""Programs that are drawn from a number: hosts with servers, clients that call them, faults. A run returns its answers.

What a program does is drawn before it runs, from its number alone; everything else is the simulation's. The calls are
the standard library's, so the programs run in processes that the simulation has patched.
"""

import concurrent.futures
import hashlib
import http.client
import http.server
import os
import queue
import random
import select
import socket
import socketserver
import threading
import time
import uuid

from hubcore.server import StreamServer

TCP, UDP, HTTP = 7, 9, 80
KINDS = ("partition", "kill", "crash", "pause", "reset", "clock", "slow", "disk")


class Http(http.server.BaseHTTPRequestHandler):
    """Answers with the path, after a drawn time."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(random.random() / 10)
        body = self.path.encode() * random.randint(1, 50)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes."""

    def handle(self):
        try:
            while data := self.request.recv(1000):
                self.request.sendall(data)
        except OSError:
            pass


def by_threads():
    """Echo, a thread for each connection."""
    socketserver.ThreadingTCPServer(("", TCP), Echo).serve_forever()


def by_greenlets():
    """Echo, on hubcore's own server."""

    def handle(connection, address):
        try:
            while data := connection.recv(1000):
                connection.sendall(data)
        except OSError:
            pass

    StreamServer(("", TCP), handle).serve_forever()


def by_poll():
    """Echo, of one thread that waits with select.poll."""
    poller = select.poll()
    with socket.create_server(("", TCP)) as listener:
        open_ones = {}
        poller.register(listener, select.POLLIN)
        while True:
            for number, _ in poller.poll():
                if number == listener.fileno():
                    connection, _ = listener.accept()
                    open_ones[connection.fileno()] = connection
                    poller.register(connection, select.POLLIN)
                    continue
                connection = open_ones[number]
                try:
                    data = connection.recv(1000)
                    connection.sendall(data)
                except OSError:
                    data = b""
                if not data:
                    poller.unregister(number)
                    open_ones.pop(number).close()


SERVERS = {"threads": by_threads, "greenlets": by_greenlets, "poll": by_poll}


def serve(simulation, name, kind, with_http, with_disk):
    """A host's program: its TCP server, beside it UDP, HTTP, and a file that is written again and again."""

    def datagrams():
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("", UDP))
            while True:
                try:
                    data, sender = sock.recvfrom(2000)
                    sock.sendto(data[::-1], sender)
                except OSError:
                    pass

    def write():
        path = os.path.join(simulation.hosts[name].path, "log")
        while True:
            try:
                with open(path, "ab") as file:
                    file.write(os.urandom(8))
                    file.flush()
                    os.fsync(file.fileno())
            except OSError:
                pass
            time.sleep(random.uniform(0.1, 2))

    threading.Thread(target=datagrams, daemon=True).start()
    if with_http:
        server = http.server.ThreadingHTTPServer(("", HTTP), Http)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    if with_disk:
        threading.Thread(target=write, daemon=True).start()
    SERVERS[kind]()


# What clients do. Each takes the name of a host and a size, and returns what it was told.


def call_tcp(host, size):
    with socket.create_connection((host, TCP), timeout=2) as connection:
        data = random.randbytes(size)
        sender = threading.Thread(target=send_all, args=(connection, data))
        sender.start()
        found = b""
        while len(found) < size and (more := connection.recv(4096)):
            found += more
        sender.join()
        assert data.startswith(found), "TCP has changed the bytes"
        return len(found)


def send_all(connection, data):
    try:
        connection.sendall(data)
    except OSError:
        pass


def call_udp(host, size):
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        sock.connect((host, UDP))
        count = 0
        for number in range(3):
            sock.send(b"%d" % number * size)
            try:
                sock.recv(65536)
                count += 1
            except TimeoutError:
                pass
        return count


def call_http(host, size):
    connection = http.client.HTTPConnection(host, HTTP, timeout=3)
    try:
        connection.request("GET", f"/{uuid.uuid4()}")
        return len(connection.getresponse().read())
    finally:
        connection.close()


def race(host, size):
    total, order = 0, []

    def add(number):
        nonlocal total
        value = total
        time.sleep(random.random() / 100 if size % 2 else 0)
        total = value + 1
        order.append(number)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total, order


def hand_over(host, size):
    items, found = queue.Queue(2), []

    def take():
        while (item := items.get()) is not None:
            found.append(item)
            time.sleep(random.random() / 50)

    takers = [threading.Thread(target=take) for _ in range(3)]
    for thread in takers:
        thread.start()
    for number in range(size % 10 + 3):
        items.put(number)
    for _ in takers:
        items.put(None)
    for thread in takers:
        thread.join()
    return found


def pooled(host, size):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(call_tcp, host, size % 100 + number) for number in range(4)]
    return [future.exception() is None and future.result() for future in calls]


def of_a_set(host, size):
    """An order that depends on hashes of strings. One that depends on addresses would not replay: see Limits."""
    return list({str(number) for number in range(size % 50)})


def asked_of_the_world(host, size):
    return time.time(), time.monotonic(), random.random(), os.urandom(4), os.getpid(), socket.gethostname()


CALLS = (call_tcp, call_tcp, call_udp, call_http, race, hand_over, pooled, of_a_set, asked_of_the_world)


def program(simulation, number):
    """The program of that number; returns a digest of all that its clients were told."""
    rng = random.Random(f"program {number}")
    names = [f"s{i}" for i in range(rng.randint(1, 3))]
    told = hashlib.sha256()

    def client(name, plan):
        for pause, call, host, size in plan:
            time.sleep(pause)
            try:
                answer = call(host, size)
            except (OSError, http.client.HTTPException) as error:
                answer = f"{type(error).__name__} {error}"
            told.update(f"{simulation.now:.9f} {name} {call.__name__} {answer}\n".encode())

    for name in names:
        arguments = name, rng.choice([*SERVERS]), rng.random() < 0.5, rng.random() < 0.3
        simulation.host(name, serve, simulation, *arguments)
    clients = []
    for i in range(rng.randint(1, 3)):
        plan = [
            (rng.uniform(0, 1), rng.choice(CALLS), rng.choice(names), 10 ** rng.randint(0, 4))
            for _ in range(rng.randint(2, 6))
        ]
        clients.append(simulation.host(f"c{i}", client, f"c{i}", plan))
    for name in names:
        if rng.random() < 0.4:
            simulation.link("c0", name, loss=rng.choice([0, 0.05, 0.3]), duplicate=0.1, reorder=0.1)
    kinds = rng.sample(KINDS, rng.randint(1, 4)) if rng.random() < 0.8 else []
    if kinds:
        simulation.faults(*kinds, every=(0.2, 2), lasting=(0.1, 2), until=10, hosts=names)
    simulation.eventually(lambda: not any(host.alive for host in clients), within=1000, every=1)
    return told.hexdigest()
