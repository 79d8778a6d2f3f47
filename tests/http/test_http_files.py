"""wsgi.file_wrapper: files through the kernel, from their position, and whatever else there is to read."""

import io
import os
import tempfile

import pytest

from hubcore import sleep, socket, spawn
from tests.http import seam
from tests.http.support import Client, get, serving

pytestmark = pytest.mark.usefixtures("hub")

DATA = bytes(range(256)) * 400


def served(app, **settings):
    """Without the validator, which would wrap what the application returns."""
    return serving(app, validate=False, **settings)


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "file"
    found.write_bytes(DATA)
    return str(found)


def wrapping(opened, headers=(), size=None, files=None):
    """An application that answers with what `opened()` gives, wrapped."""

    def app(environ, start_response):
        file = opened()
        if files is not None:
            files.append(file)
        start_response("200 OK", [("Content-Type", "text/plain"), *headers])
        return environ["wsgi.file_wrapper"](file, *([] if size is None else [size]))

    return app


def reading(path, mode="rb"):
    """Opens the file at `path`, which the server closes."""
    return lambda: open(path, mode, encoding=None if "b" in mode else "latin-1")


@pytest.fixture
def sendfiles(monkeypatch):
    """How often os.sendfile is called."""
    calls = []
    original = os.sendfile

    def sendfile(*args, **kwargs):
        calls.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(os, "sendfile", sendfile)
    return calls


@pytest.mark.parametrize("position", [0, 1, 50_000, len(DATA)])
@pytest.mark.parametrize("buffering", [0, -1])
def test_a_file_goes_through_the_kernel_from_its_position_on(path, sendfiles, position, buffering):
    files = []

    def opened():
        file = open(path, "rb", buffering)  # noqa: SIM115
        file.read(min(1, position))
        file.seek(position)
        return file

    with served(wrapping(opened, files=files)) as server, Client(server) as client:
        for _ in range(2):
            response = client.ask(get())
            assert (response.framing, response.body) == ("length", DATA[position:])
    assert all(file.closed for file in files)
    assert len(sendfiles) >= (2 if position < len(DATA) else 0)


def test_a_buffered_file_that_was_read_from(path, sendfiles):
    def opened():
        file = open(path, "rb")  # noqa: SIM115
        assert file.read(10) == DATA[:10]
        return file

    with served(wrapping(opened)) as server, Client(server) as client:
        assert client.ask(get()).body == DATA[10:]
    assert sendfiles


@pytest.mark.parametrize("length", [0, 1, 70_000, len(DATA)])
@pytest.mark.parametrize("kind", ["file", "reader"])
def test_a_declared_length_is_kept(path, length, kind):
    app = wrapping(Reader if kind == "reader" else reading(path), [("Content-Length", str(length))])
    with served(app) as server, Client(server) as client:
        for _ in range(2):
            assert client.ask(get()).body == DATA[:length]


def test_a_declared_length_beyond_the_file(path):
    app = wrapping(reading(path), [("Content-Length", str(len(DATA) + 1))])
    with served(app, expect_errors=True) as server, Client(server) as client:
        client.send(get())
        assert client.rest().endswith(DATA)
        assert "1 bytes less than its Content-Length" in server.error_log.text


def test_a_file_that_grows_shorter_meanwhile(path):
    opened = []
    app = wrapping(reading(path), files=opened)
    with open(path, "r+b") as file:
        file.truncate(30_000_000)
    with served(app, expect_errors=True) as server, Client(server) as client:
        client.send(get())
        assert client.head()["Content-Length"] == "30000000"
        os.truncate(path, 100)
        client.rest()
        assert "less than its Content-Length" in server.error_log.text
    assert opened[0].closed


def test_head_sends_nothing_of_it(path, sendfiles):
    with served(wrapping(reading(path))) as server, Client(server) as client:
        assert client.ask(get(method="HEAD"))["Content-Length"] == str(len(DATA))
        assert client.ask(get()).body == DATA
    assert len(sendfiles) <= 2


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_http_1_0_gets_a_length_too(path, version):
    with served(wrapping(reading(path))) as server, Client(server) as client:
        request = get("/", "Connection: keep-alive", version=version)
        assert [client.ask(request).body for _ in range(2)] == [DATA] * 2


