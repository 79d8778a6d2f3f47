"""grequests: map, imap, imap_enumerated, gtimeout, errors."""

import grequests  # isort: skip  # patches by itself

import gevent
from common import Together, run
from gevent.pywsgi import WSGIServer

inside = Together()


def application(environ, start_response):
    with inside:
        gevent.sleep(5 if environ["PATH_INFO"] == "/slow" else 0.3)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(inside.most).encode()]


def main():
    server = WSGIServer(("127.0.0.1", 0), application, log=None)
    server.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    found = grequests.map([grequests.get(url) for _ in range(10)], size=10)
    assert max(int(each.text) for each in found) == 10
    assert len(list(grequests.imap([grequests.get(url) for _ in range(10)], size=5))) == 10
    enumerated = grequests.imap_enumerated([grequests.get(url) for _ in range(5)], size=5)
    assert sorted(number for number, _ in enumerated) == list(range(5))
    assert grequests.map([grequests.get(url + "slow")], gtimeout=0.3) == [None]
    failures = []
    bad = grequests.get("http://127.0.0.1:1/")
    assert grequests.map([bad], exception_handler=lambda request, error: failures.append(error)) == [None]
    assert len(failures) == 1
    server.stop(timeout=0)


run(main)
