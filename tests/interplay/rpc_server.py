"""A gRPC server in a process of its own, on the native threads that it needs: `python rpc_server.py`.

It prints its port. /play/Gate answers once as many calls as the request says are in flight, /play/Never when the call
is over; /play/Count, Total and Echo stream answers, requests and both.
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc


class Handlers(grpc.GenericRpcHandler):
    begun = threading.Event()  # a call that is never answered
    ended = threading.Event()

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.gates: dict[int, threading.Barrier] = {}

    def service(self, details):
        made, function = {
            "/play/Gate": (grpc.unary_unary_rpc_method_handler, self.gate),
            "/play/Never": (grpc.unary_unary_rpc_method_handler, self.never),
            "/play/Count": (grpc.unary_stream_rpc_method_handler, self.count),
            "/play/Total": (grpc.stream_unary_rpc_method_handler, self.total),
            "/play/Echo": (grpc.stream_stream_rpc_method_handler, self.echo),
        }.get(details.method, (None, None))
        return made and made(function)

    def gate(self, request, _):
        with self.lock:
            barrier = self.gates.setdefault(int(request), threading.Barrier(int(request)))
        barrier.wait(30)
        return request

    def never(self, request, context):
        over = threading.Event()
        if not context.add_callback(over.set):
            over.set()
        self.begun.set()
        over.wait(30)
        self.ended.set()
        return request

    def count(self, request, _):
        for number in range(int(request)):
            yield b"%d" % number

    def total(self, requests, _):
        return b"%d" % sum(int(request) for request in requests)

    def echo(self, requests, _):
        yield from requests


if __name__ == "__main__":
    server = grpc.server(ThreadPoolExecutor(20), handlers=[Handlers()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()  # until whoever started it goes away
    server.stop(0)
