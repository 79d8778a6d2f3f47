"""kombu: finds gevent, and 20 messages by a SimpleQueue over Redis, producer and consumer at once."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402

import gevent  # noqa: E402
from common import Ticks, run  # noqa: E402
from kombu import Connection  # noqa: E402
from kombu.utils.compat import detect_environment  # noqa: E402


def main():
    assert detect_environment() == "gevent"
    ticks = Ticks()

    def produce():
        with Connection(os.environ["REDIS"]) as connection, connection.SimpleQueue("hubcore-job") as queue:
            for number in range(20):
                queue.put({"number": number})
                gevent.sleep(0.01)

    def consume():
        with Connection(os.environ["REDIS"]) as connection, connection.SimpleQueue("hubcore-job") as queue:
            found = []
            while len(found) < 20:
                message = queue.get(timeout=20)
                found.append(message.payload["number"])
                message.ack()
            return found

    consumer = gevent.spawn(consume)
    gevent.sleep(0.2)
    producer = gevent.spawn(produce)
    assert consumer.get(timeout=30) == list(range(20))
    producer.get(timeout=5)
    ticks.end(5)


run(main)
