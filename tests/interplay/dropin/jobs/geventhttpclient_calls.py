"""geventhttpclient: 20 requests at once, UserAgent, a time-out."""

import gevent
from common import Together, run
from gevent.pywsgi import WSGIServer
from geventhttpclient import HTTPClient
from geventhttpclient.useragent import UserAgent

inside = Together()


def application(environ, start_response):
    with inside:
        gevent.sleep(0.3 if environ["PATH_INFO"] != "/slow" else 5)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(inside.most).encode()]


def main():
    server = WSGIServer(("127.0.0.1", 0), application, log=None)
    server.start()
    client = HTTPClient("127.0.0.1", server.server_port, concurrency=20, network_timeout=20)
    jobs = [gevent.spawn(lambda: client.get("/").read()) for _ in range(20)]
    gevent.joinall(jobs, timeout=20, raise_error=True)
    assert max(int(job.value) for job in jobs) == 20
    client.close()
    agent = UserAgent(network_timeout=20)
    assert agent.urlopen(f"http://127.0.0.1:{server.server_port}/").status_code == 200
    short = HTTPClient("127.0.0.1", server.server_port, network_timeout=0.2)
    try:
        short.get("/slow")
        raise AssertionError("it took longer")
    except OSError as error:
        if "timed out" not in str(error):
            raise
    short.close()
    server.stop(timeout=0)


run(main)
