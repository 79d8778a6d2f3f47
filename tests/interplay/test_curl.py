"""curl against http.server's handler on StreamServer: many at once, TLS, bodies both ways, clients that die."""

import random

import pytest

import hubcore
from hubcore import ssl
from tests.interplay.conftest import require
from tests.interplay.many import together, wait_until
from tests.interplay.programs import program, run
from tests.interplay.services import short_folder
from tests.interplay.web import BIG, Gate, Site, serving
from tests.support.certificates import authority, server_context

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def curl():
    """Runs curl with some options, and returns its output; fails if it fails."""
    path = require("curl")

    def curl(*options, status=0, **more):
        done = run(path, "--silent", "--show-error", "--noproxy", "*", "--max-time", "40", *options, **more)
        assert done.status == status, done.output
        return done.output

    return curl


def test_many_at_once(curl):
    site = Site(Gate(10))
    with serving(site):
        outputs = together([lambda i=i: curl(site.url(f"/gate/{i}")) for i in range(10)])
        assert outputs == [b"/gate/%d" % i for i in range(10)]
        assert site.gate.most == 10


def test_one_with_many_requests(curl, tmp_path):
    site = Site(Gate(10))
    with serving(site):
        paths = [tmp_path / str(i) for i in range(10)]
        options = [part for path in paths for part in ("-o", str(path), site.url(f"/gate/{path.name}"))]
        curl("--parallel", "--parallel-max", "10", "--parallel-immediate", *options)
        assert [path.read_text() for path in paths] == [f"/gate/{i}" for i in range(10)]
        assert site.gate.most == 10
        # One after the other they come on one connection.
        site.connections = 0
        assert curl(*[site.url(f"/gate/{i}") for i in range(5)]) == b"".join(b"/gate/%d" % i for i in range(5))
        assert site.connections == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_long_bodies_in_both_directions(curl, certificates, tmp_path, scheme):
    data = random.Random(3).randbytes(3_000_000)
    path = tmp_path / "data"
    path.write_bytes(data)
    site = Site()
    with serving(site, **({"ssl_context": server_context(ssl)} if scheme == "https" else {})):
        options = ("--cacert", certificates["ca"])
        assert curl(*options, site.url("/big", scheme)) == BIG
        said = curl(*options, "-T", str(path), site.url("/put", scheme))  # with Expect: 100-continue
        assert b'"size": 3000000' in said
        said = curl(*options, "-T", "-", site.url("/put", scheme), input=b"in chunks")
        assert b'"size": 9, "head": "in chunks"' in said
        assert curl(*options, "--http1.0", site.url("/big", scheme)) == BIG
        assert curl(*options, site.url("/chunked", scheme)) == b"one,two,three"
        assert curl(*options, "-L", site.url("/redirect", scheme)).startswith(b'{"method": "GET", "path": "/echo"')
        assert b"Content-Length: 4194304" not in curl(*options, "-I", site.url("/echo", scheme))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_what_tls_is_made_of(curl, certificates, version):
    context = server_context(ssl, verify_mode=ssl.CERT_REQUIRED)
    authority().configure_trust(context)
    context.set_alpn_protocols(["http/1.1"])
    site = Site(Gate(5))
    only = (f"--tlsv{version}", "--tls-max", version)
    with serving(site, ssl_context=context):
        own = ("--cert", certificates["somebody"])
        trusting = ("--cacert", certificates["ca"], *only)
        said = curl(*trusting, *own, "-v", site.url("/echo", "https"))
        assert f"SSL connection using TLSv{version}".encode() in said
        assert b"ALPN: server accepted http/1.1" in said
        assert together([lambda: curl(*trusting, *own, site.url("/gate", "https"))] * 5) == [b"/gate"] * 5
        curl(*own, *only, site.url("/echo", "https"), status=60)  # curl does not know the authority
        refused = run(require("curl"), "--silent", *trusting, site.url("/echo", "https"))
        assert refused.status in (35, 55, 56)  # it depends on what curl is at when it hears of it


def test_a_unix_socket(curl):
    site = Site()
    with short_folder() as folder:
        path = f"{folder}/http"
        with serving(site, path):
            assert b'"path": "/here"' in curl("--unix-socket", path, "http://localhost/here")


def test_a_client_that_is_killed(curl):
    site = Site()
    with serving(site) as server:
        with program(require("curl"), "-s", "-N", "--limit-rate", "1k", site.url("/big")) as slow:
            slow.hear(bytes(range(100)))
            assert (site.connections, site.ended) == (1, 0)
            slow.process.kill()
            slow.finish()
            wait_until(lambda: site.ended == 1)
        assert b'"path": "/echo"' in curl(site.url("/echo"))
        server.stop(timeout=10)
        curl(site.url("/echo"), status=7)


def test_a_server_that_stops_lets_a_client_finish(curl):
    site = Site()
    with serving(site) as server:
        one = hubcore.spawn(curl, site.url("/stall"))
        site.stalled.wait()
        stopping = hubcore.spawn(server.stop, 30)
        hubcore.sleep(0.01)
        curl(site.url("/echo"), status=7)
        assert not stopping.ready()
        site.go_on.set()
        assert one.get() == b"half whole"
        stopping.get(timeout=30)
