"""requests-futures: 10 requests at once in an executor whose threads are greenlets."""

from gevent import monkey

monkey.patch_all()

from common import run, web_application  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402
from requests_futures.sessions import FuturesSession  # noqa: E402


def main():
    server = WSGIServer(("127.0.0.1", 0), web_application, log=None)
    server.start()
    with FuturesSession(max_workers=10) as session:
        futures = [session.get(f"http://127.0.0.1:{server.server_port}/") for _ in range(10)]
        most = max(int(future.result(timeout=20).text.split()[0]) for future in futures)
    assert most >= 5, most
    server.stop(timeout=1)


run(main)
