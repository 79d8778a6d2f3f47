"""TLS with others: the standard library in a thread, OpenSSL's own programs, http.client and urllib."""

import http.client
import http.server
import random
import shutil
import socket as plain_socket
import ssl as plain_ssl
import subprocess
import urllib.request
from contextlib import contextmanager

import pytest

import hubcore
from hubcore import socket, spawn, ssl
from tests.support.certificates import TLS_1_2, TLS_1_3, authority, client_context, issued, server_context
from tests.support.tls import in_thread

pytestmark = pytest.mark.usefixtures("hub")

VERSIONS = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["1.2", "1.3"])
OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(
    OPENSSL is None, reason="needs the openssl command (Debian: apt-get install openssl)"
)
DATA = random.Random(7).randbytes(1_000_000)


def send_and_receive(sock):
    """Send DATA; what came back of it, until the end."""
    sender = spawn(sock.sendall, DATA)
    got = bytearray()
    while len(got) < len(DATA):
        got += sock.recv(65536)
    sender.get()
    return bytes(got)


@VERSIONS
def test_a_server_of_the_standard_librarys(version):
    listener = plain_socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with server_context(plain_ssl, version=version).wrap_socket(connection, server_side=True) as tls:
            while data := tls.recv(10_000):
                tls.sendall(data)

    with listener, in_thread(serve), socket.create_connection(listener.getsockname()) as sock:
        with client_context(ssl).wrap_socket(sock, server_hostname="localhost") as tls:
            assert send_and_receive(tls) == DATA


@VERSIONS
def test_a_client_of_the_standard_librarys(version):
    listener = socket.create_server(("127.0.0.1", 0))

    def call():
        with (
            plain_socket.create_connection(listener.getsockname()) as sock,
            client_context(plain_ssl, version=version).wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            tls.sendall(DATA[:100_000])
            got = b""
            while len(got) < 100_000:
                got += tls.recv(65536)
            assert got == DATA[:100_000]
            tls.unwrap()

    with listener, in_thread(call):
        connection, _ = listener.accept()
        with server_context(ssl).wrap_socket(connection, server_side=True) as tls:
            while data := tls.recv(5000):
                tls.sendall(data)
            tls.unwrap()


@pytest.fixture
def files(tmp_path):
    """The paths of the authority's certificate, and of one for localhost with its key."""
    ca, pem = tmp_path / "ca.pem", tmp_path / "localhost.pem"
    authority().cert_pem.write_to_path(ca)
    issued("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    return str(ca), str(pem)


@contextmanager
def openssl(*arguments):
    command = [OPENSSL, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as process:
        try:
            yield process
        finally:
            process.kill()


def line_from(pipe):
    """A line that a program wrote, without blocking the thread."""
    line = b""
    while not line.endswith(b"\n"):
        socket.wait_read(pipe.fileno())
        part = pipe.read(1)
        assert part, line
        line += part
    return line


@needs_openssl
def test_s_client_renews_its_keys(files):
    ca, _ = files
    with server_context(ssl, version=TLS_1_3).wrap_socket(
        socket.create_server(("127.0.0.1", 0)), server_side=True
    ) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with openssl("s_client", "-connect", address, "-CAfile", ca, "-servername", "localhost") as process:
            connection, _ = listener.accept()
            with connection:
                # Each "K" asks for new keys of ours, so the answer goes out while we only read.
                for text in (b"before\n", b"after\n", b"and after that\n"):
                    process.stdin.write(text)
                    assert connection.recv(100) == text
                    connection.sendall(b"got " + text)
                    while line_from(process.stdout) != b"got " + text:
                        pass
                    process.stdin.write(b"K\n")
                    while b"KEYUPDATE" not in line_from(process.stdout):
                        pass
                process.stdin.close()
                assert connection.recv(100) == b""


@needs_openssl
@VERSIONS
def test_s_server(files, version):
    _, pem = files
    flag = {TLS_1_2: "-tls1_2", TLS_1_3: "-tls1_3"}[version]
    with openssl("s_server", "-accept", "127.0.0.1:0", "-cert", pem, "-rev", flag) as process:
        while not (line := line_from(process.stdout)).startswith(b"ACCEPT"):
            pass
        port = int(line.rpartition(b":")[2])
        with (
            socket.create_connection(("127.0.0.1", port)) as sock,
            client_context(ssl).wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            assert tls.version() == {TLS_1_2: "TLSv1.2", TLS_1_3: "TLSv1.3"}[version]
            for text in (b"stressed\n", b"live\n"):
                tls.sendall(text)
                reader = bytearray()
                while not reader.endswith(b"\n"):
                    reader += tls.recv(100)
                assert bytes(reader) == text.strip()[::-1] + b"\n"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA)

    def log_message(self, *arguments):
        pass


def serve_http(listener):
    connection, address = listener.accept()
    with connection:
        Handler(connection, address, None)


def test_http_client_and_urllib(monkeypatch):
    monkeypatch.setattr(plain_socket, "socket", socket.socket)
    monkeypatch.setattr(plain_socket, "create_connection", socket.create_connection)
    monkeypatch.setattr(plain_socket, "getaddrinfo", socket.getaddrinfo)
    with server_context(ssl).wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True) as listener:
        port = listener.getsockname()[1]

        def by_http_client():
            connection = http.client.HTTPSConnection("localhost", port, context=client_context(ssl))
            try:
                connection.request("GET", "/")
                return connection.getresponse().read()
            finally:
                connection.close()

        def by_urllib():
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=client_context(ssl))
            )
            with opener.open(f"https://localhost:{port}/") as response:
                return response.read()

        for fetch in (by_http_client, by_urllib):
            jobs = [spawn(serve_http, listener), spawn(fetch)]
            hubcore.joinall(jobs, raise_error=True)
            assert jobs[1].get() == DATA
