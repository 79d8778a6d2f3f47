"""The resolvers that ask name servers themselves, with dnsmasq: by UDP and TCP, at once, and when it is gone."""

import os
import signal
import socket as stdlib

import pytest

import hubcore
from hubcore import socket
from hubcore.resolver import resolver_class
from hubcore.testing import run_python
from tests.interplay import services
from tests.interplay.conftest import require
from tests.interplay.many import together

pytest.importorskip("dns", reason="needs dnspython (pip install --group test)")

OPTIONS = "\n".join(
    [
        "host-record=two.test,192.0.2.1,2001:db8::1",
        "host-record=two.test,192.0.2.2",
        "cname=alias.test,two.test",
        "host-record=xn--zrich-kva.test,192.0.2.5",
        "ptr-record=9.2.0.192.in-addr.arpa,nine.test",
        *(f"host-record=n{i}.test,192.0.2.{i}" for i in range(1, 101)),
        *(f"host-record=many.test,198.51.100.{i}" for i in range(1, 201)),
    ]
)


@pytest.fixture(scope="module")
def server():
    require("dnsmasq")
    with services.running("dnsmasq", {"options": OPTIONS.encode()}) as server:
        yield server


# pycares starts a thread when the first channel is closed, and keeps it; hence a process of its own for its tests.
ALONE = "HUBCORE_TEST_CARES" in os.environ


@pytest.fixture(scope="module", autouse=True)
def shutdown_thread():
    """It is there before the first test, and so not left by it."""
    if ALONE:
        import pycares

        pycares.Channel(sock_state_cb=print).close()


def test_cares_in_a_process_of_its_own(hub_backend):
    if ALONE:
        pytest.skip("it is this one")
    require("dnsmasq")
    pytest.importorskip("pycares")
    options = ["-q", "-p", "no:cacheprovider", f"--hub-backend={hub_backend}", __file__]
    run_python(f"import pytest, sys; sys.exit(pytest.main({options!r}))", env={"HUBCORE_TEST_CARES": "1"}, timeout=40)


@pytest.fixture
def resolver(hub, server):
    """The hub's resolver, one that asks the server alone."""
    kind = resolver_class("cares" if ALONE else "dnspython")
    if ALONE:
        hub.resolver = kind(
            hub, servers=["127.0.0.1"], udp_port=server.port, tcp_port=server.port, timeout=0.5, tries=2
        )
    else:
        hub.resolver = kind(hub, ["127.0.0.1"], server.port, timeout=0.5, tries=2)
    yield hub.resolver
    hub.resolver.close()


@pytest.mark.usefixtures("resolver")
def test_look_ups():
    assert socket.gethostbyname("zürich.test") == "192.0.2.5"
    name, aliases, addresses = socket.gethostbyname_ex("alias.test")
    assert (name, aliases, sorted(addresses)) == ("two.test", ["alias.test"], ["192.0.2.1", "192.0.2.2"])
    found = socket.getaddrinfo("two.test", "https", type=socket.SOCK_STREAM)
    assert {(family, *address[:2]) for family, _, _, _, address in found} == {
        (socket.AF_INET, "192.0.2.1", 443),
        (socket.AF_INET, "192.0.2.2", 443),
        (socket.AF_INET6, "2001:db8::1", 443),
    }
    assert socket.gethostbyaddr("192.0.2.9")[0] == "nine.test"
    assert socket.getnameinfo(("192.0.2.9", 80), 0) == ("nine.test", "http")
    for name in ("nowhere.test", "n101.test"):
        with pytest.raises(stdlib.gaierror) as caught:
            socket.gethostbyname(name)
        assert caught.value.errno == stdlib.EAI_NONAME


@pytest.mark.usefixtures("resolver")
def test_an_answer_too_long_for_a_datagram():
    # dnsmasq truncates it, and the question is asked again by TCP.
    assert len(socket.gethostbyname_ex("many.test")[2]) == 200


@pytest.mark.usefixtures("resolver")
def test_many_at_once():
    calls = [lambda i=i: socket.gethostbyname(f"n{i}.test") for i in range(1, 101)]
    assert together(calls) == [f"192.0.2.{i}" for i in range(1, 101)]


def test_a_server_that_is_stopped_goes_on_or_is_killed(resolver, server):
    os.kill(server.pid, signal.SIGSTOP)
    one = hubcore.spawn(socket.gethostbyname, "n1.test")
    hubcore.sleep(0.05)
    assert not one.ready()
    os.kill(server.pid, signal.SIGCONT)
    assert one.get(timeout=10) == "192.0.2.1"
    server.kill()
    with pytest.raises(stdlib.gaierror) as caught:
        socket.gethostbyname("n2.test")
    assert caught.value.errno == stdlib.EAI_AGAIN
    server.start()
    assert socket.gethostbyname("n2.test") == "192.0.2.2"
