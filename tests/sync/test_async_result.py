"""AsyncResult: a value or an exception that is set later."""

import traceback

import pytest

import hubcore
from hubcore import GreenletExit, Timeout, spawn
from hubcore.event import AsyncResult
from hubcore.exceptions import BlockingSwitchOutError, LoopExit
from hubcore.testing import settle


def test_before_it_is_there(hub):
    result = AsyncResult()
    assert (result.ready(), result.done(), result.successful()) == (False, False, False)
    assert (result.value, result.exception, result.exc_info) == (None, None, ())
    assert (result.cancel(), result.cancelled()) == (False, False)
    assert result.wait(0) is None
    assert result.wait(0.001) is None
    assert "0 waiting" in repr(result)


@pytest.mark.parametrize("give", ["set", "set_result"])
def test_a_value(hub, give):
    result = AsyncResult()
    getattr(result, give)(5)
    assert (result.ready(), result.done(), result.successful()) == (True, True, True)
    assert (result.value, result.exception, result.exc_info) == (5, None, ())
    assert (result.get(), result.get_nowait(), result.result(), result.wait()) == (5, 5, 5, 5)
    assert "value=5" in repr(result)
    getattr(result, give)()
    assert result.get() is None


def test_an_exception(hub):
    result, error = AsyncResult(), KeyError("key")
    result.set_exception(error)
    assert (result.ready(), result.done(), result.successful()) == (True, True, False)
    assert (result.value, result.exception) == (None, error)
    assert result.exc_info[:2] == (KeyError, error)
    assert result.wait() is None
    for get in (result.get, result.get_nowait, result.result):
        with pytest.raises(KeyError) as caught:
            get()
        assert caught.value is error
    assert "failed with KeyError" in repr(result)


def test_an_exception_keeps_the_traceback_that_it_is_given(hub):
    def fails():
        raise KeyError("key")

    result = AsyncResult()
    try:
        fails()
    except KeyError as error:
        info = (type(error), error, error.__traceback__)
        error.__traceback__ = None
        result.set_exception(error, info)
    with pytest.raises(KeyError) as caught:
        result.get()
    assert "fails" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    depth = len(traceback.extract_tb(caught.value.__traceback__))
    with pytest.raises(KeyError) as caught:
        result.get()
    assert len(traceback.extract_tb(caught.value.__traceback__)) == depth  # it does not grow with each get


def test_what_is_no_exception_is_refused(hub):
    result = AsyncResult()
    with pytest.raises(TypeError, match="not 'x'"):
        result.set_exception("x")
    assert not result.ready()


def test_all_who_get_are_woken_in_their_order(hub):
    result, got = AsyncResult(), []
    tasks = [spawn(lambda number=number: got.append((number, result.get()))) for number in range(4)]
    settle(hub)
    assert result.linkcount() == 4
    result.set("x")
    assert got == []
    hubcore.joinall(tasks, raise_error=True)
    assert got == [(number, "x") for number in range(4)]


def test_one_that_is_replaced_before_those_who_get_it_go_on_is_the_new_one(hub):
    result = AsyncResult()
    task = spawn(result.get)
    settle(hub)
    result.set(1)
    result.set_exception(KeyError("late"))
    result.set(2)
    assert task.get() == 2


def test_what_was_there_before_may_look_when_it_goes(hub):
    result, seen = AsyncResult(), []

    class Old:
        def __del__(self):
            seen.append((result.ready(), result.value))

    result.set(Old())
    result.set("new")
    assert seen == [(True, "new")]


@pytest.mark.parametrize(
    ("get", "seconds"),
    [
        (lambda result: result.get(timeout=0.001), 0.001),
        (lambda result: result.get(True, 0), 0),
        (lambda result: result.get(True, -1), -1),
        (lambda result: result.get_nowait(), None),
        (lambda result: result.get(False, 5), None),
        (lambda result: result.result(0.001), 0.001),
    ],
)
def test_not_there_in_time_is_a_timeout(hub, get, seconds):
    result = AsyncResult()
    with pytest.raises(Timeout) as caught:
        get(result)
    assert caught.value.seconds == seconds
    assert result.linkcount() == 0


def test_a_kill_ends_the_wait(hub):
    result = AsyncResult()
    task = spawn(result.get)
    settle(hub)
    task.kill()
    assert isinstance(task.value, GreenletExit)
    assert result.linkcount() == 0


def test_it_is_a_link_that_takes_over_how_a_greenlet_ended(hub):
    good, bad, killed = AsyncResult(), AsyncResult(), AsyncResult()

    def fails():
        raise KeyError("key")

    spawn(lambda: 5).link(good)
    spawn(fails).link(bad)
    victim = spawn(hubcore.sleep, 10)
    victim.link(killed)
    settle(hub)
    victim.kill()
    assert good.get() == 5
    with pytest.raises(KeyError) as caught:
        bad.get()
    assert "fails" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert isinstance(killed.get(), GreenletExit)


def test_one_takes_over_from_another(hub):
    first, second, third = AsyncResult(), AsyncResult(), AsyncResult()
    first.rawlink(second)
    second.rawlink(third)
    first.set(5)
    assert third.get() == 5


def test_links_wait_and_iwait(hub):
    first, second, calls = AsyncResult(), AsyncResult(), []
    first.rawlink(calls.append)
    hub.loop.run_callback(first.set, 1)
    assert hubcore.wait([first, second], count=1) == [first]
    settle(hub)
    assert calls == [first]
    second.set_exception(KeyError())
    assert list(hubcore.iwait([first, second])) == [first, second]
    assert (first.linkcount(), second.linkcount()) == (0, 0)


def test_in_the_hub_it_is_given_and_asked_for_but_not_waited_for(hub):
    result, other, said = AsyncResult(), AsyncResult(), []

    def callback():
        with pytest.raises(BlockingSwitchOutError):
            other.get()
        with pytest.raises(BlockingSwitchOutError):
            other.wait(1)
        with pytest.raises(Timeout):
            other.get(False)
        said.append(other.linkcount())
        result.set(5)
        said.append(result.get())

    hub.loop.run_callback(callback)
    assert result.get(timeout=5) == 5
    assert said == [0, 5]


def test_nobody_who_could_give_it_is_a_loop_exit(hub):
    with pytest.raises(LoopExit, match="<AsyncResult at"):
        AsyncResult().get()
