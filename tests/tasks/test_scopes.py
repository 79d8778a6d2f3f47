"""Cancel scopes: which code is cancelled, where `Cancelled` is raised, and which scope stops it."""

import gc
import threading
from math import inf

import pytest

import hubcore
from hubcore import Cancelled, CancelScope, GreenletExit, move_on_after, sleep, spawn, spawn_raw
from hubcore.exceptions import GreenletCancelled, InvalidThreadUseError


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


def run(function, *args):
    """Run it in a greenlet of its own, and in the main one: a scope works in both."""
    function(*args)
    spawn(function, *args).get()


# -- cancelling


def test_a_cancelled_block_is_cut_short_where_it_waits():
    def body():
        scope = CancelScope()
        spawn(scope.cancel, "enough")
        with scope:
            sleep(10)
            pytest.fail("it goes on")
        assert scope.cancel_called
        assert scope.cancelled_caught
        assert scope.reason == "enough"
        sleep(0)

    run(body)


def test_what_is_raised_names_the_scope_and_the_reason():
    with CancelScope() as scope:
        scope.cancel("enough")
        with pytest.raises(Cancelled, match=r"^enough$") as caught:
            sleep(0)
        assert caught.value.scope is scope
        assert caught.value.reason == "enough"


def test_a_block_that_no_longer_waits_runs_to_its_end():
    with CancelScope() as scope:
        scope.cancel()
        done = True
    assert done
    assert scope.cancel_called
    assert not scope.cancelled_caught


def test_cancelled_is_neither_an_exception_nor_a_greenlet_exit():
    assert not issubclass(Cancelled, Exception | GreenletExit)


def test_whoever_swallows_it_gets_it_again_at_every_wait():
    def body():
        with CancelScope() as scope:
            scope.cancel()
            for wait in [lambda: sleep(1), lambda: sleep(0), lambda: spawn(int).join(), lambda: hubcore.idle()] * 3:
                with pytest.raises(Cancelled):
                    wait()
        assert not scope.cancelled_caught
        sleep(0.001)

    run(body)


def test_a_loop_that_swallows_it_does_not_keep_others_from_running():
    ticks = []

    def tick():
        while len(ticks) < 10:
            ticks.append(None)
            sleep(0.001)

    ticking = spawn(tick)
    with move_on_after(0.001):
        while len(ticks) < 10:
            try:
                sleep(5)
            except BaseException:
                continue
    ticking.join()


def test_a_loop_that_swallows_it_can_still_be_killed():
    def body():
        with CancelScope() as scope:
            scope.cancel()
            while True:
                try:
                    sleep(5)
                except Cancelled:
                    continue

    task = spawn(body)
    sleep(0.001)
    task.kill()
    assert task.killed


def test_the_first_cancel_counts():
    with CancelScope() as scope:
        scope.cancel("first")
        scope.cancel("second")
    assert scope.reason == "first"


def test_a_scope_may_be_cancelled_before_it_is_entered():
    scope = CancelScope()
    scope.cancel("early")
    with scope:
        sleep(0)
    assert scope.cancelled_caught


def test_cancelling_a_scope_that_was_left_has_no_effect():
    with CancelScope() as scope:
        pass
    scope.cancel()
    assert not scope.cancel_called
    sleep(0)


def test_another_exception_is_none_of_the_scopes_business():
    with pytest.raises(KeyError), CancelScope() as scope:
        scope.cancel()
        raise KeyError
    assert not scope.cancelled_caught


def test_a_foreign_thread_cancels():
    def body():
        with CancelScope() as scope:
            thread = threading.Thread(target=scope.cancel, args=("from outside",))
            thread.start()
            waiter = hubcore.get_hub().new_waiter(Outside())
            hubcore.get_hub().park(waiter)
        thread.join()
        assert scope.cancelled_caught
        assert scope.reason == "from outside"

    run(body)


class Outside:
    """Something that another thread may end the wait for."""

    cross_thread = True


def test_a_foreign_thread_that_comes_too_late_cancels_nothing():
    with CancelScope() as scope:
        pass
    thread = threading.Thread(target=scope.cancel)
    thread.start()
    thread.join()
    sleep(0.001)
    assert not scope.cancel_called


