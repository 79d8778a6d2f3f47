"""multiprocessing and ProcessPoolExecutor under the patch: each wait lets others run, with every start method."""

import pytest

from hubcore.testing import run_python

CHILDREN = """
import hubcore

def echo(connection):
    data = connection.recv()
    hubcore.sleep(0.1)
    connection.send(len(data))

def square(n):
    hubcore.sleep(0.02)
    return n * n

def locked(lock, queue):
    with lock:
        queue.put("had it")
"""

STORY = """
import concurrent.futures, multiprocessing, os, sys, threading
if __name__ == "__main__":
    import hubcore.monkey
    hubcore.monkey.patch_all()
    import children, hubcore
    multiprocessing.set_start_method(os.environ["METHOD"])
    ticks = []
    def tick():
        while True:
            hubcore.sleep(0.002)
            ticks.append(1)
    hubcore.spawn(tick)
    def during(call):
        before = len(ticks)
        result = call()
        assert len(ticks) - before >= 3, (call, len(ticks) - before)
        return result

    def connection():
        ours, theirs = multiprocessing.Pipe()
        child = multiprocessing.Process(target=children.echo, args=(theirs,))
        child.start()
        ours.send(b"x" * 1_000_000)
        assert not ours.poll(0.01)
        assert ours.recv() == 1_000_000
        assert os.get_blocking(ours.fileno())
        child.join()
        assert child.exitcode == 0
    during(connection)

    def pool():
        with multiprocessing.Pool(2) as workers:
            return workers.map(children.square, range(4), 1)
    assert during(pool) == [0, 1, 4, 9]

    def executor():
        with concurrent.futures.ProcessPoolExecutor(2) as workers:
            return list(workers.map(children.square, range(4)))
    assert during(executor) == [0, 1, 4, 9]

    def lock_and_queue():
        lock, queue = multiprocessing.Lock(), multiprocessing.Queue()
        child = multiprocessing.Process(target=children.locked, args=(lock, queue))
        lock.acquire()
        child.start()
        assert not lock.acquire(timeout=0.02)
        hubcore.spawn_later(0.01, lock.release)
        lock.acquire()
        lock.release()
        assert queue.get(timeout=20) == "had it"
        child.join()
    during(lock_and_queue)
    assert multiprocessing.get_start_method() == os.environ["METHOD"]
    print("done")
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_pipes_pools_queues_and_locks(hub_backend, tmp_path, method):
    if hub_backend == "virtual":
        pytest.skip("children take real time")
    (tmp_path / "children.py").write_text(CHILDREN)
    (tmp_path / "story.py").write_text(STORY)
    run = f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv[0] = {str(tmp_path / 'story.py')!r}\n"
    run += f"runpy.run_path({str(tmp_path / 'story.py')!r}, run_name='__main__')"
    done = run_python(run, hub_backend, env={"METHOD": method})
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_semaphores_are_fair_to_greenlets_and_an_rlock_is_one_greenlets(hub_backend):
    done = run_python(
        """
        import multiprocessing  # before the patch
        import multiprocessing.pool
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import hubcore

        lock, log = multiprocessing.RLock(), []

        def twice(n):
            with lock, lock:
                log.append(n)
                hubcore.sleep(0.005)
                log.append(n)

        for each in [hubcore.spawn(twice, n) for n in range(3)]:
            each.get()
        assert log == [0, 0, 1, 1, 2, 2], log
        try:
            lock.release()
        except AssertionError as error:
            assert "not owned" in str(error)

        lock.acquire()
        assert hubcore.spawn(lock.acquire, False).get() is False
        assert hubcore.spawn(lock.acquire, True, 0.01).get() is False
        lock.release()

        def in_turn():  # each release wakes who waits, whose time goes on
            while True:
                with lock:
                    hubcore.sleep(0.005)

        turns = [hubcore.spawn(in_turn) for _ in range(2)]
        hubcore.sleep(0.001)
        with hubcore.Timeout(10):
            assert not lock.acquire(timeout=0.03)
        hubcore.killall(turns)

        condition = multiprocessing.Condition()

        def wait():
            with condition:
                return condition.wait(10)

        waits = [hubcore.spawn(wait) for _ in range(2)]
        hubcore.sleep(0.01)
        with condition:
            condition.notify_all()
        assert [each.get() for each in waits] == [True, True]

        semaphore = multiprocessing.BoundedSemaphore(1)
        semaphore.acquire()
        killed = hubcore.spawn(semaphore.acquire)
        hubcore.sleep(0.001)
        killed.kill()  # a wait for one can be called off
        semaphore.release()
        assert semaphore.acquire(False)
        semaphore.release()
        try:
            semaphore.release()
        except ValueError:
            print("done")
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_condition_owns_its_lock_again_however_its_wait_ends(hub_backend):
    done = run_python(
        """
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import multiprocessing
        from hubcore import Timeout, move_on_after, sleep, spawn

        for lock in (multiprocessing.RLock(), multiprocessing.Lock()):
            condition = multiprocessing.Condition(lock)
            held, seen = [], []

            def waiter():
                with condition:
                    try:
                        condition.wait()
                    finally:
                        seen.append(list(held))

            def timed():
                with move_on_after(0.02):
                    waiter()

            def holder():
                with condition:
                    held.append(1)
                    sleep(0.05)
                    held.clear()

            for run in (waiter, timed):
                task = spawn(run)
                sleep(0.005)
                holds = spawn(holder)
                sleep(0.005)
                if run is waiter:
                    task.kill(block=False)
                    sleep(0.002)
                    task.kill(block=False)
                task.join()
                holds.get()
            print(seen, condition.acquire(False))
            condition.wait(0)
            condition.notify_all()
            condition.release()
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("[[], []] True\n" * 2, "")


def test_a_connection_of_no_open_fd_is_made_as_ever(hub_backend):
    done = run_python(
        """
        import hubcore.monkey
        hubcore.monkey.patch_all()
        from multiprocessing.connection import Connection
        connection = Connection(44_977_608)
        try:
            connection.recv()
        except OSError as error:
            print(error.strerror)
        connection._handle = None  # nothing to close
        """,
        hub_backend,
    )
    assert done.stdout == "Bad file descriptor\n"
