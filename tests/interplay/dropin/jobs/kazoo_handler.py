"""kazoo's SequentialGeventHandler: async results, select, locks, queues of callbacks."""

import gevent
from common import run
from kazoo.handlers.gevent import SequentialGeventHandler


def main():
    handler = SequentialGeventHandler()
    handler.start()
    result = handler.async_result()
    gevent.spawn_later(0.05, result.set, 7)
    assert result.get(timeout=10) == 7
    lock, event = handler.lock_object(), handler.event_object()
    with lock:
        gevent.spawn_later(0.05, event.set)
        event.wait(10)
    assert event.is_set()
    one, two = handler.socketpair() if hasattr(handler, "socketpair") else gevent.socket.socketpair()
    gevent.spawn_later(0.05, two.sendall, b"x")
    assert handler.select([one], [], [], 10)[0] == [one]
    assert handler.spawn(lambda: 3).get(timeout=10) == 3
    for each in (one, two):
        each.close()
    handler.stop()


run(main)
