"""hubcore.thread: locks and idents as `_thread` has them, for greenlets and native threads alike."""

import _thread
import pickle
import sys
import weakref

import pytest
from greenlet import getcurrent

import hubcore
from hubcore import sleep, spawn, thread
from hubcore.event import Event
from hubcore.exceptions import BlockingSwitchOutError
from hubcore.hub import get_hub_if_any
from hubcore.testing import settle


def both(kind):
    """The standard library's lock of a kind, and ours."""
    return (getattr(_thread, kind), getattr(thread, kind))


@pytest.mark.parametrize("kind", ["allocate_lock", "RLock"])
@pytest.mark.parametrize(
    "arguments",
    [{"blocking": False, "timeout": 1}, {"timeout": -2}, {"timeout": 1e300}, {"timeout": "1"}, {"timeout": None}],
)
def test_arguments_that_are_wrong_get_the_standard_librarys_errors(hub, kind, arguments):
    said = []
    for make in both(kind):
        with pytest.raises((ValueError, OverflowError, TypeError)) as caught:
            make().acquire(**arguments)
        said.append((caught.type, str(caught.value)))
    assert said[0] == said[1]


def test_a_lock_is_anybodys_to_release(hub):
    lock = thread.allocate_lock()
    assert lock.acquire() is True
    assert (lock.locked(), lock.acquire(False), lock.acquire(timeout=0), lock.acquire(timeout=0.001)) == (
        True, False, False, False,
    )  # fmt: skip
    assert repr(lock).startswith("<locked hubcore")
    task = spawn(lock.acquire)
    sleep(0)
    lock.release()
    assert task.get() is True  # handed on
    lock.release()
    assert repr(lock).startswith("<unlocked hubcore")
    with pytest.raises(RuntimeError, match="release unlocked lock"):
        lock.release()
    with lock as taken:
        assert taken is True
        assert lock.locked()
    assert (lock.acquire(timeout=-1), lock.owner) == (True, None)


def test_a_lock_in_a_forked_child_is_as_new(hub):
    lock = thread.allocate_lock()
    lock.acquire()
    lock._at_fork_reinit()
    assert not lock.locked()


def test_an_rlock_is_its_greenlets(hub):
    lock = thread.RLock()
    with lock, lock:
        assert lock._recursion_count() == 2
        assert spawn(lock.acquire, False).get() is False
        with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
            spawn(lock.release).get()
        state = lock._release_save()
        assert spawn(lock._is_owned).get() is False
        assert "unlocked" in repr(lock)
        lock._acquire_restore(state)
        assert f"owner={thread.get_ident()} count=2" in repr(lock)
    with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
        lock._release_save()


def test_native_threads_share_a_lock_with_greenlets_and_get_no_hub(hub):
    """The contract for locks that belong to no hub: whoever waits for one wakes at once, in whatever thread."""
    for make in (thread.allocate_lock, thread.RLock):
        lock, counted, hubs, done = make(), [0], [], Event()

        def work(lock=lock, counted=counted):
            for _ in range(300):
                with lock:
                    before = counted[0]
                    if get_hub_if_any() is not None:
                        sleep(0)
                    counted[0] = before + 1

        begun = _thread.allocate_lock()
        begun.acquire()

        def in_thread(work=work, hubs=hubs, done=done, begun=begun):
            begun.release()
            work()
            hubs.append(get_hub_if_any())
            if len(hubs) == 2:
                done.set()

        for _ in range(2):
            _thread.start_new_thread(in_thread, ())
            begun.acquire()  # a thread that has not begun is not known to be able to wake anybody
        tasks = [spawn(work) for _ in range(2)]
        hubcore.joinall(tasks, raise_error=True)
        assert done.wait()
        assert (counted[0], hubs) == (4 * 300, [None, None])


