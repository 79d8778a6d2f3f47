"""bottle server="gevent": 10 requests at once."""

from gevent import monkey

monkey.patch_all()

import time  # noqa: E402

import bottle  # noqa: E402
import gevent  # noqa: E402
from common import Together, fetch_at_once, free_port, run  # noqa: E402

inside = Together()


@bottle.route("/")
def index():
    with inside:
        time.sleep(0.3)
        return str(inside.most)


def main():
    port = free_port()
    serving = gevent.spawn(bottle.run, server="gevent", host="127.0.0.1", port=port, quiet=True)
    gevent.sleep(0.3)
    fetch_at_once(port)
    serving.kill()


run(main)
