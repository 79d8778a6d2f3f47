"""hubcore.ssl does what the standard library's module does: contexts, connections and their attributes."""

import io
import ssl as stdlib
import warnings

import pytest

from hubcore import socket, spawn, ssl
from tests.support.certificates import TLS_1_2, TLS_1_3, authority, client_context, issued, server_context
from tests.support.tls import handshake, pair

pytestmark = pytest.mark.usefixtures("hub")

VERSIONS = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["1.2", "1.3"])


def pem(name):
    return issued(name).cert_chain_pems[0].bytes().decode()


@VERSIONS
def test_both_ends_talk_and_know_of_each_other(version):
    server, client = pair(version)
    with server, client:
        client.sendall(b"question")
        assert server.recv(100) == b"question"
        server.sendall(b"answer")
        assert client.read(3) + client.read() == b"answer"
        assert client.version() == server.version() == {TLS_1_2: "TLSv1.2", TLS_1_3: "TLSv1.3"}[version]
        assert client.cipher() == server.cipher()
        assert client.cipher()[0] in {name for name, _, _ in server.shared_ciphers()}
        assert client.getpeercert()["subjectAltName"] == (("DNS", "localhost"),)
        assert client.getpeercert(True) == ssl.PEM_cert_to_DER_cert(
            issued("localhost").cert_chain_pems[0].bytes().decode()
        )
        assert server.getpeercert() is None
        assert (client.server_side, server.server_side) == (False, True)
        assert (client.server_hostname, server.server_hostname) == ("localhost", None)
        assert client.compression() is None
        assert client.selected_alpn_protocol() is None
        if version == TLS_1_2:
            assert client.get_channel_binding("tls-unique") == server.get_channel_binding("tls-unique") != b""
        with pytest.raises(ValueError, match="channel binding"):
            client.get_channel_binding("unheard of")


def test_sockets_and_contexts_are_the_standard_librarys_as_well():
    server, client = pair()
    with server, client:
        for one in (server, client):
            assert isinstance(one, stdlib.SSLSocket)
            assert isinstance(one, socket.socket)
            assert type(one) is ssl.SSLSocket
            assert isinstance(one.context, stdlib.SSLContext)
    assert ssl.SSLContext.sslsocket_class is ssl.SSLSocket
    with pytest.raises(TypeError, match="public constructor"):
        ssl.SSLSocket(socket.AF_INET)


def test_every_context_that_the_module_makes_is_ours():
    made = [
        ssl.create_default_context(),
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl._create_unverified_context(),
        ssl._create_default_https_context(),
        ssl._create_stdlib_context(),
    ]
    assert {type(context) for context in made} == {ssl.SSLContext}
    theirs = stdlib.create_default_context()
    for name in ("check_hostname", "verify_mode", "verify_flags", "options", "minimum_version", "maximum_version"):
        assert getattr(made[0], name) == getattr(theirs, name)
    assert made[0].check_hostname
    assert made[0].verify_mode is ssl.CERT_REQUIRED


def test_a_context_works_when_the_standard_librarys_names_are_ours(monkeypatch):
    monkeypatch.setattr(stdlib, "SSLContext", ssl.SSLContext)
    context = stdlib.create_default_context()
    assert type(context) is ssl.SSLContext
    context.check_hostname = False
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.options |= ssl.OP_NO_TICKET
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert context.verify_mode is ssl.VerifyMode.CERT_OPTIONAL
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.options & ssl.OP_NO_TICKET
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.maximum_version is ssl.TLSVersion.MAXIMUM_SUPPORTED
    heard = []
    context._msg_callback = heard.append
    assert context._msg_callback == heard.append
    context._msg_callback = None
    assert context._msg_callback is None
    with pytest.raises(TypeError):
        context._msg_callback = 3


def test_a_context_of_the_standard_librarys_can_make_our_sockets():
    server = server_context(stdlib)
    server.sslsocket_class = ssl.SSLSocket
    one, other = handshake(server, client_context(ssl))
    with one, other:
        other.sendall(b"x")
        assert type(one) is ssl.SSLSocket
        assert one.recv(1) == b"x"


def test_a_certificate_for_another_name_is_refused():
    first, second = socket.socketpair()
    with first, second:
        server = spawn(server_context(ssl, "elsewhere.test").wrap_socket, first, server_side=True)
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            client_context(ssl).wrap_socket(second, server_hostname="localhost")
        with pytest.raises(ssl.SSLError, match="alert"):  # the client has said why
            server.get()


def test_a_certificate_that_nobody_vouches_for_is_refused():
    first, second = socket.socketpair()
    with first, second:
        server = spawn(server_context(ssl).wrap_socket, first, server_side=True)
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(second, server_hostname="localhost")
        with pytest.raises(ssl.SSLError, match="ALERT_UNKNOWN_CA"):
            server.get()