def test_a_thread_that_cancels_all_the_time_never_hits_the_next_block():
    scopes, stop, caught = [CancelScope()], [], 0

    def cancel():
        while not stop:
            scopes[0].cancel("from outside")

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        while caught < 20:
            scopes[0] = CancelScope()
            with scopes[0] as scope:
                for _ in range(1000):
                    sleep(0)
            sleep(0)
            caught += scope.cancelled_caught
    finally:
        stop.append(None)
        thread.join()
    assert scope.reason in (None, "from outside")


def test_a_finalizer_cancels():
    class Owner:
        def __init__(self, scope):
            self.scope = scope
            self.cycle = self

        def __del__(self):
            self.scope.cancel("collected")

    with CancelScope() as scope:
        Owner(scope)
        spawn(gc.collect)
        sleep(10)
    assert scope.reason == "collected"


def test_a_wait_that_was_over_before_the_cancellation_keeps_its_result(hub):
    with CancelScope() as scope:
        waiter = hub.new_waiter("a value")
        waiter.wake(7)
        scope.cancel()
        assert hub.park(waiter)
        assert waiter.value == 7
        with pytest.raises(Cancelled):
            sleep(0)


def test_a_cancelled_greenlet_takes_no_item_with_it(hub):
    """Whoever hands something over learns that it was not taken."""

    def body():
        with scope:
            hub.park(waiters.append(hub.new_waiter("an item")) or waiters[0])

    scope, waiters = CancelScope(), []
    task = spawn(body)
    sleep(0)
    scope.cancel()
    assert waiters[0].wake("item") is False
    task.join()


# -- exception groups


def test_what_was_cancelled_is_taken_out_of_a_group_and_the_rest_is_raised():
    with pytest.raises(ExceptionGroup) as caught, CancelScope() as scope:
        scope.cancel()
        raise BaseExceptionGroup("several", [Cancelled(), KeyError(1), BaseExceptionGroup("more", [Cancelled()])])
    assert scope.cancelled_caught
    assert caught.value.message == "several"
    assert [repr(each) for each in caught.value.exceptions] == ["KeyError(1)"]
    assert caught.value.__context__ is None


def test_a_group_of_nothing_but_cancellations_is_stopped():
    with CancelScope() as scope:
        scope.cancel()
        raise BaseExceptionGroup("several", [Cancelled(), BaseExceptionGroup("more", [Cancelled()])])
    assert scope.cancelled_caught


def test_a_group_without_cancellations_is_left_alone():
    error = ExceptionGroup("several", [KeyError(1)])
    with pytest.raises(ExceptionGroup) as caught, CancelScope() as scope:
        scope.cancel()
        raise error
    assert caught.value is error
    assert not scope.cancelled_caught


# -- misuse


def test_a_scope_serves_one_block():
    with CancelScope() as scope:
        with pytest.raises(RuntimeError, match=r"cannot enter .* again"):
            scope.__enter__()
    with pytest.raises(RuntimeError, match=r"cannot enter .* again"), scope:
        pass
    sleep(0)


def test_two_greenlets_cannot_share_a_scope():
    with CancelScope() as scope:
        with pytest.raises(RuntimeError, match=r"cannot enter .* again"):
            spawn(scope.__enter__).get()
        with pytest.raises(RuntimeError, match=r"entered by .* cannot be left by"):
            spawn(scope.__exit__, None, None, None).get()
        assert scope.active
    assert not scope.active


def test_a_scope_that_was_not_entered_or_was_left_cannot_be_left():
    scope = CancelScope()
    with pytest.raises(RuntimeError, match="was never entered"):
        scope.__exit__(None, None, None)
    with scope:
        pass
    with pytest.raises(RuntimeError, match="was already left"):
        scope.__exit__(None, None, None)