class Reader:
    """Something to read from that is no file."""

    def __init__(self):
        self.file = io.BytesIO(DATA)

    def read(self, size):
        return self.file.read(size)


@pytest.mark.parametrize("opened", [lambda: io.BytesIO(DATA), Reader])
@pytest.mark.parametrize("size", [None, 1000])
def test_what_is_no_file_of_a_file_system_is_read(sendfiles, opened, size):
    with served(wrapping(opened, size=size)) as server, Client(server) as client:
        response = client.ask(get())
        assert (response.framing, response.body) == ("chunked", DATA)
    assert not sendfiles


def test_a_pipe_is_read(sendfiles):
    def opened():
        reader, writer = os.pipe()
        os.write(writer, DATA[:1000])
        os.close(writer)
        return os.fdopen(reader, "rb")

    with served(wrapping(opened)) as server, Client(server) as client:
        assert client.ask(get()).body == DATA[:1000]
    assert not sendfiles


def test_a_temporary_file(sendfiles):
    def opened():
        file = tempfile.TemporaryFile()  # noqa: SIM115
        file.write(DATA)
        file.seek(5)
        return file

    with served(wrapping(opened)) as server, Client(server) as client:
        assert client.ask(get()).body == DATA[5:]
    assert sendfiles


def test_an_empty_file(tmp_path):
    (tmp_path / "empty").touch()
    with served(wrapping(reading(tmp_path / "empty"))) as server, Client(server) as client:
        response = client.ask(get())
        assert (response["Content-Length"], response.body) == ("0", b"")


def test_a_text_file_is_a_mistake(path):
    (response,), errors = seam.talk(wrapping(reading(path, "r")), get())
    assert response.status == 500
    assert "TypeError: the body of a response is made of bytes, not of str" in errors


def test_a_slow_reader_is_waited_for_and_others_run(path):
    with open(path, "r+b") as file:
        file.truncate(8_000_000)
    with served(wrapping(reading(path))) as server, Client(server) as client, Client(server) as other:
        client.send(get())
        client.head()
        assert len(other.ask(get()).body) == 8_000_000
        assert len(client.take(8_000_000)) == 8_000_000


def test_a_client_that_does_not_read_a_file_is_dropped(path, hub_backend):
    timeout = 60 if "virtual" in hub_backend else 0.1
    with open(path, "r+b") as file:
        file.truncate(50_000_000)
    files = []
    app = wrapping(reading(path), files=files)
    with served(app, write_timeout=timeout) as server, Client(server) as client:
        client.send(get())
        while not files or not files[0].closed:
            sleep(timeout / 10)
        assert server.statistics["resets"] == 1


def test_a_client_that_goes_away_closes_the_file(path):
    with open(path, "r+b") as file:
        file.truncate(50_000_000)
    files = []
    with served(wrapping(reading(path), files=files)) as server:
        with Client(server) as client:
            client.send(get())
            client.head()
        while not files[0].closed:
            sleep(0.001)
        assert server.statistics["resets"] == 1


def test_tls_reads_it(path, sendfiles):
    from hubcore import ssl
    from tests.support.certificates import authority, server_context

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority().configure_trust(context)
    with served(wrapping(reading(path)), ssl_context=server_context(ssl)) as server:
        sock = socket.create_connection(("127.0.0.1", server.server_port))
        with Client(context.wrap_socket(sock, server_hostname="localhost")) as client:
            assert client.ask(get()).body == DATA
    assert not sendfiles


def test_several_files_at_once(path):
    with served(wrapping(reading(path))) as server:

        def ask():
            with Client(server) as client:
                return [client.ask(get()).body for _ in range(5)]

        asking = [spawn(ask) for _ in range(10)]
        assert all(each.get() == [DATA] * 5 for each in asking)
