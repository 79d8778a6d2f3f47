"""TLS with OpenSSL's own programs: client certificates, resumption, renegotiation, ALPN, SNI.

More with them, and with the standard library's ssl, is in tests/tls/test_ssl_peers.py.
"""

import pytest

from hubcore import socket, spawn, ssl
from tests.interplay.conftest import require
from tests.interplay.programs import program
from tests.interplay.services import free_port
from tests.support.certificates import TLS_1_2, TLS_1_3, authority, client_context, issued, server_context

pytestmark = pytest.mark.usefixtures("hub")

VERSIONS = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["1.2", "1.3"])
FLAGS = {TLS_1_2: "-tls1_2", TLS_1_3: "-tls1_3"}


@pytest.fixture
def openssl():
    return require("openssl")


def listen(context):
    return context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)


def s_client(openssl, listener, certificates, *options):
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    return program(openssl, "s_client", "-connect", address, "-CAfile", certificates["ca"], *options)


def s_server(openssl, port, certificates, *options):
    pem = certificates["localhost"]
    return program(
        openssl, "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pem, "-CAfile", certificates["ca"], *options
    )


def call(port, context, **options):
    options.setdefault("server_hostname", "localhost")
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port)), **options)


def common_name(der_or_dict):
    return der_or_dict["subjectAltName"][0][1]


@VERSIONS
def test_a_client_with_and_without_a_certificate(openssl, certificates, version):
    context = server_context(ssl, version=version, verify_mode=ssl.CERT_REQUIRED)
    authority().configure_trust(context)
    with listen(context) as listener:
        with s_client(openssl, listener, certificates, "-cert", certificates["somebody"]) as client:
            connection, _ = listener.accept()
            with connection:
                assert common_name(connection.getpeercert()) == "somebody"
                client.tell(b"hello\n")
                assert connection.recv(100) == b"hello\n"
        with s_client(openssl, listener, certificates):
            with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
                listener.accept()


@VERSIONS
def test_a_server_that_wants_a_certificate(openssl, certificates, version):
    port = free_port()
    with s_server(
        openssl, port, certificates, FLAGS[version], "-Verify", "2", "-verify_return_error", "-rev"
    ) as server:
        server.hear(b"ACCEPT")
        context = client_context(ssl)
        issued("somebody").configure_cert(context)
        with call(port, context) as tls:
            tls.sendall(b"stressed\n")
            assert tls.recv(100) == b"desserts\n"
        with pytest.raises(OSError):  # TLS 1.3 tells a client after its handshake
            with call(port, client_context(ssl)) as tls:
                assert tls.recv(100) == b"never"


@VERSIONS
def test_a_client_of_ours_resumes_its_session(openssl, certificates, version):
    port = free_port()
    with s_server(openssl, port, certificates, FLAGS[version], "-rev") as server:
        server.hear(b"ACCEPT")
        context, session = client_context(ssl), None
        for reused in (False, True, True):
            with call(port, context, session=session) as tls:
                assert tls.session_reused is reused
                tls.sendall(b"live\n")
                assert tls.recv(100) == b"evil\n"  # with TLS 1.3 the ticket comes after the handshake
                session = tls.session


@VERSIONS
def test_a_client_of_theirs_resumes_its_session(openssl, certificates, version, tmp_path):
    path = str(tmp_path / "session")
    with listen(server_context(ssl, version=version)) as listener:
        for option, reused in (("-sess_out", False), ("-sess_in", True)):
            with s_client(openssl, listener, certificates, option, path) as client:
                connection, _ = listener.accept()
                with connection:
                    assert connection.session_reused is reused
                    connection.sendall(b"hello\n")
                    client.hear(b"Reused, TLSv" if reused else b"New, TLSv")
                    client.hear(b"hello\n")
                    client.end_input()
                    assert connection.recv(100) == b""
                    connection.close()
                client.finish()