def test_leaving_out_of_order_is_an_error_that_does_no_further_harm(hub):
    with CancelScope() as around:
        outer, inner = move_on_after(10), move_on_after(10)
        outer.__enter__()
        inner.__enter__()
        with pytest.raises(RuntimeError, match=r"left before .* which is inside it"):
            outer.__exit__(None, None, None)
        with pytest.raises(RuntimeError, match="ended when a scope around it was left"):
            inner.__exit__(None, None, None)
        assert len(hub.loop.deadlines) == 0
        inner.cancel()
        outer.cancel()
        sleep(0)
        around.cancel()
        with pytest.raises(Cancelled):
            sleep(0)
    sleep(0)


def test_the_exception_that_leaves_out_of_order_is_kept():
    outer, inner = CancelScope(), CancelScope()
    with pytest.raises(RuntimeError) as caught, outer:
        inner.__enter__()
        raise KeyError
    assert isinstance(caught.value.__context__, KeyError)


def test_another_thread_may_cancel_and_nothing_else():
    errors = []

    def use(scope):
        for action in (lambda: setattr(scope, "deadline", 5.0), lambda: setattr(scope, "shield", True)):
            try:
                action()
            except InvalidThreadUseError as error:
                errors.append(error)

    with CancelScope() as scope:
        thread = threading.Thread(target=use, args=(scope,))
        thread.start()
        thread.join()
        assert len(errors) == 2
        assert (scope.deadline, scope.shield) == (inf, False)


def test_a_scope_says_what_became_of_it():
    scope = CancelScope(shield=True)
    assert "not entered, shielding" in repr(scope)
    with scope:
        assert "active" in repr(scope)
        scope.cancel("enough")
        assert "active, cancelled (enough)" in repr(scope)
        sleep(0)
    assert "left, cut its block short (enough)" in repr(scope)


# -- greenlets


def test_a_plain_greenlet_is_not_in_its_spawners_scope():
    with CancelScope() as scope:
        tasks = [spawn(sleep, 0.001), spawn_raw(sleep, 0.001)]
        scope.cancel()
    tasks[0].get()
    assert tasks[0].successful()
    assert not tasks[0].killed


def test_a_greenlet_that_ends_cancelled_is_not_a_failure_and_not_a_success(caplog):
    def body():
        raise Cancelled("by hand")

    task = spawn(body)
    task.join()
    spawn_raw(body)
    sleep(0)
    assert task.killed
    assert not task.successful()
    assert isinstance(task.exception, Cancelled)
    assert "was cancelled" in repr(task)
    with pytest.raises(GreenletCancelled, match="was cancelled") as caught:
        task.get()
    assert caught.value.__cause__ is task.exception
    with pytest.raises(GreenletCancelled):
        hubcore.joinall([task], raise_error=True)
    assert not caplog.records


def test_a_killed_greenlet_can_be_told_from_one_that_succeeded():
    killed, unstarted, returned = spawn(sleep, 10), spawn(sleep, 10), spawn(lambda: GreenletExit())
    unstarted.kill()
    sleep(0)
    assert not killed.killed
    killed.kill()
    returned.join()
    assert [each.successful() for each in (killed, unstarted, returned)] == [True] * 3
    assert [each.killed for each in (killed, unstarted, returned)] == [True, True, False]


def test_a_scope_does_not_keep_its_greenlet_alive():
    import weakref

    scopes = []

    def body():
        with CancelScope() as scope:
            scopes.append(scope)
            sleep(0)

    task = spawn(body)
    task.join()
    gone = weakref.ref(task)
    del task
    gc.collect()
    assert gone() is None
    assert scopes


def test_a_scope_outlives_the_hub_that_it_was_entered_in(hub):
    with move_on_after(10) as scope, CancelScope(shield=True):
        hub.destroy()
        thread = threading.Thread(target=scope.cancel)
        thread.start()
        thread.join()
        sleep(0.001)
        scope.cancel()
        sleep(0)  # in another hub, whose scope it is not
    sleep(0)


def test_destroying_the_hub_unwinds_a_shielded_scope(hub):
    left = []

    def body():
        try:
            with CancelScope(shield=True):
                sleep(100)
        finally:
            left.append(None)

    spawn(body)
    sleep(0.001)
    hub.destroy()
    assert left
