"""A gRPC server in a process of its own, on the native threads that it needs: `python rpc_server.py`.

It prints its port. /play/Gate answers once as many calls as the request says are in flight; /play/Count streams.
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

lock = threading.Lock()
gates: dict[int, threading.Barrier] = {}


def gate(request: bytes, _: grpc.ServicerContext) -> bytes:
    with lock:
        barrier = gates.setdefault(int(request), threading.Barrier(int(request)))
    barrier.wait(30)
    return request


def count(request: bytes, _: grpc.ServicerContext):
    for number in range(int(request)):
        yield b"%d" % number


class Handlers(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == "/play/Gate":
            return grpc.unary_unary_rpc_method_handler(gate)
        if details.method == "/play/Count":
            return grpc.unary_stream_rpc_method_handler(count)
        return None


if __name__ == "__main__":
    server = grpc.server(ThreadPoolExecutor(20), handlers=[Handlers()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()  # until whoever started it goes away
    server.stop(0)
