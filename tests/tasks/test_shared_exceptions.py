"""One exception instance that is raised in many greenlets: each traceback shows its own greenlet's frames only."""

import gc
import traceback
import weakref

import pytest

import hubcore
from hubcore import Greenlet, Timeout, sleep, spawn
from hubcore.event import AsyncResult, Event
from hubcore.lock import Semaphore
from hubcore.pool import Group, Pool
from hubcore.queue import Queue

MANY = 20


class Boom(Exception):
    pass


class Large:
    """A local variable of a greenlet."""


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""
    hub.exception_stream = None


def kill_each(error, tasks):
    for task in tasks:
        task.kill(error)


def kill_each_later(error, tasks):
    for task in tasks:
        task.kill(error, block=False)
    hubcore.joinall(tasks)


def kill_all(error, tasks):
    hubcore.killall(tasks, error)


def kill_pool(error, tasks):
    pool = Pool(MANY)
    for task in tasks:
        pool.add(task)
    pool.kill(error)


def kill_group(error, tasks):
    Group(tasks).kill(error)


def kill_by_function(error, tasks):
    for task in tasks:
        hubcore.kill(task, error)
    hubcore.joinall(tasks)


WAITS = {
    "sleep": lambda: sleep(100),
    "event": lambda: Event().wait(100),
    "lock": lambda: Semaphore(0).acquire(timeout=100),
    "queue": lambda: Queue().get(timeout=100),
    "yield": lambda: [sleep(0) for _ in range(10000)],
}


def frames(trace):
    return [entry.name for entry in traceback.extract_tb(trace)]


def depth(error):
    return len(frames(error.__traceback__))


def fleet(wait, living, catch=False):
    """Greenlets that wait in functions of different names, each with a large local."""

    def make(number):
        def body():
            large = Large()
            living.append(weakref.ref(large))
            wait()

        body.__code__ = body.__code__.replace(co_name=f"body_{number}")
        return body

    tasks = [spawn(make(number)) for number in range(MANY)]
    sleep(0)
    return tasks


@pytest.mark.parametrize("wait", WAITS.values(), ids=list(WAITS))
@pytest.mark.parametrize(
    "end", [kill_each, kill_each_later, kill_all, kill_pool, kill_group, kill_by_function], ids=lambda end: end.__name__
)
def test_killed_with_one_instance(end, wait):
    error = Boom("one for all")
    living = []
    tasks = fleet(wait, living)
    end(error, tasks)
    assert [task.exception for task in tasks] == [error] * MANY
    for number, task in enumerate(tasks):
        names = [name for name in frames(task.exc_info[2]) if name.startswith("body_")]
        assert names == [f"body_{number}"]
    assert depth(error) < 12
    del tasks, task
    assert sum(ref() is not None for ref in living) <= 1
    del error
    assert not any(ref() for ref in living)


def test_killed_unstarted_with_an_instance_that_was_raised_elsewhere():
    error = Boom()
    first = spawn(sleep, 100)
    sleep(0)
    first.kill(error)
    second = spawn(sleep, 100)
    third = hubcore.spawn_later(100, sleep)
    hubcore.killall([second, third], error)
    assert frames(second.exc_info[2]) == frames(third.exc_info[2]) == []
    with pytest.raises(Boom) as caught:
        second.get()
    assert caught.value is error
    assert not any("sleep" in name for name in frames(caught.value.__traceback__))


def test_the_killer_itself_is_killed_with_an_instance_that_was_raised_elsewhere():
    error = Boom()

    def kill_myself(how):
        how(hubcore.getcurrent())

    ways = [
        lambda own: own.kill(error),
        lambda own: hubcore.killall([own], error),
        lambda own: Group([own]).kill(error),
    ]
    for way in ways * 2:
        task = spawn(kill_myself, way)
        task.join()
        assert task.exception is error
        assert frames(task.exc_info[2]).count("kill_myself") == 1


def test_where_the_program_raised_it_stays_in_the_traceback():
    def origin():
        raise Boom

    try:
        origin()
    except Boom as raised:
        error = raised
    for _ in range(3):
        task = spawn(sleep, 100)
        sleep(0)
        task.kill(error)
        assert frames(task.exc_info[2])[-1] == "origin"
        assert frames(task.exc_info[2]).count("origin") == 1


