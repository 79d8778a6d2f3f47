"""hubcore.pywsgi and programs that speak HTTP: curl, openssl s_client, wrk, and nginx in front."""

import random
import re

import pytest

from hubcore import ssl
from hubcore.hub import sleep
from tests.http.support import Client, Stream, echo, get, serving
from tests.interplay.conftest import require
from tests.interplay.programs import program, run
from tests.interplay.services import AS_NOBODY, short_folder
from tests.support.certificates import server_context

pytestmark = pytest.mark.usefixtures("hub")

BIG = random.Random(7).randbytes(3_000_000)


def site(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        sleep(0.1)
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"one,", b"two,", b"three"])
    if path == "/who":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']} {environ['HTTP_HOST']}".encode()]
    if path == "/big":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return [BIG]
    return echo(environ, start_response)


@pytest.fixture
def curl():
    """Runs curl; its output."""
    path = require("curl")

    def curl(*options, status=0, **more):
        done = run(path, "--silent", "--show-error", "--noproxy", "*", "--max-time", "40", *options, **more)
        assert done.status == status, done.output
        return done.output

    return curl


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl(curl, certificates, tmp_path, scheme):
    (tmp_path / "data").write_bytes(BIG)
    log = Stream()
    tls = {"ssl_context": server_context(ssl)} if scheme == "https" else {}
    with serving(site, validate=False, log=log, log_format="%(r)s %(s)s %(B)s", **tls) as server:
        url = f"{scheme}://localhost:{server.server_port}"
        trust = ("--cacert", certificates["ca"], "--ipv4")
        assert curl(*trust, f"{url}/big") == BIG
        assert curl(*trust, "--http1.0", f"{url}/big") == BIG
        assert curl(*trust, "-T", str(tmp_path / "data"), f"{url}/put") == BIG  # with Expect: 100-continue
        assert curl(*trust, "-T", "-", f"{url}/put", input=b"in chunks") == b"in chunks"
        assert curl(*trust, f"{url}/stream") == b"one,two,three"
        assert curl(*trust, "--http1.0", f"{url}/stream") == b"one,two,three"
        assert b"Content-Length: 3000000\r\n" in curl(*trust, "-I", f"{url}/big")
        assert curl(*trust, "-d", "a=b", f"{url}/form", f"{url}/form") == b"a=ba=b"
        assert (
            curl(*trust, "--request-target", f"{url}/who", f"{url}/")
            == f"127.0.0.1 {scheme} localhost:{server.server_port}".encode()
        )
        assert b"\r\nHTTP/1.1 100 Continue" not in curl(
            *trust, "-i", "-H", "Expect:", "-T", str(tmp_path / "data"), f"{url}/"
        )
        said = curl(*trust, "-v", "-o", "/dev/null", f"{url}/who", "-o", "/dev/null", f"{url}/who")
        # curl 7.88 says "Re-using existing connection", 8.23 "Reusing existing http: connection"
        assert said.lower().replace(b"re-using", b"reusing").count(b"* reusing existing") == 1
        many = [part for _ in range(20) for part in ("-o", "/dev/null", f"{url}/slow")]
        curl(*trust, "--parallel", "--parallel-max", "20", *many)
    assert all(re.fullmatch(r"[A-Z]+ \S+ HTTP/1\.[01] 200 \d+", line) for line in log.lines)


def test_openssl_s_client():
    path = require("openssl")
    with serving(site, validate=False, ssl_context=server_context(ssl)) as server:
        address = f"127.0.0.1:{server.server_port}"
        with program(path, "s_client", "-connect", address, "-quiet", "-alpn", "h2,http/1.1") as client:
            client.tell(get("/stream", "Connection: close"))
            output = client.finish().output
        assert output.count(b"HTTP/1.1 200 OK") == 1
        assert output.rstrip().endswith(b"0")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_wrk_meets_no_error(scheme):
    path = require("wrk")
    tls = {"ssl_context": server_context(ssl)} if scheme == "https" else {}
    with serving(site, validate=False, **tls) as server:
        url = f"{scheme}://127.0.0.1:{server.server_port}/who"
        output = run(path, "-t1", "-c50", "-d1s", url).output.decode()
        assert "Socket errors" not in output
        assert "Non-2xx" not in output
        assert int(re.search(r"(\d+) requests in", output)[1]) > 100
        server.stop()
        assert server.statistics["connections"] == 0
        assert server.statistics["refused"] == 0


NGINX = """
daemon off; pid {folder}/pid; error_log stderr; worker_processes 1; {user}
events {{ worker_connections 100; }}
http {{
    access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; client_max_body_size 10m;
    upstream app {{ server unix:{folder}/app; keepalive 4; }}
    server {{
        listen unix:{folder}/front;
        location / {{
            proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host $host; proxy_set_header X-Forwarded-For 203.0.113.7;
            proxy_set_header X-Forwarded-Proto https; proxy_request_buffering off;
        }}
    }}
}}
"""


def test_nginx_in_front(curl, tmp_path):
    path = require("nginx")
    (tmp_path / "data").write_bytes(BIG)
    with short_folder() as folder:
        user = "user nobody nogroup;" if AS_NOBODY else ""
        (folder / "conf").write_text(NGINX.format(folder=folder, user=user))
        with serving(site, validate=False, listener=f"{folder}/app", forwarded_allow_ips="unix") as server:
            (folder / "app").chmod(0o777)
            with program(path, "-c", str(folder / "conf")) as nginx:
                while not (folder / "front").exists():
                    sleep(0.01)
                front = ("--unix-socket", f"{folder}/front")
                assert curl(*front, "http://site/who") == b"203.0.113.7 https site"
                assert curl(*front, "http://site/big") == BIG
                assert curl(*front, "-T", str(tmp_path / "data"), "http://site/put") == BIG
                assert curl(*front, "-T", "-", "http://site/put", input=b"in chunks") == b"in chunks"
                many = [part for _ in range(20) for part in ("-o", "/dev/null", "http://site/slow")]
                curl(*front, "--parallel", *many)
                assert server.statistics["connections"] <= 4  # nginx keeps so many
                nginx.process.terminate()
                nginx.finish()


def test_a_client_of_the_standard_library():
    import http.client

    with serving(site, validate=False) as server:
        client = http.client.HTTPConnection("127.0.0.1", server.server_port)
        client.sock = Client(server).sock  # a cooperative one
        for body in (b"", b"hello", BIG):
            client.request("POST", "/", body)
            assert client.getresponse().read() == body
        client.close()
