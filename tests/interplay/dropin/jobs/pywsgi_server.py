"""gevent.pywsgi: 10 requests at once."""

from gevent import monkey

monkey.patch_all()

from common import fetch_at_once, run, web_application  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402


def main():
    server = WSGIServer(("127.0.0.1", 0), web_application, log=None)
    server.start()
    fetch_at_once(server.server_port)
    server.stop(timeout=1)


run(main)