def test_a_server_renegotiates(openssl, certificates):
    port = free_port()
    with s_server(openssl, port, certificates, "-tls1_2") as server:
        server.hear(b"ACCEPT")
        with call(port, client_context(ssl)) as tls:
            server.hear(b"Secure Renegotiation IS supported")
            for command in (b"r\n", b"R\n"):  # R asks for a certificate, too
                reader = spawn(tls.recv, 100)  # which alone answers the server's messages
                server.tell(command)
                server.hear(b"SSL_do_handshake -> 1")
                server.tell(b"text\n")
                assert reader.get(timeout=30) == b"text\n"
                tls.sendall(b"answer\n")
                server.hear(b"answer\n")


def test_a_client_that_wants_to_renegotiate_is_refused(openssl, certificates):
    if ssl.OPENSSL_VERSION_INFO < (3,):
        pytest.skip("OpenSSL refuses it by default since 3.0")
    with listen(server_context(ssl, version=TLS_1_2)) as listener:
        with s_client(openssl, listener, certificates) as client:
            connection, _ = listener.accept()
            with connection:
                client.tell(b"before\n")
                assert connection.recv(100) == b"before\n"
                reader = spawn(connection.recv, 100)
                client.tell(b"R\n")
                client.hear(b"no renegotiation")
                with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):  # s_client gives up then
                    reader.get()


@VERSIONS
@pytest.mark.parametrize(("theirs", "chosen"), [("h2,http/1.1", "http/1.1"), ("spdy/3", None)])
def test_protocols_that_a_client_offers(openssl, certificates, version, theirs, chosen):
    context = server_context(ssl, version=version)
    context.set_alpn_protocols(["http/1.1", "acme-tls/1"])
    with listen(context) as listener, s_client(openssl, listener, certificates, "-alpn", theirs) as client:
        connection, _ = listener.accept()
        with connection:
            assert connection.selected_alpn_protocol() == chosen
            client.hear(b"ALPN protocol: http/1.1" if chosen else b"No ALPN negotiated")


@VERSIONS
def test_protocols_that_a_server_has(openssl, certificates, version):
    port = free_port()
    with s_server(openssl, port, certificates, FLAGS[version], "-alpn", "h2,http/1.1") as server:
        server.hear(b"ACCEPT")
        context = client_context(ssl)
        context.set_alpn_protocols(["http/1.1", "h2"])
        with call(port, context) as tls:
            assert tls.selected_alpn_protocol() == "h2"  # the server's order counts


@VERSIONS
def test_a_name_that_a_client_asks_for(openssl, certificates, version):
    context, other = server_context(ssl, version=version), server_context(ssl, "other", version=version)
    asked = []

    def choose(connection, name, _):
        asked.append(name)
        if name == "nobody":
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        if name == "other":
            connection.context = other
        return None

    context.sni_callback = choose
    with listen(context) as listener:
        for name in ("localhost", "other"):
            with s_client(
                openssl, listener, certificates, "-servername", name, "-verify_hostname", name, "-verify_return_error"
            ) as client:
                connection, _ = listener.accept()
                with connection:
                    client.hear(b"Verify return code: 0 (ok)")
        with s_client(openssl, listener, certificates, "-servername", "nobody") as client:
            with pytest.raises(ssl.SSLError):
                listener.accept()
            client.hear(b"unrecognized name")
    assert asked == ["localhost", "other", "nobody"]


@VERSIONS
def test_a_name_that_a_server_knows(openssl, certificates, version):
    port = free_port()
    options = ["-servername", "other", "-cert2", certificates["other"], "-key2", certificates["other"]]
    with s_server(openssl, port, certificates, FLAGS[version], *options) as server:
        server.hear(b"ACCEPT")
        for name in ("localhost", "other"):
            with call(port, client_context(ssl), server_hostname=name) as tls:
                assert common_name(tls.getpeercert()) == name


@VERSIONS
def test_one_that_is_killed_in_the_middle(openssl, certificates, version):
    with listen(server_context(ssl, version=version)) as listener:
        with s_client(openssl, listener, certificates) as client:
            connection, _ = listener.accept()
            with connection:
                client.tell(b"hello\n")
                assert connection.recv(100) == b"hello\n"
                client.process.kill()
                with pytest.raises(OSError):  # no farewell: an attack could look like this
                    while connection.recv(100):
                        pass
                    connection.unwrap()
