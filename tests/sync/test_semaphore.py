"""Semaphore, BoundedSemaphore and DummySemaphore: permits are handed over in order of arrival."""

import gc

import pytest
from greenlet import GreenletExit, getcurrent

import hubcore
from hubcore import Timeout, sleep, spawn
from hubcore.exceptions import BlockingSwitchOutError, LoopExit
from hubcore.lock import BoundedSemaphore, DummySemaphore, Semaphore
from hubcore.testing import settle

KINDS = pytest.mark.parametrize("kind", [Semaphore, BoundedSemaphore])


@KINDS
def test_permits_are_counted(hub, kind):
    semaphore = kind(2)
    assert (semaphore.counter, semaphore.locked(), semaphore.ready()) == (2, False, True)
    assert semaphore.acquire() is True
    assert semaphore.acquire(blocking=False) is True
    assert (semaphore.counter, semaphore.locked(), semaphore.ready()) == (0, True, False)
    assert semaphore.acquire(False) is False
    assert semaphore.release() == 1
    assert semaphore.release() == 2
    assert "counter=2, 0 waiting" in repr(semaphore)


@KINDS
def test_it_starts_with_one_permit(hub, kind):
    assert kind().counter == 1
    assert kind(None).counter == 1
    assert kind(hub=None).hub is None


@KINDS
@pytest.mark.parametrize(
    ("value", "error", "says"), [(-1, ValueError, "not -1"), ("two", TypeError, "'two'"), (1.5, TypeError, "1.5")]
)
def test_a_number_of_permits_that_makes_no_sense_is_refused(hub, kind, value, error, says):
    with pytest.raises(error, match=says):
        kind(value)


def test_more_permits_may_be_released_than_there_were(hub):
    semaphore = Semaphore(0)
    assert semaphore.release() == 1
    assert semaphore.release() == 2


def test_a_bounded_one_refuses_to_be_released_once_too_often(hub):
    semaphore = BoundedSemaphore(2)
    semaphore.acquire()
    semaphore.release()
    with pytest.raises(ValueError, match="already has all 2 permits"):
        semaphore.release()
    assert semaphore.counter == 2


@KINDS
def test_a_release_hands_the_permit_to_the_first_who_waits(hub, kind):
    semaphore, order = kind(1), []

    def takes(number):
        with semaphore:
            order.append(number)
            sleep(0)

    semaphore.acquire()
    tasks = [spawn(takes, number) for number in range(4)]
    settle(hub)
    assert semaphore.linkcount() == 4
    assert semaphore.release() == 0
    assert order == []  # it does not switch
    assert semaphore.acquire(blocking=False) is False  # nobody overtakes
    hubcore.joinall(tasks, raise_error=True)
    assert order == [0, 1, 2, 3]
    assert semaphore.counter == 1


@KINDS
def test_with_takes_and_gives_also_where_the_block_fails(hub, kind):
    semaphore = kind(1)
    with semaphore as taken:
        assert taken is True
        assert semaphore.locked()
    with pytest.raises(KeyError), semaphore:
        raise KeyError
    assert not semaphore.locked()


@KINDS
@pytest.mark.parametrize("timeout", [0, 0.001, -1])
def test_not_in_time_is_false_and_leaves_the_queue(hub, kind, timeout):
    semaphore = kind(1)
    semaphore.acquire()
    assert semaphore.acquire(timeout=timeout) is False
    assert semaphore.acquire(True, timeout) is False
    assert semaphore.linkcount() == 0
    semaphore.release()
    assert semaphore.counter == 1


@KINDS
def test_who_is_killed_or_times_out_takes_no_permit(hub, kind):
    semaphore = kind(1)
    semaphore.acquire()
    victim, late, lucky = spawn(semaphore.acquire), spawn(semaphore.acquire, timeout=0.001), spawn(semaphore.acquire)
    settle(hub)
    victim.kill()
    with pytest.raises(Timeout), Timeout(0.002):
        semaphore.acquire()
    semaphore.release()
    assert lucky.get() is True
    assert late.value is False
    assert semaphore.counter == 0


def test_a_kill_after_the_hand_over_comes_at_the_next_wait(hub):
    semaphore, steps = Semaphore(0), []

    def takes():
        try:
            with semaphore:
                steps.append("has it")
                sleep(0)
                steps.append("never")
        except GreenletExit:
            steps.append("killed")

    task = spawn(takes)
    settle(hub)
    semaphore.release()
    task.kill()
    assert steps == ["has it", "killed"]
    assert semaphore.counter == 1


def test_a_throw_after_the_hand_over_passes_the_permit_on(hub):
    semaphore = Semaphore(0)
    first, second = spawn(semaphore.acquire), spawn(semaphore.acquire)
    settle(hub)
    hub.loop.run_callback(first.throw, KeyError)  # before its turn comes
    semaphore.release()
    with pytest.raises(KeyError):
        first.get()
    assert second.get() is True
    assert semaphore.counter == 0


def test_a_permit_passed_on_does_not_go_through_a_subclasss_release(hub):
    class Counts(Semaphore):
        released = 0

        def release(self):
            self.released += 1
            return super().release()

    semaphore = Counts(0)
    task = spawn(semaphore.acquire)
    settle(hub)
    hub.loop.run_callback(task.throw, GreenletExit)
    semaphore.release()
    task.join()
    assert (semaphore.counter, semaphore.released) == (1, 1)