def test_the_hub_itself_waits_for_another_threads_lock_and_not_for_its_own_greenlets(hub):
    for make in (thread.allocate_lock, thread.RLock):
        lock, taken, release, outcome = make(), _thread.allocate_lock(), _thread.allocate_lock(), []
        taken.acquire()
        release.acquire()

        def hold(lock=lock, taken=taken, release=release):
            lock.acquire()
            taken.release()
            release.acquire()
            lock.release()

        _thread.start_new_thread(hold, ())
        taken.acquire()

        def in_hub(lock=lock, release=release, outcome=outcome):
            release.release()
            outcome.append(lock.acquire())
            lock.release()

        hub.loop.run_callback(in_hub)
        settle(hub)
        assert outcome == [True]

        def deadlock(lock=lock, outcome=outcome):
            with pytest.raises(BlockingSwitchOutError):
                lock.acquire()
            outcome.append("refused")

        with lock:
            hub.loop.run_callback(deadlock)
            settle(hub)
        assert outcome == [True, "refused"]


def test_each_greenlet_has_an_ident_and_a_main_one_its_threads(hub):
    assert thread.get_ident() == _thread.get_ident() == thread.get_ident(getcurrent())
    tasks = [spawn(thread.get_ident) for _ in range(3)]
    idents = {task.get() for task in tasks}
    assert len(idents | {thread.get_ident()}) == 4
    assert {thread.get_ident(task) for task in tasks} == idents
    assert spawn(lambda: thread.get_ident(hub.main)).get() == _thread.get_ident()
    assert thread.get_ident(hub) not in idents


def test_a_thread_is_a_greenlet_that_tells_of_its_failure(hub, monkeypatch):
    told, ran = [], []
    monkeypatch.setattr(sys, "unraisablehook", told.append)

    def fail():
        raise KeyError("x")

    before = thread._count()
    ident = thread.start_new_thread(lambda *args, **more: ran.append((args, more, thread.get_ident())), (1,), {"b": 2})
    thread.start_new_thread(fail, ())
    thread.start_new_thread(thread.exit, ())
    finish = Event()
    thread.start_new_thread(finish.wait, ())
    settle(hub)
    assert ran == [((1,), {"b": 2}, ident)]
    assert [(one.exc_type, one.err_msg.partition(" <")[0]) for one in told] == [
        (KeyError, "Exception ignored in thread started by")
    ]
    assert thread._count() == before + 1
    finish.set()
    settle(hub)
    assert thread._count() == before
    for wrong in ((1, ()), (fail, []), (fail, (), ())):
        with pytest.raises(TypeError):
            thread.start_new_thread(*wrong)
    told.clear()


def test_a_sentinel_is_released_when_its_greenlet_ends(hub):
    locks = []

    def run():
        lock = thread._set_sentinel()
        lock.acquire()
        locks.append(lock)
        sleep(0)

    task = spawn(run)
    sleep(0)
    assert locks[0].locked()
    assert not locks[0].acquire(False)
    task.join()
    assert not locks[0].locked()


def test_a_joinable_thread_has_a_handle(hub):
    go = Event()
    handle = thread.start_joinable_thread(go.wait)
    with pytest.raises(RuntimeError, match="already started"):
        thread.start_joinable_thread(go.wait, handle)
    settle(hub)
    handle.join(0)
    assert not handle.is_done()
    go.set()
    handle.join()
    assert handle.is_done()
    assert handle.ident
    fresh = thread._ThreadHandle()
    for call in (fresh.join, fresh._set_done):
        with pytest.raises(RuntimeError, match="not started"):
            call()
    with pytest.raises(TypeError):
        thread.start_joinable_thread(None)
    with pytest.raises(TypeError):
        thread.start_joinable_thread(go.wait, handle=object())


def test_locks_can_be_referred_to_weakly(hub):
    for make in (thread.allocate_lock, thread.RLock):
        lock = make()
        reference = weakref.ref(lock)
        assert reference() is lock
        del lock
        assert reference() is None


def test_the_types_can_be_pickled_as_the_standard_librarys():
    for kind in (thread.LockType, thread.RLock, thread._local, thread._ThreadHandle):
        assert pickle.loads(pickle.dumps(kind)) is kind
