"""RLock: one greenlet owns it, and can acquire it repeatedly."""

import pytest
from greenlet import GreenletExit, getcurrent

import hubcore
from hubcore import sleep, spawn
from hubcore.exceptions import BlockingSwitchOutError, LoopExit
from hubcore.lock import RLock
from hubcore.testing import settle


def test_its_owner_takes_it_again_and_again(hub):
    lock = RLock()
    assert (lock.locked(), lock.owner, lock.ready()) == (False, None, True)
    assert lock.acquire() is True
    assert lock.acquire(blocking=False) is True
    with lock as taken:
        assert taken is True
        assert "count=3" in repr(lock)
    lock.release()
    assert lock.locked()
    assert lock.owner is getcurrent()
    lock.release()
    assert (lock.locked(), lock.owner) == (False, None)


def test_only_its_owner_releases_it(hub):
    lock = RLock()
    with pytest.raises(RuntimeError, match="does not own it"):
        lock.release()
    lock.acquire()
    with pytest.raises(RuntimeError, match="does not own it"):
        spawn(lock.release).get()
    assert lock.locked()
    lock.release()


def test_others_wait_and_get_it_in_their_order(hub):
    lock, order = RLock(), []

    def takes(number):
        with lock, lock:
            order.append(number)
            sleep(0)
            assert lock.owner is getcurrent()

    lock.acquire()
    lock.acquire()
    tasks = [spawn(takes, number) for number in range(4)]
    settle(hub)
    lock.release()
    settle(hub)
    assert order == []
    lock.release()
    assert lock.owner is tasks[0]
    assert lock.acquire(blocking=False) is False
    hubcore.joinall(tasks, raise_error=True)
    assert order == [0, 1, 2, 3]
    assert not lock.locked()


@pytest.mark.parametrize("timeout", [0, 0.001, -1])
def test_not_in_time_is_false_and_leaves_the_queue(hub, timeout):
    lock = RLock()
    spawn(lock.acquire).join()
    assert lock.acquire(timeout=timeout) is False
    assert lock.acquire(False) is False
    assert lock.linkcount() == 0


def test_a_kill_ends_the_wait_and_a_throw_after_the_hand_over_passes_it_on(hub):
    lock = RLock()
    lock.acquire()
    killed, thrown, last = (spawn(lock.acquire) for _ in range(3))
    settle(hub)
    killed.kill()
    hub.loop.run_callback(thrown.throw, GreenletExit)  # before its turn comes
    lock.release()
    assert lock.owner is thrown
    assert last.get() is True
    assert lock.owner is last
    assert lock.linkcount() == 0


def test_a_condition_can_let_go_of_all_of_it_and_have_it_back(hub):
    lock = RLock()
    with pytest.raises(RuntimeError, match="does not own it"):
        lock._release_save()
    lock.acquire()
    lock.acquire()
    assert (lock._is_owned(), lock._recursion_count()) == (True, 2)
    state = lock._release_save()
    assert (lock.locked(), lock._is_owned(), lock._recursion_count()) == (False, False, 0)
    other = spawn(lock.acquire)
    settle(hub)

    back = spawn(lock._acquire_restore, state)
    settle(hub)
    assert not back.ready()
    other.join()
    lock._at_fork_reinit()
    assert not lock.locked()
    lock._acquire_restore(state)
    assert lock._recursion_count() == 2
    back.kill()  # it leaves the queue of before
    assert lock.linkcount() == 0


def test_links_wait_and_iwait(hub):
    lock, calls = RLock(), []

    def holds():
        with lock:
            sleep(0.001)

    task = spawn(holds)
    settle(hub)
    lock.rawlink(calls.append)
    assert hubcore.wait([lock], timeout=5) == [lock]
    settle(hub)
    assert calls == [lock]
    assert list(hubcore.iwait([lock])) == [lock]
    assert lock.linkcount() == 0
    task.join()


def test_in_the_hub_it_may_be_tried_but_not_waited_for(hub):
    lock, said = RLock(), []

    def callback():
        said.append(lock.acquire(False))
        said.append(lock.acquire(timeout=0))
        for call in (lock.acquire, lambda: lock.acquire(timeout=1)):
            with pytest.raises(BlockingSwitchOutError):
                call()
        with pytest.raises(TypeError):
            lock.acquire(timeout="soon")
        said.append(lock.linkcount())

    lock.acquire()
    hub.loop.run_callback(callback)
    settle(hub)
    assert said == [False, False, 0]
    lock.release()
    hub.loop.run_callback(lock.acquire)
    hub.loop.run_callback(lock.release)
    settle(hub)
    assert not lock.locked()


def test_a_deadlock_is_a_loop_exit_that_names_the_owner(hub):
    lock = RLock()
    spawn(lock.acquire).join()
    with pytest.raises(LoopExit, match=r"<RLock at .*, which <Greenlet"):
        lock.acquire()
