"""The resolvers that query name servers themselves, compared with the standard library, and with a test server."""

import os
import socket as stdlib

import pytest

import hubcore
from hubcore import socket, spawn
from hubcore.resolver import _hosts, resolver_class
from hubcore.testing import run_python, settle
from tests.sockets.test_resolver import ADDRESSES, GETADDRINFO, HOSTS
from tests.sockets.test_socket_errors import outcome

message = pytest.importorskip("dns.message", reason="the tests' name server is made with dnspython")
import dns.flags  # noqa: E402
import dns.rcode  # noqa: E402
import dns.rdatatype  # noqa: E402
import dns.rrset  # noqa: E402

RECORDS = {
    "two.test.": {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": ["2001:db8::1"]},
    "four.test.": {"A": ["192.0.2.4"]},
    "alias.test.": {"CNAME": ["middle.test."]},
    "middle.test.": {"CNAME": ["four.test."]},
    "xn--zrich-kva.test.": {"A": ["192.0.2.5"]},
    "many.test.": {"A": [f"192.0.2.{i}" for i in range(1, 200)]},
    "1.2.0.192.in-addr.arpa.": {"PTR": ["two.test."]},
    "host.lan.test.": {"A": ["192.0.2.6"]},
}
GOOD = {"A": "192.0.2.1"}


def same_port():
    """A UDP and a TCP socket on the same port."""
    while True:
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(type=socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
        else:
            return udp, tcp


class Server:
    """A name server on UDP and TCP, in greenlets."""

    def __init__(self):
        self.asked = []
        self.broken = None  # what becomes of the next answers
        self.udp, self.tcp = same_port()
        self.port = self.udp.getsockname()[1]
        self.greenlets = [spawn(self.serve_udp), spawn(self.serve_tcp)]

    def close(self):
        hubcore.killall(self.greenlets)
        self.udp.close()
        self.tcp.close()

    def serve_udp(self):
        while True:
            wire, peer = self.udp.recvfrom(65535)
            answer = self.answer(message.from_wire(wire), 512)
            if answer is not None:
                self.udp.sendto(answer, peer)

    def serve_tcp(self):
        while True:
            connection, _ = self.tcp.accept()
            with connection, connection.makefile("rb") as file:
                wire = file.read(int.from_bytes(file.read(2), "big"))
                answer = self.answer(message.from_wire(wire), 65535)
                connection.sendall(len(answer).to_bytes(2, "big") + answer)

    def answer(self, query, size):
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        name = question.name.to_text().lower()
        self.asked.append((name, kind))
        if self.broken == "silent":
            return None
        answer = message.make_response(query)
        if self.broken == "servfail":
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer.to_wire()
        if name not in RECORDS:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        while name in RECORDS:
            records = RECORDS[name]
            for one in (kind, "CNAME"):
                if one in records:
                    answer.answer.append(dns.rrset.from_text(name, 60, "IN", one, *records[one]))
            name = records.get("CNAME", [""])[0]
        wire = answer.to_wire(max_size=65535)
        if len(wire) > size:
            answer.answer.clear()
            answer.flags |= dns.flags.TC
            wire = answer.to_wire()
        return wire


# pycares starts a thread when the first channel is closed, and keeps it. As long as there is another thread nobody can
# tell that nothing is left to wait for, so other tests must not be in one process with it.
ALONE = "HUBCORE_TEST_CARES" in os.environ


@pytest.fixture(scope="module", autouse=True)
def shutdown_thread():
    """It is there before the first test, and so not left by it."""
    if ALONE:
        import pycares

        pycares.Channel(sock_state_cb=print).close()


@pytest.mark.hang_after(150)
def test_cares_in_a_process_of_its_own(hub_backend):
    if ALONE:
        pytest.skip("it is this one")
    pytest.importorskip("pycares")
    options = ["-q", "-p", "no:cacheprovider", f"--hub-backend={hub_backend}", "-k", "cares and not own", __file__]
    run_python(f"import pytest, sys; sys.exit(pytest.main({options!r}))", env={"HUBCORE_TEST_CARES": "1"}, timeout=120)


@pytest.fixture(params=["cares"] if ALONE else ["dnspython"])
def make(request, hub):
    """Makes the hub's resolver, one that asks a given port of this host."""

    def make(port):
        kind = resolver_class(request.param)
        if request.param == "cares":
            hub.resolver = kind(hub, servers=["127.0.0.1"], udp_port=port, tcp_port=port, timeout=0.2, tries=2)
        else:
            hub.resolver = kind(hub, ["127.0.0.1"], port, timeout=0.2, tries=2)
        return hub.resolver

    return make


@pytest.fixture
def server(make, hub):
    server = Server()
    make(server.port)
    yield server
    hub.resolver.close()
    settle(hub)
    server.close()


@pytest.mark.parametrize("arguments", GETADDRINFO, ids=repr)
def test_getaddrinfo_of_what_needs_no_server(server, arguments):
    assert outcome(socket.getaddrinfo, *arguments) == outcome(stdlib.getaddrinfo, *arguments)


@pytest.mark.parametrize("host", HOSTS, ids=repr)
@pytest.mark.parametrize("function", ["gethostbyname", "gethostbyname_ex", "gethostbyaddr"])
def test_looking_up_one_host_that_needs_no_server(server, function, host):
    assert outcome(getattr(socket, function), host) == outcome(getattr(stdlib, function), host)


@pytest.mark.parametrize("arguments", ADDRESSES, ids=repr)
def test_getnameinfo_of_what_needs_no_server(server, arguments):
    assert outcome(socket.getnameinfo, *arguments) == outcome(stdlib.getnameinfo, *arguments)


def test_names_that_the_server_knows(server):
    assert socket.gethostbyname("four.test") == "192.0.2.4"
    assert socket.gethostbyname(b"four.test") == "192.0.2.4"
    assert socket.gethostbyname("zürich.test") == "192.0.2.5"
    name, _, addresses = socket.gethostbyname_ex("two.test")
    assert (name, sorted(addresses)) == ("two.test", ["192.0.2.1", "192.0.2.2"])
    assert socket.gethostbyname_ex("alias.test") == ("four.test", ["alias.test", "middle.test"], ["192.0.2.4"])
    assert socket.gethostbyaddr("192.0.2.1") == ("two.test", [], ["192.0.2.1"])
    assert socket.getnameinfo(("192.0.2.1", 80), 0) == ("two.test", "http")
    assert socket.getnameinfo(("192.0.2.1", 80), stdlib.NI_NUMERICHOST) == ("192.0.2.1", "http")
    assert socket.getnameinfo(("192.0.2.9", 53), stdlib.NI_DGRAM) == ("192.0.2.9", "domain")


def test_getaddrinfo_of_names(server):
    assert socket.getaddrinfo("four.test", "http", type=stdlib.SOCK_STREAM) == [
        (stdlib.AF_INET, stdlib.SOCK_STREAM, stdlib.IPPROTO_TCP, "", ("192.0.2.4", 80))
    ]
    found = socket.getaddrinfo("two.test", 1, type=stdlib.SOCK_DGRAM)
    assert {one[4][0] for one in found} == {"192.0.2.1", "192.0.2.2", "2001:db8::1"}
    assert socket.getaddrinfo("two.test", 1, stdlib.AF_INET6)[0][4] == ("2001:db8::1", 1, 0, 0)
    assert len(socket.getaddrinfo("four.test", 1)) == 3  # stream, datagram, raw
    named = socket.getaddrinfo("alias.test", 1, 0, stdlib.SOCK_STREAM, 0, stdlib.AI_CANONNAME)
    assert [one[3] for one in named] == ["four.test"]
    mapped = socket.getaddrinfo("four.test", 1, stdlib.AF_INET6, stdlib.SOCK_STREAM, 0, stdlib.AI_V4MAPPED)
    assert mapped[0][4][0] == "::ffff:192.0.2.4"
    assert len(socket.getaddrinfo("many.test", 1, stdlib.AF_INET, stdlib.SOCK_STREAM)) == 199  # by TCP


def test_names_that_the_server_does_not_know(server):
    for call in (
        lambda: socket.gethostbyname("nowhere.test"),
        lambda: socket.gethostbyname_ex("nowhere.test"),
        lambda: socket.gethostbyaddr("nowhere.test"),
        lambda: socket.getaddrinfo("nowhere.test", 80),
        lambda: socket.getaddrinfo("four.test", 80, stdlib.AF_INET6),
        lambda: socket.getnameinfo(("192.0.2.9", 80), stdlib.NI_NAMEREQD),
    ):
        with pytest.raises(stdlib.gaierror) as caught:
            call()
        assert caught.value.errno == stdlib.EAI_NONAME
        assert caught.value.strerror == "Name or service not known"
    with pytest.raises(stdlib.herror) as wrong:
        socket.gethostbyaddr("192.0.2.9")
    assert wrong.value.args == (1, "Unknown host")
    with pytest.raises(stdlib.gaierror) as caught:
        socket.getaddrinfo("four.test", "no such service")
    assert caught.value.errno == stdlib.EAI_SERVICE


@pytest.mark.parametrize("how", ["silent", "servfail"])
def test_a_server_that_does_not_answer_is_a_failure_for_now(server, how):
    server.broken = how
    with pytest.raises(stdlib.gaierror) as caught:
        socket.gethostbyname("four.test")
    assert caught.value.args == (stdlib.EAI_AGAIN, "Temporary failure in name resolution")
    assert len(server.asked) >= 2
    server.broken = None
    assert socket.gethostbyname("four.test") == "192.0.2.4"


def test_what_is_asked_at_the_same_time_is_asked_once(server, hub):
    jobs = [spawn(socket.gethostbyname, "four.test") for _ in range(5)]
    hubcore.joinall(jobs, raise_error=True)
    assert server.asked == [("four.test.", "A")]
    lost = [spawn(outcome, socket.gethostbyname, "nowhere.test") for _ in range(3)]
    hubcore.joinall(lost, raise_error=True)
    assert len({one.value for one in lost}) == 1
    assert server.asked.count(("nowhere.test.", "A")) == 1


def test_a_kill_or_a_timeout_ends_the_wait_of_one(server, hub):
    server.broken = "silent"
    one, other = spawn(socket.gethostbyname, "four.test"), spawn(socket.gethostbyname, "four.test")
    with pytest.raises(hubcore.Timeout):
        hubcore.with_timeout(0.05, socket.gethostbyname, "four.test")
    one.kill()
    assert not other.ready()
    server.broken = None
    assert other.get(timeout=5) == "192.0.2.4"


def test_it_is_closed_while_somebody_asks(server, hub):
    server.broken = "silent"
    one = spawn(socket.gethostbyname, "four.test")
    settle(hub)
    hub.resolver.close()
    one.rawlink(lambda _: None)
    with pytest.raises(stdlib.gaierror) as caught:
        one.get(timeout=5)
    assert caught.value.errno == stdlib.EAI_AGAIN
    server.broken = None
    assert socket.gethostbyname("four.test") == "192.0.2.4"


def test_others_go_on_meanwhile(server, hub):
    """Without a thread: the same hub serves the names that it asks for."""
    import threading

    before = threading.active_count()
    jobs = [spawn(socket.getaddrinfo, name, 80) for name in ("two.test", "four.test", "alias.test")]
    hubcore.joinall(jobs, raise_error=True)
    assert threading.active_count() == before


def test_search_domains(hub):
    from hubcore.resolver.dnspython import Resolver

    server = Server()
    try:
        hub.resolver = Resolver(hub, ["127.0.0.1"], server.port)
        hub.resolver.search = [dns.name.from_text("nowhere.test"), dns.name.from_text("lan.test")]
        assert socket.gethostbyname("host") == "192.0.2.6"
        assert [name for name, _ in server.asked] == ["host.nowhere.test.", "host.lan.test."]
        with pytest.raises(stdlib.gaierror):
            socket.gethostbyname("host.")
    finally:
        server.close()


def test_the_hosts_file(hub, tmp_path, monkeypatch):
    path = tmp_path / "hosts"
    monkeypatch.setattr(_hosts, "PATH", str(path))
    four, both = (stdlib.AF_INET,), (stdlib.AF_INET, stdlib.AF_INET6)
    assert _hosts.by_name("box", both) is None  # there is no file
    path.write_text(
        "# a comment\n192.0.2.1 Box box.lan # more\n2001:db8::1\tbox\nnonsense x\n192.0.2.2\n192.0.2.3 box\n"
    )
    assert _hosts.by_name("BOX", four) == ("Box", ["box.lan", "box"], ["192.0.2.1", "192.0.2.3"])
    assert _hosts.by_name("box", both) == ("Box", ["box.lan", "box"], ["192.0.2.1", "2001:db8::1", "192.0.2.3"])
    assert _hosts.by_name("x", both) is None
    assert _hosts.by_address("2001:DB8:0::1") == ("box", [])
    assert _hosts.by_address("192.0.2.1") == ("Box", ["box.lan"])
    assert _hosts.by_address("192.0.2.9") is None
    path.write_text("192.0.2.9 other\n")
    assert _hosts.by_address("192.0.2.9") == ("other", [])