@VERSIONS
def test_a_client_shows_its_certificate(version):
    server = server_context(ssl, version=version, verify_mode=ssl.CERT_REQUIRED)
    authority().configure_trust(server)
    client = client_context(ssl, version=version)
    issued("client.test").configure_cert(client)
    one, other = handshake(server, client)
    with one, other:
        assert one.getpeercert()["subjectAltName"] == (("DNS", "client.test"),)


@VERSIONS
def test_a_client_without_a_certificate_is_refused(version):
    server = server_context(ssl, version=version, verify_mode=ssl.CERT_REQUIRED)
    first, second = socket.socketpair()
    with first, second:
        job = spawn(server.wrap_socket, first, server_side=True)
        # By TLS 1.3 the client only learns of it when it reads.
        with (
            pytest.raises(ssl.SSLError, match=r"(?i)alert"),
            client_context(ssl, version=version).wrap_socket(second, server_hostname="localhost") as client,
        ):
            client.read()
        with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
            job.get()


def test_a_server_asks_for_a_certificate_after_the_handshake():
    server = server_context(ssl, verify_mode=ssl.CERT_REQUIRED, post_handshake_auth=True)
    authority().configure_trust(server)
    client = client_context(ssl, post_handshake_auth=True)
    issued("client.test").configure_cert(client)
    one, other = handshake(server, client)
    with one, other:
        assert one.getpeercert() is None
        one.verify_client_post_handshake()
        one.sendall(b"who are you?")  # sends the request as well
        assert other.recv(100) == b"who are you?"  # answers it while it reads
        other.sendall(b"see there")
        assert one.recv(100) == b"see there"
        assert one.getpeercert()["subjectAltName"] == (("DNS", "client.test"),)


def test_alpn():
    server, client = server_context(ssl), client_context(ssl)
    server.set_alpn_protocols(["h2", "http/1.1"])
    client.set_alpn_protocols(["http/1.1", "h2"])
    one, other = handshake(server, client)
    with one, other:
        assert one.selected_alpn_protocol() == other.selected_alpn_protocol() == "h2"


@pytest.mark.parametrize("name", ["one.test", "other.test"])
def test_a_server_chooses_its_certificate_by_the_name_that_is_asked_for(name):
    server = server_context(ssl, "one.test")
    contexts = {"one.test": server, "other.test": server_context(ssl, "other.test")}
    asked = []

    def choose(sock, wanted, context):
        asked.append((type(sock), wanted, context))
        sock.context = contexts[wanted]

    server.sni_callback = choose
    one, other = handshake(server, client_context(ssl), server_hostname=name)
    with one, other:
        assert asked == [(ssl.SSLSocket, name, server)]
        assert one.context is contexts[name]
        assert other.getpeercert()["subjectAltName"] == (("DNS", name),)


def test_a_server_refuses_a_name():
    server = server_context(ssl)
    server.sni_callback = lambda sock, wanted, context: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    first, second = socket.socketpair()
    with first, second:
        job = spawn(server.wrap_socket, first, server_side=True)
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            client_context(ssl).wrap_socket(second, server_hostname="localhost")
        with pytest.raises(ssl.SSLError):
            job.get()


@VERSIONS
def test_a_session_is_gone_on_with(version):
    server, client = server_context(ssl, version=version), client_context(ssl, version=version)
    session = None
    for reused in (False, True):
        one, other = handshake(server, client, session=session)
        with one, other:
            one.sendall(b"x")
            other.recv(1)  # by TLS 1.3, what makes a session comes after the handshake
            assert other.session_reused is reused
            assert one.session_reused is reused
            session = other.session
            assert session.has_ticket


def test_the_messages_of_the_handshake_are_seen():
    client = client_context(ssl)
    seen = []
    client._msg_callback = lambda sock, *rest: seen.append((type(sock), rest[0], rest[3]))
    one, other = handshake(server_context(ssl), client)
    with one, other:
        assert (ssl.SSLSocket, "write", stdlib._TLSMessageType.CLIENT_HELLO) in seen


