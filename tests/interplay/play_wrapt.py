"""wrapt: proxies of locks, before and after the patch, and its decorator `synchronized` in threads."""

import threading
import time

import pytest
import wrapt

from hubcore.testing import run_python
from tests.interplay.many import together

pytestmark = pytest.mark.usefixtures("hub")


@pytest.mark.parametrize("patch", ["patch_all()", "patch_thread()", "patch_all(strict=False, rebind=True)"])
def test_proxies_of_locks_that_exist_before_the_patch(patch, hub_backend):
    done = run_python(
        f"""
        import threading, _thread, wrapt
        proxies = [wrapt.ObjectProxy(make()) for make in (threading.RLock, threading.Lock, threading.Condition)]
        lazy = wrapt.LazyObjectProxy(lambda: 1 / 0) if hasattr(wrapt, "LazyObjectProxy") else None
        class Holder:
            lock = proxies[0]
        @wrapt.synchronized
        def function():
            return 5
        import hubcore.monkey
        hubcore.monkey.{patch}
        for proxy in proxies:
            with proxy:
                pass
        with Holder.lock:
            print(function())
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("5\n", "")


def test_synchronized_lets_one_thread_in_at_a_time():
    inside, most = [], []

    class Account:
        @wrapt.synchronized
        def change(self):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.002)
            inside.pop()

    account = Account()
    together([account.change] * 10)
    assert most == [1] * 10


def test_a_proxy_of_a_condition():
    condition, log = wrapt.ObjectProxy(threading.Condition()), []

    def wait():
        with condition:
            log.append(condition.wait(20))

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.01)
    with condition:
        condition.notify_all()
    for thread in threads:
        thread.join()
    assert log == [True] * 3
