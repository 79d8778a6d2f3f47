"""Programs as they are, and libraries that know nothing of simulations."""

import http.client
import http.server
import os
import select
import selectors
import socket
import threading
import time
import urllib.request

import pytest

import hubcore
from hubcore.server import StreamServer
from hubcore.testing import sim
from tests.simulation.worlds import twice

HOUR = 3600.0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(float(self.path[1:] or 0))
        body = b"x" * 1000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def web(port=80):
    http.server.ThreadingHTTPServer(("", port), Handler).serve_forever()


def test_http_server_and_clients_of_the_standard_library():
    def main(simulation):
        simulation.host("web", web)
        with urllib.request.urlopen("http://web/5") as answer:
            assert len(answer.read()) == 1000
        connection = http.client.HTTPConnection("web", timeout=3)
        connection.request("GET", "/60")
        with pytest.raises(TimeoutError):
            connection.getresponse()
        return simulation.digest, simulation.now

    assert 8 < twice(main)[1] < 9


def test_hubcores_own_servers_with_kills_and_partitions():
    def serve():
        def handle(connection, address):
            with connection, connection.makefile("rwb") as stream:
                for line in stream:
                    stream.write(line.upper())
                    stream.flush()

        StreamServer(("", 80), handle).serve_forever()

    def main(simulation):
        host = simulation.host("web", serve)

        def ask():
            with socket.create_connection(("web", 80), timeout=5) as sock, sock.makefile("rwb") as stream:
                stream.write(b"hello\n")
                stream.flush()
                return stream.readline()

        answers = [ask()]
        host.kill()
        with pytest.raises(OSError):
            ask()
        host.start()
        answers.append(ask())
        simulation.partition("test", "web")
        with pytest.raises(TimeoutError):
            ask()
        simulation.heal()
        answers.append(ask())
        return answers, simulation.digest

    assert twice(main)[0] == [b"HELLO\n"] * 3


# -- numbers of fds


def pair(simulation):
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    return client, listener.accept()[0]


POLLERS = {
    "select": lambda sock, seconds: bool(select.select([sock], [], [], seconds)[0]),
    "poll": lambda sock, seconds: bool(polled(select.poll(), sock, seconds * 1000)),
    "epoll": lambda sock, seconds: bool(polled(select.epoll(), sock, seconds)),
    "selectors": lambda sock, seconds: bool(selected(selectors.DefaultSelector(), sock, seconds)),
}


def polled(poller, sock, timeout):
    poller.register(sock, select.POLLIN)
    return poller.poll(timeout)


def selected(selector, sock, seconds):
    with selector:
        selector.register(sock, selectors.EVENT_READ)
        return selector.select(seconds)


@pytest.mark.parametrize("name", POLLERS)
def test_pollers_wake_at_the_right_virtual_time(name):
    def main(simulation):
        wait = POLLERS[name]
        client, server = pair(simulation)
        start = simulation.now
        assert wait(client, 5) is False
        assert simulation.now - start == pytest.approx(5, abs=0.01)
        threading.Timer(HOUR, server.sendall, [b"x"]).start()
        assert wait(client, 2 * HOUR) is True
        assert simulation.now - start == pytest.approx(HOUR + 5, abs=0.01)
        assert client.recv(10) == b"x"
        assert wait(client, 1) is False  # what was read is not there any more
        server.close()
        assert wait(client, 1) is True
        assert client.recv(10) == b""

    sim.run(main, timeout=1e5)


def test_a_full_socket_cannot_be_written_until_it_is_read():
    def main(simulation):
        client, server = pair(simulation)
        client.setblocking(False)
        while select.select([], [client], [], 1)[1]:
            client.send(bytes(65536))
        with pytest.raises(BlockingIOError):
            client.send(b"x")
        start = simulation.now
        threading.Timer(5, lambda: [server.recv(65536) for _ in range(2)]).start()
        assert select.select([], [client], [], 60)[1] == [client]
        assert 5 < simulation.now - start < 7

    sim.run(main)


def test_by_number():
    def main(simulation):
        client, server = pair(simulation)
        assert os.write(client.fileno(), b"hello") == 5
        assert os.read(server.fileno(), 3) == b"hel"
        number = os.dup(server.fileno())
        with socket.socket(fileno=number) as copy:
            assert copy.recv(10) == b"lo"
            assert copy.getsockname() == server.getsockname()
        assert server.fileno() >= 0
        server.sendall(b"still open")
        assert client.recv(100) == b"still open"
        moved = socket.socket(fileno=client.detach())
        assert client.fileno() == -1
        moved.sendall(b"moved")
        assert os.readv(server.fileno(), [bytearray(2), bytearray(10)]) == 5
        os.close(moved.detach())
        assert server.recv(10) == b""
        with pytest.raises(OSError):
            os.write(number, b"x")

    sim.run(main)


def test_pipes_and_unix_sockets_within_a_host():
    def main(simulation):
        into, out = os.pipe()
        ours, theirs = socket.socketpair()
        threading.Timer(5, os.write, [out, b"x"]).start()
        threading.Timer(7, theirs.sendall, [b"y"]).start()
        return os.read(into, 1), round(simulation.now), ours.recv(1), round(simulation.now)

    assert sim.run(main) == (b"x", 5, b"y", 7)


def test_a_subclass_of_a_programs_own_and_an_early_reference():
    class Counting(socket.socket):
        sent = 0

        def sendall(self, data, *flags):
            self.sent += len(data)
            return super().sendall(data, *flags)

    early = hubcore.socket.socket

    def main(simulation):
        listener = socket.create_server(("127.0.0.1", 0))

        class Own(early):
            def sendall(self, data, *flags):
                super().sendall(data.upper(), *flags)

        with Own() as sock:
            assert isinstance(sock, socket.socket)
            assert isinstance(sock, Own)
            sock.connect(listener.getsockname())
            sock.sendall(b"hello")
            return listener.accept()[0].recv(10)

    assert Counting
    assert sim.run(main, order="fifo") == b"HELLO"
