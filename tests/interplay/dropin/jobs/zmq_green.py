"""pyzmq's zmq.green: REQ/REP of five at once, a poller, 2000 messages PUSH to PULL, kill, Timeout, term."""

import gevent
import zmq.green as zmq
from common import Together, run


def main():
    context = zmq.Context()
    inside = Together()

    def serve(router):
        pool = []
        while True:
            frames = router.recv_multipart()
            pool.append(gevent.spawn(answer, router, frames))

    def answer(router, frames):
        with inside:
            gevent.sleep(0.2)
        router.send_multipart([*frames[:-1], b"re:" + frames[-1]])

    router = context.socket(zmq.ROUTER)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    server = gevent.spawn(serve, router)

    def ask(number):
        request = context.socket(zmq.REQ)
        request.connect(f"tcp://127.0.0.1:{port}")
        request.send(b"%d" % number)
        poller = zmq.Poller()
        poller.register(request, zmq.POLLIN)
        assert dict(poller.poll(20_000)) == {request: zmq.POLLIN}
        found = request.recv()
        request.close(linger=0)
        return found

    jobs = [gevent.spawn(ask, number) for number in range(5)]
    assert [job.get(timeout=20) for job in jobs] == [b"re:%d" % number for number in range(5)]
    assert inside.most == 5

    push, pull = context.socket(zmq.PUSH), context.socket(zmq.PULL)
    push.connect(f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}")
    reader = gevent.spawn(lambda: [pull.recv() for _ in range(2000)])
    for number in range(2000):
        push.send(b"%d" % number)
    assert reader.get(timeout=20) == [b"%d" % number for number in range(2000)]

    waiting = gevent.spawn(pull.recv)
    gevent.sleep(0.05)
    waiting.kill(timeout=5)
    assert waiting.ready()
    with gevent.Timeout(0.1, False):
        pull.recv()
        raise AssertionError("nothing was sent")
    server.kill(timeout=5)
    for each in (router, push, pull):
        each.close(linger=0)
    context.term()


run(main)