def test_a_listener_of_tls_accepts_and_a_socket_of_tls_connects():
    server, client = server_context(ssl), client_context(ssl)
    with server.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True) as listener:
        accepting = spawn(listener.accept)
        with client.wrap_socket(socket.socket(), server_hostname="localhost") as other:
            assert other.version() is None
            with pytest.raises(OSError, match="not connected"):
                other.getpeercert()
            other.connect(listener.getsockname())
            one, address = accepting.get()
            with one:
                assert address == other.getsockname()
                assert type(one) is ssl.SSLSocket
                one.sendall(b"hello")
                assert other.recv(5) == b"hello"
                with pytest.raises(ValueError, match="already-connected"):
                    other.connect(listener.getsockname())
        accepting = spawn(listener.accept)
        with client.wrap_socket(socket.socket(), server_hostname="localhost") as other:
            assert other.connect_ex(listener.getsockname()) == 0
            one, _ = accepting.get()
            one.close()
    with client.wrap_socket(socket.socket(), server_hostname="localhost") as other:
        assert other.connect_ex(("127.0.0.1", 1)) > 0


def test_a_handshake_later():
    first, second = socket.socketpair()
    server, client = server_context(ssl), client_context(ssl)
    with (
        server.wrap_socket(first, server_side=True, do_handshake_on_connect=False) as one,
        client.wrap_socket(second, server_hostname="localhost", do_handshake_on_connect=False) as other,
    ):
        assert other.version() is None
        job = spawn(one.do_handshake)
        other.do_handshake()
        job.get()
        assert other.version() == one.version() == "TLSv1.3"


def test_reading_and_writing_do_the_handshake_if_nobody_has():
    first, second = socket.socketpair()
    server, client = server_context(ssl), client_context(ssl)
    with (
        server.wrap_socket(first, server_side=True, do_handshake_on_connect=False) as one,
        client.wrap_socket(second, server_hostname="localhost", do_handshake_on_connect=False) as other,
    ):
        job = spawn(one.recv, 10)
        other.sendall(b"straight")
        assert job.get() == b"straight"


def test_the_certificate_of_a_server_can_be_fetched(tmp_path):
    file = tmp_path / "authority.pem"
    authority().cert_pem.write_to_path(file)
    with server_context(ssl).wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True) as listener:
        accepting = spawn(listener.accept)
        found = ssl.get_server_certificate(("localhost", listener.getsockname()[1]), ca_certs=str(file))
        accepting.get()[0].close()
    assert found.strip() == pem("localhost").strip()


@pytest.mark.skipif(not hasattr(stdlib, "wrap_socket"), reason="Python 3.12 has dropped ssl.wrap_socket")
def test_the_old_wrap_socket():
    first, second = socket.socketpair()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        job = spawn(server_context(ssl).wrap_socket, first, server_side=True)
        with ssl.wrap_socket(second) as client, job.get() as server:
            assert type(client) is ssl.SSLSocket
            client.sendall(b"x")
            assert server.recv(1) == b"x"


def test_files_and_buffers():
    one, other = pair()
    with one, other, one.makefile("rwb") as first, other.makefile("rwb") as second:
        first.write(b"a line\nand another\n")
        first.flush()
        assert [second.readline(), second.readline()] == [b"a line\n", b"and another\n"]
        assert one.sendfile(io.BytesIO(b"0123456789"), 2, 6) == 6
        buffer = bytearray(4)
        assert other.recv_into(buffer) == 4
        assert buffer == b"2345"
        assert other.recv_into(memoryview(buffer)[1:], 1) == 1
        assert buffer == b"2645"
        assert other.read(5, buffer) == 1
        assert buffer == b"7645"
        assert other.recv(0) == b""
        assert one.send(b"") == one.write(b"") == 0
        one.sendall(memoryview(b"ab cd ef").cast("H"))
        assert other.recv(100) == b"ab cd ef"
        with pytest.raises(BufferError):
            one.send(memoryview(b"abcdef")[::2])
        with pytest.raises(TypeError):
            one.sendall(memoryview(b"abcdef")[::2])


def test_a_connection_that_is_dropped_is_closed():
    one, other = pair()
    one.sendall(b"x")
    other.recv(1)
    with pytest.warns(ResourceWarning, match="unclosed"):
        del other
    assert one.recv(1) == b""
    one.close()


def test_every_public_name_of_the_standard_librarys_module_is_there():
    public = {name for name in vars(stdlib) if not name.startswith("_")}
    assert public <= set(ssl.__all__) <= set(dir(ssl))
    namespace = {}
    exec("from hubcore.ssl import *", namespace)
    assert namespace["SSLContext"] is ssl.SSLContext
    assert namespace["MemoryBIO"] is ssl.MemoryBIO is stdlib.MemoryBIO
    assert ssl.OPENSSL_VERSION == stdlib.OPENSSL_VERSION
    with pytest.raises(AttributeError):
        ssl.no_such_name


def test_wrap_bio_gives_the_standard_librarys_object():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    found = client_context(ssl).wrap_bio(incoming, outgoing, server_hostname="localhost")
    assert type(found) is stdlib.SSLObject
    with pytest.raises(ssl.SSLWantReadError):
        found.do_handshake()
    assert outgoing.pending
