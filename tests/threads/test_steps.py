"""Loops that only try or look: after many steps the others run, but not where no switch is allowed."""

import pytest

from hubcore.testing import run_python

LOOPS = """
    import hubcore.monkey
    hubcore.monkey.patch_all()
    import multiprocessing, os, queue, select, signal, socket, subprocess, sys, threading, _thread
    from concurrent.futures import Future, TimeoutError

    MOST = 500_000

    def tried(call, *failures):
        def look():
            try:
                return call()
            except failures:
                return None
        return look

    def play(name, look, act):
        go = threading.Event()
        other = threading.Thread(target=lambda: (go.wait(), act()))
        other.start()
        go.set()  # from now on it is ready
        for _ in range(MOST):
            if look():
                break
        else:
            print(name, "never ends")
            sys.stdout.flush()
            os._exit(1)
        other.join()
"""


def test_a_loop_over_tries_ends_once_the_other_thread_has_acted(hub_backend):
    done = run_python(
        LOOPS
        + """
    lock, rlock, semaphore = threading.Lock(), threading.RLock(), threading.Semaphore(0)
    lock.acquire()
    play("Lock.acquire(False)", lambda: lock.acquire(False), lock.release)
    play("Lock.acquire_lock", lambda: lock.acquire_lock(0), lock.release)
    play("Lock.locked", lambda: not lock.locked(), lock.release)

    held, leave = threading.Event(), threading.Event()
    def own():
        with rlock:
            held.set()
            leave.wait()
    owner = threading.Thread(target=own)
    owner.start()
    held.wait()
    play("RLock.acquire(False)", lambda: rlock.acquire(blocking=False), leave.set)
    owner.join()

    play("Semaphore.acquire(False)", lambda: semaphore.acquire(False), semaphore.release)
    bounded = threading.BoundedSemaphore(1)
    bounded.acquire()
    play("BoundedSemaphore.acquire(False)", lambda: bounded.acquire(False), bounded.release)

    condition, seen = threading.Condition(), []
    def wait_0():
        with condition:
            return condition.wait(0) or seen
    play("Condition.wait(0)", wait_0, lambda: seen.append(1))
    def look_locked():
        with lock_2:
            return seen_2
    lock_2, seen_2 = threading.Lock(), []
    play("a flag under a Lock", look_locked, lambda: seen_2.append(1))

    event = threading.Event()
    play("Event.is_set", event.is_set, event.set)
    thread = threading.Thread(target=leave.wait)
    leave.clear()
    thread.start()
    play("Thread.is_alive", lambda: not thread.is_alive(), leave.set)
    leave.clear()
    count = _thread._count()
    _thread.start_new_thread(leave.wait, ())
    play("_thread._count", lambda: _thread._count() == count + 1, leave.set)  # the one that sets it is counted, too

    future = Future()
    play("Future.done", future.done, lambda: future.set_result(1))
    future = Future()
    play("Future.result(0)", tried(lambda: future.result(0), TimeoutError), lambda: future.set_result(1))

    for kind in (queue.Queue, queue.LifoQueue, queue.PriorityQueue, queue.SimpleQueue):
        q = kind()
        play(f"{kind.__name__}.get_nowait", tried(q.get_nowait, queue.Empty), lambda: q.put(1))
        play(f"{kind.__name__}.get(False)", tried(lambda: q.get(False), queue.Empty), lambda: q.put(1))
        play(f"{kind.__name__}.empty", lambda: not q.empty(), lambda: q.put(1))
        q.get()
        play(f"{kind.__name__}.qsize", q.qsize, lambda: q.put(1))
    q = queue.Queue(1)
    q.put(1)
    play("Queue.put_nowait", tried(lambda: q.put_nowait(2) or True, queue.Full), q.get)
    play("Queue.full", lambda: not q.full(), q.get)
    q.mutex  # from now on it takes its lock
    play("Queue.get_nowait with a mutex", tried(q.get_nowait, queue.Empty), lambda: q.put(1))
    """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_a_loop_over_looks_at_fds_and_processes_ends_once_the_other_thread_has_acted(hub_backend):
    done = run_python(
        LOOPS
        + """
    MOST = 100_000
    a, b = socket.socketpair()
    a.setblocking(False)
    play("recv", tried(lambda: a.recv(1), BlockingIOError), lambda: b.send(b"x"))
    play("recv_into", tried(lambda: a.recv_into(bytearray(1)), BlockingIOError), lambda: b.send(b"x"))
    play("recvmsg", tried(lambda: a.recvmsg(1), BlockingIOError), lambda: b.send(b"x"))
    play("select", lambda: select.select([a], [], [], 0)[0], lambda: b.send(b"x"))
    a.recv(1)
    play("os.read", tried(lambda: os.read(a.fileno(), 1), BlockingIOError), lambda: b.send(b"x"))
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    address = listener.getsockname()
    play("accept", tried(listener.accept, BlockingIOError), lambda: socket.create_connection(address).close())
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp.setblocking(False)
    play("recvfrom", tried(lambda: udp.recvfrom(1), BlockingIOError), lambda: udp.sendto(b"x", udp.getsockname()))

    command = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE)
    acted = []
    play("Popen.poll", lambda: child.poll() is not None or acted, lambda: acted.append(child.stdin.close()))
    child.wait()
    child = subprocess.Popen(command, stdin=subprocess.PIPE)
    acted.clear()
    play("waitpid", lambda: os.waitpid(child.pid, os.WNOHANG)[0] or acted, lambda: acted.append(child.stdin.close()))
    child.wait()
    lock = multiprocessing.Lock()
    lock.acquire()
    play("multiprocessing.Lock", lambda: lock.acquire(False), lock.release)
    """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_a_loop_over_tries_ends_in_a_native_threads_hub_too(hub_backend):
    """The hub of another thread is the latest that was looked up."""
    done = run_python(
        """
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import hubcore, threading
        from hubcore._base.originals import allocate_lock
        from hubcore.threadpool import ThreadPool

        lock, turn = threading.Lock(), allocate_lock()
        lock.acquire()

        def in_a_hub_of_its_own():
            hubcore.spawn(lock.release)
            turn.acquire()  # until the main thread has used its hub
            for _ in range(500_000):
                if lock.acquire(False):
                    return True

        turn.acquire()
        job = ThreadPool(1).spawn(in_a_hub_of_its_own)
        hubcore.get_hub()
        turn.release()
        print(job.get())
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


INTERRUPTS = """
    import hubcore.monkey
    hubcore.monkey.patch_all()
    import hubcore, threading
    from concurrent.futures import Future

    lock, event, future = threading.Lock(), threading.Event(), Future()
    lock.acquire()
    loops = [lambda: lock.acquire(False), event.is_set, future.done]

    def spin(look):
        while not look():
            pass
"""


def test_a_timeout_a_scope_and_a_kill_end_a_loop_over_tries(hub_backend):
    done = run_python(
        INTERRUPTS
        + """
    for look in loops:
        try:
            with hubcore.Timeout(0.01):
                spin(look)
        except hubcore.Timeout:
            print("timeout")
        with hubcore.move_on_after(0.01) as scope:
            spin(look)
        print("scope", scope.cancelled_caught)
        greenlet = hubcore.spawn(spin, look)
        hubcore.sleep(0)
        greenlet.kill()
        print("killed", greenlet.successful(), repr(greenlet.value))
    """,
        hub_backend,
    )
    assert done.stderr == ""
    assert done.stdout == "timeout\nscope True\nkilled True GreenletExit()\n" * 3


def test_locks_that_are_free_raise_no_interrupt_where_a_greenlet_cleans_up(hub_backend):
    done = run_python(
        INTERRUPTS
        + """
    free, cleaned = threading.Lock(), []

    def work():
        with hubcore.CancelScope() as scope:
            scope.cancel()
            try:
                hubcore.sleep(1)
            finally:
                for _ in range(5000):
                    with free:
                        cleaned.append(1)
                for _ in range(500):
                    lock.acquire(False)
    hubcore.spawn(work).get()
    print(len(cleaned))
    """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("5000\n", "")


NO_SWITCH = """
    import hubcore.monkey
    hubcore.monkey.patch_all()
    import gc, signal, threading, weakref, hubcore, _signal

    lock, others, ran = threading.Lock(), [], []
    lock.acquire()

    def other():
        while True:
            hubcore.sleep(0)
            ran.append(1)
    daemon = threading.Thread(target=other, daemon=True)
    daemon.start()

    def unswitched(what, call):
        hubcore.sleep(0)
        before = len(ran)
        call()
        print(what, len(ran) - before)
"""


def test_tries_never_switch_in_finalizers_signal_handlers_and_the_hub(hub_backend):
    done = run_python(
        NO_SWITCH
        + """
    class Finalized:
        def __del__(self):
            with free:
                lock.acquire(False)
    free = threading.Lock()

    def finalize():
        for _ in range(3000):
            Finalized()

    class Plain:
        pass

    def finalize_weakly():
        for _ in range(3000):
            weakref.finalize(Plain(), try_it)
    def try_it(*args):
        lock.acquire(False)

    def collect():
        for _ in range(3000):
            cycle = Finalized()
            cycle.itself = cycle
        del cycle
        gc.collect()

    def native_signals():
        _signal.signal(signal.SIGUSR1, try_it)
        for _ in range(3000):
            _signal.raise_signal(signal.SIGUSR1)

    def signals():
        # Each handler has a greenlet and a budget of its own.
        signal.signal(signal.SIGUSR1, try_it)
        for _ in range(300):
            _signal.raise_signal(signal.SIGUSR1)

    def callback():
        done = hubcore.event.Event()
        def call():
            for _ in range(3000):
                lock.acquire(False)
                lock.locked()
            count.append(len(ran))
            done.set()
        count = []
        hub = hubcore.get_hub()
        before = len(ran)
        hub.loop.run_callback(call)
        done.wait()
        assert count[0] - before <= 1, count  # the other greenlet may run before the callback, once

    for call in (finalize, finalize_weakly, collect, native_signals, signals):
        unswitched(call.__name__, call)
    callback()
    """,
        hub_backend,
    )
    assert done.stderr == ""
    assert done.stdout == "finalize 0\nfinalize_weakly 0\ncollect 0\nnative_signals 0\nsignals 0\n"


def test_a_few_tries_do_not_switch(hub_backend):
    done = run_python(
        NO_SWITCH
        + """
    def tries():
        for _ in range(59):
            lock.acquire(False)

    def steps():
        free = threading.Lock()
        for _ in range(900):
            with free:
                pass
    for _ in range(3):
        unswitched("tries", tries)
        unswitched("steps", steps)
    """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("tries 0\nsteps 0\n" * 3, "")


def test_without_patched_threads_a_try_never_switches(hub):
    """Programs of greenlets rely on it: what they do after a try that failed is one step with it."""
    import hubcore
    from hubcore.lock import RLock, Semaphore
    from hubcore.queue import Empty, Queue

    ran = []
    semaphore, rlock, queue = Semaphore(0), RLock(), Queue()
    owner = hubcore.spawn(lambda: (rlock.acquire(), hubcore.sleep(10)))
    hubcore.sleep(0)
    other = hubcore.spawn(ran.append, 1)
    for _ in range(3000):
        assert not semaphore.acquire(blocking=False)
        assert not rlock.acquire(blocking=False)
        with pytest.raises(Empty):
            queue.get_nowait()
    assert not ran
    hubcore.killall([owner, other])
