"""A Timeout in place of a number of seconds; and a text as its exception."""

import threading

import pytest

from hubcore import Timeout, iwait, joinall, killall, sleep, spawn, wait, with_timeout
from hubcore.channel import open_channel
from hubcore.event import AsyncResult, Event
from hubcore.lock import Condition, RLock, Semaphore
from hubcore.pool import Group, Pool, PoolFull
from hubcore.queue import Channel, LifoQueue, PriorityQueue, Queue, SimpleQueue
from hubcore.scopes import move_on_after
from hubcore.socket import socketpair, wait_read

TICK = 0.003  # seconds; real time on real backends
LONG = 1000
_tasks = []


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change. Greenlets that still sleep are killed."""
    yield
    killall(_tasks)
    _tasks.clear()


class Own(Exception):
    pass


def taken_lock():
    lock = RLock()
    spawn(lock.acquire).join()
    return lock


def held_condition():
    condition = Condition()
    condition.acquire()
    return condition


def idle_fd(timeout):
    a, b = socketpair()
    with a, b:
        wait_read(a.fileno(), timeout=timeout)


def a_task():
    _tasks.append(spawn(sleep, LONG))
    return _tasks[-1]


def group_of_one():
    return Group(a_task())


def receive(timeout):
    sender, receiver = open_channel(1)
    with sender, receiver:
        receiver.receive(timeout=timeout)


def send(timeout):
    sender, receiver = open_channel(1)
    with sender, receiver:
        sender.send(1)
        sender.send(2, timeout=timeout)


#: Calls that raise the Timeout itself.
RAISE = {
    **{
        kind.__name__ + ".get": (lambda t, kind=kind: kind().get(timeout=t)) for kind in (Queue, SimpleQueue, LifoQueue)
    },
    "PriorityQueue.get": lambda t: PriorityQueue().get(timeout=t),
    "Queue.put": lambda t: Queue(1, [1]).put(2, timeout=t),
    "Queue.peek": lambda t: Queue().peek(timeout=t),
    "Channel.get": lambda t: Channel().get(timeout=t),
    "Channel.put": lambda t: Channel().put(1, timeout=t),
    "ReceiveChannel.receive": receive,
    "SendChannel.send": send,
    "AsyncResult.get": lambda t: AsyncResult().get(timeout=t),
    "AsyncResult.result": lambda t: AsyncResult().result(timeout=t),
    "Greenlet.get": lambda t: a_task().get(timeout=t),
    "wait_read": idle_fd,
    "with_timeout": lambda t: with_timeout(t, sleep, LONG),
}
#: Calls that return, and what.
RETURN = {
    "AsyncResult.wait": (lambda t: AsyncResult().wait(timeout=t), None),
    "Event.wait": (lambda t: Event().wait(timeout=t), False),
    "Greenlet.join": (lambda t: a_task().join(timeout=t), None),
    "Semaphore.acquire": (lambda t: Semaphore(0).acquire(timeout=t), False),
    "Semaphore.wait": (lambda t: Semaphore(0).wait(timeout=t), 0),
    "RLock.acquire": (lambda t: taken_lock().acquire(timeout=t), False),
    "Condition.wait": (lambda t: held_condition().wait(timeout=t), False),
    "Queue.join": (lambda t: Queue(unfinished_tasks=1).join(timeout=t), False),
    "Group.join": (lambda t: group_of_one().join(timeout=t), False),
    "Pool.wait_available": (lambda t: Pool(0).wait_available(timeout=t), 0),
}


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("exception", [None, False, "a text"])
@pytest.mark.parametrize("name", RAISE)
def test_a_call_that_raises_raises_that_timeout(name, exception, started):
    timeout = Timeout(TICK, exception)
    if started:
        timeout.start()
    with pytest.raises(Timeout) as caught:
        RAISE[name](timeout)
    assert caught.value is timeout
    assert not timeout.pending


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("exception", [None, False, "a text"])
@pytest.mark.parametrize("name", RETURN)
def test_a_call_that_returns_returns(name, exception, started):
    call, result = RETURN[name]
    timeout = Timeout(TICK, exception)
    if started:
        timeout.start()
    assert call(timeout) is result
    assert not timeout.pending


@pytest.mark.parametrize("exception", [Own, Own("instance")])
@pytest.mark.parametrize("name", [*RAISE, *RETURN])
def test_its_own_exception_is_raised_by_every_call(name, exception):
    call = RAISE.get(name) or RETURN[name][0]
    timeout = Timeout(TICK, exception)
    with pytest.raises(Own):
        call(timeout)
    assert not timeout.pending


def test_a_wait_that_is_woken_cancels_it():
    event, queue = Event(), Queue()
    for timeout in (Timeout(TICK), Timeout.start_new(TICK), Timeout(None)):
        spawn(event.set)
        assert event.wait(timeout)
        event.clear()
        spawn(queue.put, 7)
        assert queue.get(timeout=timeout) == 7
        assert not timeout.pending
    sleep(2 * TICK)  # nothing is raised later


def test_a_call_that_need_not_wait_does_not_start_it():
    event, timeout = Event(), Timeout(TICK)
    event.set()
    assert event.wait(timeout)
    assert not timeout.pending
    sleep(2 * TICK)


def test_it_may_be_used_again():
    timeout, queue = Timeout(TICK), Queue()
    for _ in range(3):
        with pytest.raises(Timeout) as caught:
            queue.get(timeout=timeout)
        assert caught.value is timeout


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_time_at_all_ends_the_wait_at_the_next_turn(seconds):
    timeout = Timeout(seconds)
    with pytest.raises(Timeout) as caught:
        Queue().get(timeout=timeout)
    assert caught.value is timeout
    assert not Event().wait(Timeout(seconds))


def test_another_timeout_around_the_call_is_raised_and_it_is_cancelled():
    inner = Timeout(2 * TICK)
    with pytest.raises(Timeout) as caught, Timeout(TICK) as outer:
        Event().wait(inner)
    assert caught.value is outer
    assert not inner.pending
    sleep(3 * TICK)


def test_a_kill_and_a_scope_end_the_call_and_cancel_it():
    timeout = Timeout(5 * TICK)
    task = spawn(Event().wait, timeout)
    sleep(0)
    assert timeout.pending
    task.kill()
    assert not timeout.pending
    with move_on_after(TICK) as scope:
        Queue().get(timeout=timeout)
    assert scope.cancelled_caught
    assert not timeout.pending


def test_nothing_is_lost_when_the_item_and_the_end_cross():
    queue = Queue()
    timeout = Timeout(TICK)
    spawn(lambda: (sleep(TICK), queue.put("item")))
    try:
        got = queue.get(timeout=timeout)
    except Timeout:
        got = queue.get()
    assert got == "item"
    assert queue.qsize() == 0


def test_a_pool_without_room_is_full():
    with pytest.raises(PoolFull):
        Pool(0).add(a_task(), timeout=Timeout(TICK))


def test_killall_raises_it():
    def stays():
        while True:
            try:
                sleep(LONG)
            except BaseException:
                if done:
                    raise

    done = []
    task = spawn(stays)
    sleep(0)
    timeout = Timeout(TICK)
    with pytest.raises(Timeout) as caught:
        killall([task], timeout=timeout)
    assert caught.value is timeout
    done.append(True)
    task.kill()


@pytest.mark.parametrize(
    "call",
    [
        lambda t: wait([Event()], timeout=t),
        lambda t: joinall([Event()], timeout=t),
        lambda t: joinall([Event()], timeout=t, raise_error=True),
        lambda t: iwait([Event()], timeout=t),
    ],
)
def test_calls_that_return_what_is_ready_take_seconds_only(call):
    with pytest.raises(
        TypeError, match=r"timeout must be a number of seconds or None here, not <Timeout.*with Timeout"
    ):
        call(Timeout(TICK))


def test_one_that_another_greenlet_has_started_is_refused():
    theirs = []
    other = spawn(lambda: (theirs.append(Timeout.start_new(LONG)), sleep(LONG)))
    sleep(0)
    with pytest.raises(AssertionError, match=r"was started by .* and cannot limit a wait"):
        Event().wait(theirs[0])
    other.kill()
    theirs[0].cancel()


def test_a_wait_of_a_thread_without_a_hub_takes_one():
    seen = []

    def run():
        seen.append(Event().wait(Timeout(0.001)))
        for given in (Timeout(0.001), Timeout(0.001, Own)):
            try:
                Queue().get(timeout=given)
            except (Timeout, Own) as raised:
                seen.append(raised is given or type(raised))
        try:
            Event().wait(Timeout(0.001, Own("own")))
        except Own:
            seen.append("own")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [False, True, Own, "own"]


def test_a_hub_callback_may_try_with_one_of_no_time(hub):
    seen = []

    def try_it():
        seen.append(Event().wait(Timeout(0)))

    hub.loop.run_callback(try_it)
    sleep(0)
    assert seen == [False]


# Timeout(seconds, text), Timeout(Timeout(seconds))


def test_a_text_is_part_of_the_timeouts_own_text():
    timeout = Timeout(TICK, "upstream")
    with pytest.raises(Timeout) as caught, timeout:
        sleep(LONG)
    assert caught.value is timeout
    assert str(timeout) == f"{TICK} seconds: upstream"
    assert timeout.exception == "upstream"
    with pytest.raises(Timeout, match=rf"{TICK} seconds: the database"):
        Timeout.start_new(TICK, "the database")
        sleep(LONG)


def test_other_objects_are_refused_by_name():
    for given in (42, b"bytes", object, ["text"]):
        with pytest.raises(TypeError, match=r"exception must be an exception.*a text.*not"):
            Timeout(1, given)


def test_a_timeout_of_a_timeout_has_its_seconds():
    assert Timeout(Timeout(3)).seconds == 3
    assert Timeout(Timeout(None)).seconds is None
    with pytest.raises(Timeout), Timeout(Timeout(TICK)):
        sleep(LONG)


def test_with_timeout_takes_a_timeout_and_returns_the_value_given_for_it():
    assert with_timeout(Timeout(TICK), sleep, LONG, timeout_value=7) == 7
    assert with_timeout(Timeout(2 * TICK), int, "5") == 5
    with pytest.raises(Own):
        with_timeout(Timeout(TICK, Own), sleep, LONG, timeout_value=7)
    sleep(3 * TICK)
