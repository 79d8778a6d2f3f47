"""What greenlets wait for, and what a loop knows by identity, cannot be copied or pickled: TypeError, as of a lock."""

import copy
import pickle

import pytest

import hubcore
from hubcore import CancelScope, TaskGroup, Timeout, get_hub
from hubcore.event import AsyncResult, Event
from hubcore.lock import RLock, Semaphore
from hubcore.pool import Group, Pool
from hubcore.queue import Queue
from hubcore.threadpool import ThreadPool


class Result(AsyncResult):
    """Also of a subclass with a dict of its own."""

    def __init__(self):
        super().__init__()
        self.own = 1


THINGS = {
    "AsyncResult": AsyncResult,
    "subclass": Result,
    "spawn_threadsafe": lambda: get_hub().spawn_threadsafe(hubcore.sleep),
    "call in a thread": lambda: get_hub().threadpool.spawn(len, ()),
    "Event": Event,
    "Semaphore": Semaphore,
    "RLock": RLock,
    "Queue": Queue,
    "Group": Group,
    "Pool": lambda: Pool(2),
    "ThreadPool": lambda: ThreadPool(2),
    "TaskGroup": TaskGroup,
    "CancelScope": CancelScope,
    "timer": lambda: get_hub().loop.timer(1),
    "io": lambda: get_hub().loop.io(0, 1),
    "waiter": lambda: get_hub().new_waiter("a test"),
}


@pytest.mark.parametrize("make", THINGS.values(), ids=list(THINGS))
@pytest.mark.parametrize("attempt", [copy.copy, copy.deepcopy, pickle.dumps], ids=lambda call: call.__name__)
def test_it_cannot_be_copied(hub, make, attempt):
    thing = make()
    with pytest.raises(TypeError, match="cannot pickle"):
        attempt(thing)
    hub.join(5)


def test_a_result_that_is_ready_cannot_be_copied_either(hub):
    result = AsyncResult()
    result.set(1)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"cannot pickle 'hubcore\.event\.AsyncResult' object"):
            attempt(result)
    assert result.get() == 1


def test_a_copy_of_a_running_timeout_is_a_timeout_that_does_not_run(hub):
    timeout = Timeout(5)
    timeout.start()
    for other in (copy.copy(timeout), pickle.loads(pickle.dumps(timeout))):
        assert other.seconds == 5
        assert not other.pending
        other.cancel()
        assert timeout.pending
    timeout.cancel()
