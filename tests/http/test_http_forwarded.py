"""Whom a request is from, as proxies say it: X-Forwarded-For and -Proto, and the PROXY protocol."""

import logging
import struct

import pytest

from hubcore import socket
from hubcore.pywsgi import WSGIServer
from tests.http import seam
from tests.http.support import Client, get, serving

pytestmark = pytest.mark.usefixtures("hub")

PEER = "192.0.2.1"  # in seam.talk


def seen(*fields, **settings):
    """REMOTE_ADDR, REMOTE_PORT and the scheme that an application sees."""
    app = seam.Seen()
    seam.talk(app, get("/", *fields), **settings)
    environ = app.requests[0][0]
    return environ["REMOTE_ADDR"], environ["REMOTE_PORT"], environ["wsgi.url_scheme"]


FORWARDED = ("X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https")


def test_by_default_nobody_is_believed_and_the_fields_are_passed_on():
    app = seam.Seen()
    seam.talk(app, get("/", *FORWARDED))
    environ = app.requests[0][0]
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (PEER, "http")
    assert (environ["HTTP_X_FORWARDED_FOR"], environ["HTTP_X_FORWARDED_PROTO"]) == ("203.0.113.7", "https")


@pytest.mark.parametrize("peers", [PEER, [PEER], "192.0.2.0/24", "10.0.0.1, 192.0.2.1", "*", ["::/0", "0.0.0.0/0"]])
def test_who_is_trusted_is_believed(peers):
    assert seen(*FORWARDED, forwarded_allow_ips=peers) == ("203.0.113.7", "", "https")


@pytest.mark.parametrize("peers", ["192.0.2.2", "unix", "198.51.100.0/24", ""])
def test_others_are_not(peers):
    assert seen(*FORWARDED, forwarded_allow_ips=peers) == (PEER, "1234", "http")


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7", "203.0.113.7"),  # what stands before it anybody may have written
        ("1.1.1.1, 203.0.113.7, 192.0.2.9", "203.0.113.7"),
        ("192.0.2.8, 192.0.2.9", "192.0.2.8"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ('"203.0.113.7"', "203.0.113.7"),
        ("unknown", PEER),
        ("203.0.113.7, evil", PEER),
        ("203.0.113.7, ", PEER),
        ("<script>", PEER),
        ("", PEER),
    ],
)
def test_the_last_address_that_no_trusted_peer_is_at(value, right):
    assert seen(f"X-Forwarded-For: {value}", forwarded_allow_ips="192.0.2.0/24")[0] == right


@pytest.mark.parametrize(
    ("value", "right"),
    [("https", "https"), ("HTTPS", "https"), ("http", "http"), ("https, http", "http"), ("ftp", "http"), ("", "http")],
)
def test_the_scheme_is_http_or_https(value, right):
    assert seen(f"X-Forwarded-Proto: {value}", forwarded_allow_ips=PEER)[2] == right


def test_two_fields_are_one_list():
    fields = ("X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.7")
    assert seen(*fields, forwarded_allow_ips=PEER)[0] == "203.0.113.7"


def test_unix_sockets_are_trusted_by_name(tmp_path):
    path = str(tmp_path / "socket")
    for peers, right in (("unix", "203.0.113.7"), ("192.0.2.1", "")):
        app = seam.Seen()
        with serving(app, listener=path, validate=False, forwarded_allow_ips=peers):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
            with Client(sock) as client:
                client.ask(get("/", *FORWARDED))
        assert app.requests[0][0]["REMOTE_ADDR"] == right


# -- PROXY


def version_2(command, family, addresses, more=b""):
    return (
        b"\r\n\r\n\0\r\nQUIT\n"
        + struct.pack("!BBH", 0x20 | command, family, len(addresses) + len(more))
        + addresses
        + more
    )


