"""execnet with its gevent model: items from a popen gateway, read in a greenlet."""

import execnet
import gevent
from common import run

execnet.set_execmodel("gevent")


def main():
    group = execnet.Group(execmodel="gevent")
    gateway = group.makegateway("popen//execmodel=main_thread_only")
    channel = gateway.remote_exec("for i in range(5): channel.send(i)")
    reader = gevent.spawn(lambda: [channel.receive(timeout=20) for _ in range(5)])
    assert reader.get(timeout=30) == list(range(5))
    group.terminate(timeout=5)


run(main)
