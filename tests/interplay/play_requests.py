"""requests and urllib3, with many greenlets on one pool."""

import gc

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

import hubcore
from hubcore import ssl
from tests.interplay.many import attempt, give_up, together, wait_until
from tests.interplay.web import BIG, Gate, Site, serving
from tests.support.certificates import authority, server_context

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def session():
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", HTTPAdapter(pool_maxsize=50))
        session.mount("https://", HTTPAdapter(pool_maxsize=50))
        yield session


def test_many_requests_are_in_flight_at_once(session):
    site = Site(Gate(30))
    with serving(site):
        texts = together([lambda i=i: session.get(site.url(f"/gate/{i}")).text for i in range(30)])
        assert texts == [f"/gate/{i}" for i in range(30)]
        assert site.gate.most == site.connections == 30
        # All of them went back into the pool, and serve the next ones.
        together([lambda: session.get(site.url("/gate"))] * 30)
        assert site.connections == 30


def test_over_tls_with_a_name_to_check_and_a_connection_to_keep(session, certificates):
    site = Site(Gate(10))
    with serving(site, ssl_context=server_context(ssl)):
        session.verify = certificates["ca"]
        answers = together([lambda: session.get(site.url("/gate", "https"))] * 10)
        assert [answer.status_code for answer in answers] == [200] * 10
        assert session.get(site.url("/big", "https")).content == BIG
        assert site.connections == 10
        with pytest.raises(requests.exceptions.SSLError, match="match"):
            session.get(f"https://127.0.0.1:{site.port}/")
        with pytest.raises(requests.exceptions.SSLError, match="certificate verify failed"):
            requests.get(site.url("/", "https"))


def test_a_client_certificate(session, certificates):
    context = server_context(ssl)
    context.verify_mode = ssl.CERT_REQUIRED
    authority().configure_trust(context)
    site = Site()
    with serving(site, ssl_context=context):
        session.verify = certificates["ca"]
        assert session.get(site.url("/", "https"), cert=certificates["somebody"]).status_code == 200
        with pytest.raises(requests.exceptions.ConnectionError):  # TLS 1.3 tells a client after its handshake
            session.get(site.url("/", "https"))


def test_bodies_in_both_directions(session):
    site = Site()
    with serving(site):
        assert session.post(site.url("/echo"), data=BIG).json()["size"] == len(BIG)
        chunks = (b"x" * 1000 for _ in range(100))
        assert session.put(site.url("/echo"), data=chunks).json()["size"] == 100_000
        assert session.get(site.url("/chunked")).text == "one,two,three"
        assert session.get(site.url("/redirect")).json()["path"] == "/echo"
        with session.get(site.url("/big"), stream=True) as answer:
            assert sum(map(len, answer.iter_content(10_000))) == len(BIG)
        assert session.head(site.url("/big")).headers["Content-Length"] == str(len(BIG))
    assert site.connections == 1


def test_a_timeout_of_the_librarys_own(session):
    site = Site()
    with serving(site):
        with pytest.raises(requests.exceptions.ConnectionError, match="timed out"):
            session.get(site.url("/stall"), timeout=0.05)
        site.go_on.set()
        assert session.get(site.url("/echo")).json()["path"] == "/echo"


@pytest.mark.parametrize("how", ["timeout", "kill"])
def test_a_request_that_is_given_up_leaves_the_pool_usable(session, how):
    site = Site()
    with serving(site):
        one = hubcore.spawn(attempt, session.get, site.url("/stall"))
        site.stalled.wait()
        give_up(one, how)
        site.go_on.set()
        # Nobody gets the other half of that answer.
        answers = [session.get(site.url(f"/echo/{i}")).json()["path"] for i in range(3)]
        assert answers == [f"/echo/{i}" for i in range(3)]


def test_a_server_that_fails(session):
    site = Site()
    with serving(site) as server:
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="reset by peer"):
            session.get(site.url("/reset"))
        site.failures = 2
        session.mount("http://", HTTPAdapter(max_retries=Retry(3, backoff_factor=0.01, status_forcelist=[503])))
        assert session.get(site.url("/sometimes")).text == "now"
        one = hubcore.spawn(session.get, site.url("/stall"))
        site.stalled.wait()
        server.stop(timeout=0)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            one.get(timeout=30)
        with pytest.raises(requests.exceptions.ConnectionError):
            session.get(site.url("/echo"))


def test_a_pool_that_is_full_makes_wait():
    site = Site(Gate(3))
    with serving(site), urllib3.HTTPConnectionPool("localhost", site.port, maxsize=3, block=True) as pool:
        texts = together([lambda i=i: pool.request("GET", f"/gate/{i}").data.decode() for i in range(30)])
        assert texts == [f"/gate/{i}" for i in range(30)]
        assert (site.gate.most, site.connections) == (3, 3)
        # A wait for a connection can time out. (One that is killed is counted as a connection: see docs/interplay.md.)
        stalled = [hubcore.spawn(pool.request, "GET", "/stall") for _ in range(3)]
        wait_until(lambda: site.seen.count("GET /stall") == 3)
        with pytest.raises(urllib3.exceptions.EmptyPoolError):
            pool.request("GET", "/echo", pool_timeout=0.01)
        site.go_on.set()
        assert [one.get().data for one in stalled] == [b"half whole"] * 3
        assert pool.request("GET", "/echo").status == 200


def test_a_pool_that_is_dropped_closes_its_connections():
    # urllib3 empties the pool's queue in a finalizer.
    site = Site()
    with serving(site) as server:
        pool = urllib3.HTTPConnectionPool("localhost", site.port, maxsize=3)
        assert pool.request("GET", "/echo").status == 200
        del pool
        gc.collect()
        server.stop(timeout=30)
        assert site.ended == 1