def test_wait_looks_without_taking(hub):
    semaphore = Semaphore(2)
    assert semaphore.wait() == 2
    semaphore.acquire()
    semaphore.acquire()
    assert semaphore.wait(0) == 0
    assert semaphore.wait(0.001) == 0
    looker, taker = spawn(semaphore.wait), spawn(semaphore.acquire)
    settle(hub)
    semaphore.release()
    assert taker.get() is True
    assert looker.get() == 0
    assert semaphore.linkcount() == 0


def test_the_counter_may_be_raised_which_serves_those_who_wait(hub):
    semaphore = Semaphore(0)
    tasks = [spawn(semaphore.acquire) for _ in range(3)]
    settle(hub)
    semaphore.counter = 2
    settle(hub)
    assert [task.ready() for task in tasks] == [True, True, False]
    assert semaphore.counter == 0
    semaphore.counter += 1
    hubcore.joinall(tasks)


def test_it_may_grow_and_shrink_while_others_take_and_give(hub):
    semaphore, called = Semaphore(1), []
    semaphore.grow(-3)
    assert semaphore.counter == -2
    semaphore.rawlink(called.append)
    tasks = [spawn(semaphore.acquire) for _ in range(2)]
    settle(hub)
    semaphore.grow(4)
    assert semaphore.counter == 0
    assert [task.get() for task in tasks] == [True, True]
    assert called == []
    semaphore.grow(1)
    settle(hub)
    assert called == [semaphore]
    with pytest.raises(TypeError):
        semaphore.grow("1")


def test_one_that_is_a_lock_knows_its_owner(hub):
    lock, pair = Semaphore(1), Semaphore(2)
    assert lock.owner is None
    lock.acquire()
    pair.acquire()
    assert (lock.owner, pair.owner) == (getcurrent(), None)
    task = spawn(lock.acquire)
    settle(hub)
    lock.release()
    assert lock.owner is task
    task.join()
    lock.release()
    assert lock.owner is None


def test_links_wait_and_iwait(hub):
    semaphore, calls = Semaphore(0), []
    semaphore.rawlink(calls.append)
    hub.loop.run_callback(semaphore.release)
    assert hubcore.wait([semaphore], timeout=5) == [semaphore]
    settle(hub)
    assert calls == [semaphore]
    assert list(hubcore.iwait([semaphore])) == [semaphore]
    semaphore.acquire()
    semaphore.release()
    settle(hub)
    assert calls == [semaphore]
    assert semaphore.linkcount() == 0
    assert semaphore.counter == 1


def test_a_permit_that_is_handed_over_calls_no_link(hub):
    semaphore, calls = Semaphore(0), []
    semaphore.rawlink(calls.append)
    task = spawn(semaphore.acquire)
    settle(hub)
    semaphore.release()
    settle(hub)
    assert calls == []
    semaphore.release()
    settle(hub)
    assert calls == [semaphore]
    task.join()


def test_in_the_hub_it_is_given_and_tried_but_not_waited_for(hub):
    semaphore, said = Semaphore(0), []

    def callback():
        said.append(semaphore.acquire(False))
        said.append(semaphore.acquire(timeout=0))
        for call in (semaphore.acquire, lambda: semaphore.acquire(timeout=1), semaphore.wait, semaphore.__enter__):
            with pytest.raises(BlockingSwitchOutError):
                call()
        with pytest.raises(TypeError):
            semaphore.acquire(timeout="soon")
        said.append(semaphore.linkcount())
        semaphore.release()

    hub.loop.run_callback(callback)
    assert semaphore.acquire(timeout=5)
    assert said == [False, False, 1]  # the one below
    assert semaphore.counter == 0


def test_a_timeout_that_is_no_number_costs_no_permit(hub):
    semaphore = Semaphore(0)
    with pytest.raises(TypeError):
        semaphore.acquire(timeout="soon")
    with pytest.raises(ValueError, match="nan"):
        semaphore.acquire(timeout=float("nan"))
    assert semaphore.release() == 1


def test_nobody_who_could_release_it_is_a_loop_exit_that_names_its_owner(hub):
    lock = Semaphore(1)
    task = spawn(lock.acquire)
    task.join()
    with pytest.raises(LoopExit, match=r"<Semaphore at .*, which <Greenlet"):
        lock.acquire()


def test_a_finalizer_may_release_it_while_it_is_being_released(hub):
    """What the last owner held goes when the lock forgets it, in the middle of the next hand-over."""
    lock, released = Semaphore(1), []

    class Referrers:
        def __del__(self):
            released.append(lock.release())

    def takes_and_forgets(held):
        lock.acquire()

    task = hubcore.Greenlet(takes_and_forgets, Referrers())
    task.start()
    task.join()
    waiting = [spawn(lock.acquire) for _ in range(2)]
    settle(hub)
    del task
    gc.collect()
    lock.counter = 1
    gc.collect()
    lock.release()
    hubcore.joinall(waiting, timeout=1)
    assert [each.value for each in waiting] == [True, True]
    assert lock.linkcount() == 0
    assert lock.counter >= 0


def test_a_dummy_always_says_yes():
    dummy = DummySemaphore()
    DummySemaphore(5)
    assert dummy.acquire() is True
    assert dummy.acquire(False, 1) is True
    assert dummy.release() is None
    assert (dummy.locked(), dummy.ready()) == (False, True)
    with dummy:
        pass
