"""A pytest plugin: each test runs in a greenlet beside a running asyncio loop, whose guests the test's loops are.

    python -m pytest -p tests.aio.guest_host --guest-host=uvloop --hub-backend=tests.aio.guest_host:GuestLoop ...

What a test starts in another thread or process has no host, as there is none there.
"""

import asyncio
import threading

import pytest
from _pytest.runner import runtestprotocol
from greenlet import getcurrent, greenlet

from hubcore._core.running_loop import restore_state, save_state
from hubcore.backends.asyncio_ import AsyncioLoop

_host = None
_main = threading.main_thread().ident


class GuestLoop(AsyncioLoop):
    """A guest from its beginning, although it is made in a greenlet. Without a hub it counts what keeps it alive."""

    name = "tests.aio.guest_host:GuestLoop"

    def __init__(self, flags=None, default=None):
        super().__init__(flags, default)
        if _host is not None and self.thread_ident == _main and _host.is_running():
            self._attach(_host)
            self._host_greenlet = getcurrent().parent
            self._lent = True

    def alive(self):
        return AsyncioLoop.alive(self) if self.hub is not None else super(AsyncioLoop, self).alive()


def pytest_addoption(parser):
    parser.addoption("--guest-host", default="asyncio", choices=["asyncio", "uvloop"])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """Run the test with its fixtures in a greenlet, while a coroutine of the host goes on."""
    global _host
    if item.config.getoption("--guest-host") == "uvloop":
        import uvloop

        host = uvloop.new_event_loop()
    else:
        host = asyncio.new_event_loop()
    ended = host.create_future()

    def run():
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        runtestprotocol(item, nextitem=nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        host.call_soon_threadsafe(ended.set_result, None)

    def start():
        state = save_state()
        greenlet(run).switch()
        restore_state(state)

    async def main():
        ticks = 0
        host.call_soon(start)
        while not ended.done():
            await asyncio.sleep(0.001)
            ticks += 1
        return ticks

    _host = host
    try:
        host.run_until_complete(main())
    finally:
        _host = None
        host.close()
    return True