def test_the_cause_stays_and_the_context_is_each_greenlets_own():
    error = Boom()
    error.__cause__ = cause = ValueError("the cause")

    def handling(other):
        try:
            raise other
        except Exception:
            sleep(100)

    contexts = [KeyError("of the first"), None, KeyError("of the third")]
    for context in contexts:
        task = spawn(handling, context) if context is not None else spawn(sleep, 100)
        sleep(0)
        task.kill(error)
        assert task.exception is error
        assert error.__cause__ is cause
        assert error.__context__ is context


@pytest.mark.parametrize("kind", ["instance", "timeout"])
def test_a_timeout_that_is_started_again(kind):
    error = Boom()
    living = []
    timeout = Timeout(0.001, error if kind == "instance" else None)
    expected = error if kind == "instance" else timeout

    def waits():
        large = Large()
        living.append(weakref.ref(large))
        sleep(100)

    for _ in range(MANY):
        timeout.start()
        with pytest.raises((Boom, Timeout)) as caught:
            waits()
        assert caught.value is expected
        assert frames(expected.__traceback__).count("waits") == 1
        del caught
    assert sum(ref() is not None for ref in living) <= 1


def test_timeouts_of_many_greenlets_that_share_an_instance():
    error = Boom()
    living = []

    def wait():
        with Timeout(0.001, error):
            sleep(100)

    tasks = fleet(wait, living)
    hubcore.joinall(tasks)
    for number, task in enumerate(tasks):
        assert [name for name in frames(task.exc_info[2]) if name.startswith("body_")] == [f"body_{number}"]
    del tasks, task
    assert sum(ref() is not None for ref in living) <= 1


def test_the_timeout_exception_of_a_wait_for_an_fd():
    import socket

    from hubcore.socket import wait_read

    ours, theirs = socket.socketpair()
    error = Boom()
    for _ in range(3):
        with pytest.raises(Boom):
            wait_read(ours.fileno(), 0.001, error)
        assert frames(error.__traceback__).count("test_the_timeout_exception_of_a_wait_for_an_fd") == 1
    ours.close()
    theirs.close()


def test_many_readers_of_one_failed_result():
    error = Boom()
    living = []
    result = AsyncResult()
    tasks = fleet(result.get, living)
    result.set_exception(error)
    hubcore.joinall(tasks)
    for number, task in enumerate(tasks):
        assert [name for name in frames(task.exc_info[2]) if name.startswith("body_")] == [f"body_{number}"]
    del tasks, task
    assert sum(ref() is not None for ref in living) <= 1


def test_many_results_with_one_failure():
    error = Boom()
    living = []
    for number in range(MANY):
        result = AsyncResult()

        def wait(result=result):
            large = Large()
            living.append(weakref.ref(large))
            result.get()

        task = spawn(wait)
        sleep(0)
        result.set_exception(error)
        task.join()
        assert frames(task.exc_info[2]).count("wait") == 1, number
    del task, wait, result
    assert sum(ref() is not None for ref in living) <= 1


def test_a_failed_result_shows_where_the_failure_came_from():
    def origin():
        raise Boom

    result, further = AsyncResult(), AsyncResult()
    try:
        origin()
    except Boom as error:
        result.set_exception(error)

    def passes_on():
        try:
            result.get()
        except Boom as error:
            further.set_exception(error)

    spawn(passes_on)
    with pytest.raises(Boom) as caught:
        further.get()
    names = frames(caught.value.__traceback__)
    assert names[-1] == "origin"
    assert names.count("origin") == 1
    assert "passes_on" in names


def test_a_thread_without_a_hub_waits_with_the_others():
    import threading

    error = Boom()
    found = []
    result = AsyncResult()

    def in_thread():
        try:
            result.get()
        except Boom as raised:
            found.append(frames(raised.__traceback__))

    thread = threading.Thread(target=in_thread)
    thread.start()
    task = Greenlet.spawn(result.get)
    sleep(0)
    result.set_exception(error)
    task.join()
    thread.join()
    assert len(found) == 1
    assert found[0].count("in_thread") == 1


def test_no_garbage_is_made():
    gc.collect()
    gc.disable()
    try:
        error = Boom()
        living = []
        tasks = fleet(WAITS["sleep"], living)
        hubcore.killall(tasks, error)
        del tasks, error
        assert not any(ref() for ref in living)
    finally:
        gc.enable()