IPV4 = socket.inet_aton("203.0.113.7") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 4711, 80)
IPV6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1") * 2 + struct.pack("!HH", 4711, 80)
HEADERS = {
    "version 1": (b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n", ("203.0.113.7", "4711")),
    "version 1 of IPv6": (b"PROXY TCP6 2001:db8::1 ::1 4711 80\r\n", ("2001:db8::1", "4711")),
    "version 1, unknown": (b"PROXY UNKNOWN\r\n", None),
    "version 1, unknown, with addresses": (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
    "version 2": (version_2(1, 0x11, IPV4), ("203.0.113.7", "4711")),
    "version 2 of IPv6": (version_2(1, 0x21, IPV6), ("2001:db8::1", "4711")),
    "version 2 with more": (version_2(1, 0x11, IPV4, b"\x03\0\x04abcd"), ("203.0.113.7", "4711")),
    "version 2, local": (version_2(0, 0, b""), None),
    "version 2, local, with addresses": (version_2(0, 0x11, IPV4), None),
    "version 2, of a Unix socket": (version_2(1, 0x31, bytes(216)), None),
    "version 2, unspecified": (version_2(1, 0, b""), None),
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("cut", [None, 1, 13])
def test_a_proxy_says_whose_connection_it_is(name, cut):
    header, right = HEADERS[name]
    app = seam.Seen()
    with serving(app, validate=False, proxy_protocol=True) as server, Client(server) as client:
        data = header + get() * 2
        for at in range(0, len(data), cut or len(data)):
            client.send(data[at : at + (cut or len(data))])
        assert [client.response().status for _ in range(2)] == [200, 200]
        if right is None:
            right = (client.sock.getsockname()[0], str(client.sock.getsockname()[1]))
    for environ, _ in app.requests:
        assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == right


@pytest.mark.parametrize(
    "start",
    [
        get(),
        b"PROXY TCP4 203.0.113.7 192.0.2.1 4711\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 80 x\r\n",
        b"PROXY TCP4 2001:db8::1 ::1 4711 80\r\n",
        b"PROXY TCP6 203.0.113.7 192.0.2.1 4711 80\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 x 80\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 65536 80\r\n",
        b"PROXY UDP4 203.0.113.7 192.0.2.1 4711 80\r\n",
        b"PROXY TCP4 localhost localhost 4711 80\r\n",
        b"PROXY  TCP4 203.0.113.7 192.0.2.1 4711 80\r\n",
        b"PROXY TCP4 " + b"1" * 200,
        version_2(1, 0x11, IPV4).replace(b"\x21\x11", b"\x11\x11"),
        version_2(2, 0x11, IPV4),
        b"\r\n\r\n\0\r\nQUIX\n" + bytes(16),
    ],
)
def test_who_begins_with_no_header_is_refused(start):
    app = seam.Seen()
    with serving(app, validate=False, proxy_protocol=True) as server, Client(server) as client:
        client.send(start + get())
        client.end()
        try:
            assert client.ended()
        except ConnectionResetError:
            pass
    assert app.requests == []


def test_who_may_be_a_proxy(caplog):
    caplog.set_level(logging.INFO, "hubcore.http")
    app = seam.Seen()
    settings = {"validate": False, "proxy_protocol": True, "proxy_allow_ips": "192.0.2.1"}
    with serving(app, **settings) as server, Client(server) as client:
        client.send(HEADERS["version 1"][0] + get()).end()
        try:
            client.rest()
        except ConnectionResetError:
            pass
    assert app.requests == []
    assert "it is no proxy's (proxy_allow_ips)" in caplog.text


def test_a_header_that_does_not_come_has_a_time_limit(hub_backend):
    timeout = 30 if "virtual" in hub_backend else 0.05
    with serving(proxy_protocol=True, header_timeout=timeout) as server, Client(server) as client:
        client.send(b"PROXY TCP4 ")
        assert client.ended()


def test_a_header_comes_before_tls():
    from hubcore import ssl
    from tests.support.certificates import authority, server_context

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority().configure_trust(context)
    app = seam.Seen()
    with serving(app, validate=False, proxy_protocol=True, ssl_context=server_context(ssl)) as server:
        sock = socket.create_connection(("127.0.0.1", server.server_port))
        sock.sendall(HEADERS["version 2"][0])
        with Client(context.wrap_socket(sock, server_hostname="localhost")) as client:
            assert client.ask(get()).status == 200
    environ = app.requests[0][0]
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("203.0.113.7", "https")


def test_off_by_default_it_is_a_malformed_request():
    responses, _ = seam.talk(seam.Seen(), HEADERS["version 1"][0] + get())
    assert [response.status for response in responses] == [400]
    assert WSGIServer(("127.0.0.1", 0), seam.Seen(), log=None)._proxies is None
