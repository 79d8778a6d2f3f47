"""asyncio-gevent: asyncio.run on its loop, greenlet_to_future, future_to_greenlet."""

from gevent import monkey

monkey.patch_all()

import asyncio  # noqa: E402

import asyncio_gevent  # noqa: E402
import gevent  # noqa: E402
from common import Together, run  # noqa: E402

inside = Together()


def wait(number):
    with inside:
        gevent.sleep(0.1)
        return number


async def several():
    futures = [asyncio_gevent.greenlet_to_future(gevent.spawn(wait, number)) for number in range(5)]
    await asyncio.sleep(0.01)
    return await asyncio.gather(*futures)


def main():
    loop = asyncio_gevent.EventLoop()
    try:
        assert loop.run_until_complete(several()) == list(range(5))
    finally:
        loop.close()
    assert inside.most == 5


run(main)
