"""A coroutine function that is to run in a greenlet or thread is refused: its code would never run."""

import functools
import re

import pytest

import hubcore
import hubcore.aio
from hubcore import Greenlet, TaskGroup, get_hub, spawn, spawn_later, spawn_raw
from hubcore.pool import Group, Pool
from hubcore.server import StreamServer
from hubcore.threadpool import ThreadPool


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


async def coroutine_function(*arguments):
    pytest.fail("it must not run")


async def asynchronous_generator(*arguments):
    yield pytest.fail("it must not run")


class Object:
    async def method(self, *arguments):
        pytest.fail("it must not run")

    @classmethod
    async def of_class(cls, *arguments):
        pytest.fail("it must not run")

    @staticmethod
    async def static(*arguments):
        pytest.fail("it must not run")


class Callable:
    async def __call__(self, *arguments):
        pytest.fail("it must not run")


REFUSED = {
    "function": coroutine_function,
    "generator": asynchronous_generator,
    "method": Object().method,
    "class method": Object.of_class,
    "static method": Object.static,
    "partial": functools.partial(coroutine_function, 1),
    "partial of a method": functools.partial(functools.partial(Object().method, 1), 2),
    "callable object": Callable(),
    "lambda in a partial": functools.partial(Callable(), 1),
}


def by_group(function):
    with TaskGroup() as group:
        group.spawn(function)


def by_start(function):
    with TaskGroup() as group:
        group.start(function)


def by_thread_pool(function):
    get_hub().threadpool.spawn(function)


def by_server(function):
    StreamServer(("127.0.0.1", 0), function)


WAYS = {
    "spawn": spawn,
    "spawn_later": lambda function: spawn_later(1, function),
    "spawn_raw": spawn_raw,
    "Greenlet": Greenlet,
    "Greenlet.spawn": Greenlet.spawn,
    "Greenlet.spawn_later": lambda function: Greenlet.spawn_later(1, function),
    "Group.spawn": lambda function: Group().spawn(function),
    "Pool.spawn": lambda function: Pool(1).spawn(function),
    "Pool.apply": lambda function: Pool(1).apply(function),
    "Pool.apply_async": lambda function: Pool(1).apply_async(function),
    "Pool.map": lambda function: Pool(1).map(function, [1]),
    "Pool.imap": lambda function: list(Pool(1).imap(function, [1])),
    "Pool.imap_unordered": lambda function: list(Pool(1).imap_unordered(function, [1])),
    "spawn_threadsafe": lambda function: get_hub().spawn_threadsafe(function),
    "TaskGroup.spawn": by_group,
    "TaskGroup.start": by_start,
    "ThreadPool.spawn": by_thread_pool,
    "ThreadPool.apply": lambda function: get_hub().threadpool.apply(function),
    "server": by_server,
}


def bare(error):
    return error.exceptions[0] if isinstance(error, ExceptionGroup) else error


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize("function", REFUSED.values(), ids=list(REFUSED))
def test_a_coroutine_function_is_refused(way, function):
    with pytest.raises((TypeError, ExceptionGroup)) as caught:
        way(function)
    error = bare(caught.value)
    assert isinstance(error, TypeError)
    assert "hubcore.aio.run" in str(error)
    assert "coroutine function" in str(error)


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_a_coroutine_is_refused_and_closed(way):
    coroutine = coroutine_function()
    with pytest.raises((TypeError, ExceptionGroup)) as caught:
        way(coroutine)
    assert re.search(
        r"must be callable, not the coroutine of coroutine_function\(\).*hubcore.aio.run", str(bare(caught.value))
    )


def test_a_room_of_a_pool_is_free_after_a_refusal():
    pool = Pool(1)
    with pytest.raises(TypeError):
        pool.spawn(coroutine_function)
    assert pool.free_count() == 1
    threads = ThreadPool(1)
    with pytest.raises(TypeError):
        threads.spawn(coroutine_function)
    assert threads.apply(len, ((1, 2),)) == 2


def test_a_subclass_whose_run_is_a_coroutine_function_is_refused():
    class Task(Greenlet):
        async def _run(self):
            pytest.fail("it must not run")

    for make in (Task, Task.spawn, lambda: Group().start(Task())):
        with pytest.raises(TypeError, match=r"_run\(\) must not be a coroutine function"):
            make()


def test_what_runs_goes_on_to_run():
    class Plain:
        def __call__(self, *arguments):
            return arguments

        def method(self, *arguments):
            return arguments

    generator_function = lambda *arguments: (each for each in arguments)  # noqa: E731
    for function in (Plain(), Plain().method, functools.partial(Plain()), Plain, max, [3].index, generator_function):
        assert spawn(callable, function).get()
    assert spawn(Plain(), 1).get() == (1,)
    assert spawn(Plain().method, 1).get() == (1,)
    assert spawn(functools.partial(Plain(), 1), 2).get() == (1, 2)
    assert spawn(max, 1, 2).get() == 2
    assert isinstance(spawn(Plain).get(), Plain)


def test_a_function_that_returns_a_coroutine_is_the_programs_business():
    coroutine = spawn(lambda: coroutine_function()).get()
    coroutine.close()


def test_aio_run_is_the_way():
    async def main():
        return "ran"

    assert spawn(hubcore.aio.run, main()).get() == "ran"
