"""File locks after patching: a waiter lets others run, also when another process holds the lock."""

import pytest

from hubcore.testing import run_python

PRELUDE = """
    import hubcore.monkey
    hubcore.monkey.patch_all()
    import errno, fcntl, os, struct, subprocess, sys, tempfile, threading, time
    from hubcore import Timeout, get_hub, move_on_after, sleep, spawn

    path = os.path.join(tempfile.mkdtemp(), "file")
    open(path, "wb").close()
    WHOLE = struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0)
    FREE = struct.pack("hhqqi", fcntl.F_UNLCK, 0, 0, 0, 0)
    LOCKS = {
        "flock": (lambda file: fcntl.flock(file, fcntl.LOCK_EX), lambda file: fcntl.flock(file, fcntl.LOCK_UN)),
        "flock of a number": (
            lambda file: fcntl.flock(file.fileno(), fcntl.LOCK_EX), lambda file: fcntl.flock(file, fcntl.LOCK_UN)
        ),
        "ofd": (
            lambda file: fcntl.fcntl(file, fcntl.F_OFD_SETLKW, WHOLE),
            lambda file: fcntl.fcntl(file, fcntl.F_OFD_SETLK, FREE),
        ),
    }
    OF_PROCESSES = {
        "lockf": (lambda file: fcntl.lockf(file, fcntl.LOCK_EX), lambda file: fcntl.lockf(file, fcntl.LOCK_UN)),
        "fcntl": (
            lambda file: fcntl.fcntl(file, fcntl.F_SETLKW, WHOLE), lambda file: fcntl.fcntl(file, fcntl.F_SETLK, FREE)
        ),
        "os.lockf": (
            lambda file: os.lockf(file.fileno(), os.F_LOCK, 0), lambda file: os.lockf(file.fileno(), os.F_ULOCK, 0)
        ),
    }
    LOCKS_OF_CHILD = {**LOCKS, **OF_PROCESSES}

    HOLDER = 'import fcntl, sys; file = open(sys.argv[1], "r+b"); '
    HOLDER += "(fcntl.flock if sys.argv[2].startswith('flock') else fcntl.lockf)(file, fcntl.LOCK_EX); "
    HOLDER += "print(flush=True); sys.stdin.read()"
    TRY = HOLDER.replace("LOCK_EX", "LOCK_EX | fcntl.LOCK_NB").replace("; sys.stdin.read()", "")

    class Holder:
        "Another process, which holds the lock until `stop`."
        def __init__(self, name):
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-c", HOLDER, path, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self.process.stdout.readline()
        def stop(self):
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
"""


def test_two_threads_that_lock_one_file(hub_backend):
    done = run_python(
        PRELUDE
        + """
    for name, (lock, unlock) in LOCKS.items():
        log, inside = [], []
        def run():
            with open(path, "r+b") as file:
                lock(file)
                inside.append(1)
                log.append(len(inside))
                time.sleep(0.02)
                inside.pop()
                unlock(file)
        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(name, log)
    """,
        hub_backend,
    )
    lines = [f"{name} [1, 1, 1, 1]\n" for name in ("flock", "flock of a number", "ofd")]
    assert (done.stdout, done.stderr) == ("".join(lines), "")


def test_others_run_while_another_process_holds_the_lock_and_a_kill_or_a_timeout_leaves_it_alone(hub_backend):
    done = run_python(
        PRELUDE
        + """
    for name, (lock, unlock) in LOCKS_OF_CHILD.items():
        holder = Holder(name)
        with open(path, "r+b") as file:
            try:
                with Timeout(0.01):
                    lock(file)
            except Timeout:
                print(name, "timeout", end=" ")
            with move_on_after(0.01) as scope:
                lock(file)
            print(scope.cancelled_caught, end=" ")
            task = spawn(lock, file)
            sleep(0.01)
            print(name.partition(" ")[0] in repr(task.waiting_on) or name == "ofd", end=" ")
            task.kill()
            got = spawn(lock, file)
            sleep(0.01)
            print(got.ready(), end=" ")
            holder.stop()
            got.get(timeout=20)
            command = [sys.executable, "-S", "-c", TRY, path, name]
            child = subprocess.run(command, stderr=subprocess.PIPE)  # the lock is this process's now
            print(b"BlockingIOError" in child.stderr, end=" ")
            unlock(file)
            print(subprocess.run(command, stdout=subprocess.DEVNULL).returncode)
    """,
        hub_backend,
    )
    names = ("flock", "flock of a number", "ofd", "lockf", "fcntl", "os.lockf")
    lines = [f"{name} timeout True True False True 0\n" for name in names]
    assert (done.stdout, done.stderr) == ("".join(lines), "")


def test_what_does_not_wait_and_what_is_wrong_is_the_standard_librarys(hub_backend):
    done = run_python(
        PRELUDE
        + """
    def said(call, *args):
        try:
            return call(*args)
        except Exception as error:
            return type(error).__name__, str(error)

    for name in ("flock", "lockf"):
        holder = Holder(name)
        native = hubcore.monkey.get_original("fcntl", name)
        patched = getattr(fcntl, name)
        assert patched is not native
        with open(path, "r+b") as file, open(path, "r+b") as other:
            for args in [
                (file, fcntl.LOCK_EX | fcntl.LOCK_NB), (file, fcntl.LOCK_UN), (file, 0), (file, "x"), (file,),
                (-1, fcntl.LOCK_EX), (9999, fcntl.LOCK_EX), ("x", fcntl.LOCK_EX), (object(), fcntl.LOCK_SH), (),
                (2**40, fcntl.LOCK_EX), (9999, fcntl.LOCK_SH), (None, fcntl.LOCK_EX | fcntl.LOCK_NB),
            ]:
                a, b = said(patched, *args), said(native, *args)
                assert a == b or a[0] == b[0] == "TypeError", (name, args, a, b)
        holder.stop()
    native = hubcore.monkey.get_original("fcntl", "fcntl")
    with open(path, "r+b") as file:
        for args in [(file, fcntl.F_GETFL), (file, fcntl.F_GETFD, 0), (-1, fcntl.F_SETLKW, WHOLE), (file, 12345),
                     (file, fcntl.F_SETLKW, b"short" * 300)]:
            a, b = said(fcntl.fcntl, *args), said(native, *args)
            assert a == b, (args, a, b)
        granted = fcntl.fcntl(file, fcntl.F_SETLKW, WHOLE)
        assert granted == WHOLE, granted
        closing = open(path, "r+b")
        holder = Holder("flock")
        task = spawn(fcntl.flock, closing.fileno(), fcntl.LOCK_SH)
        sleep(0.01)
        closing.close()
        print(said(task.get)[0])
        holder.stop()
    print("ok")
    """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("OSError\nok\n", "")


def test_a_shared_lock_becomes_exclusive_once_the_other_is_gone(hub_backend):
    done = run_python(
        PRELUDE
        + """
    with open(path, "r+b") as a, open(path, "r+b") as b:
        fcntl.flock(a, fcntl.LOCK_SH)
        fcntl.flock(b, fcntl.LOCK_SH)
        task = spawn(fcntl.flock, a, fcntl.LOCK_EX)
        sleep(0.01)
        print(task.ready())
        fcntl.flock(b, fcntl.LOCK_UN)
        task.get(timeout=20)
        try:
            fcntl.flock(b, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            print("exclusive")
    """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("False\nexclusive\n", "")


@pytest.mark.slow
def test_random_users_of_one_file_never_hold_it_at_once(hub_backend):
    """Greenlets that are killed and run into timeouts, and other processes, against a counter in the file."""
    done = run_python(
        PRELUDE
        + """
    import random
    rng = random.Random(4711)
    USER = [
        "import fcntl, sys, time",
        "for _ in range(40):",
        "    with open(sys.argv[1], 'r+b') as file:",
        "        fcntl.flock(file, fcntl.LOCK_EX)",
        "        number = int(file.read() or b'0')",
        "        time.sleep(0.0005)",
        "        file.seek(0); file.write(b'%d' % (number + 1)); file.flush()",
    ]
    children = [subprocess.Popen([sys.executable, "-S", "-c", "\\n".join(USER), path]) for _ in range(2)]
    done = [0]
    def user():
        while done[0] < 60:
            with Timeout(rng.choice([0.001, 0.01, 1]), False):
                with open(path, "r+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    number = int(file.read() or b"0")
                    try:
                        time.sleep(0.0005)
                    finally:
                        file.seek(0); file.write(b"%d" % (number + 1)); file.flush()
                        done[0] += 1
    tasks = [spawn(user) for _ in range(4)]
    while not all(task.ready() for task in tasks):
        victim = rng.randrange(4)
        if rng.random() < 0.2:
            tasks[victim].kill()
            tasks[victim] = spawn(user)
        sleep(0.003)
    for task in tasks: task.get()
    for child in children: child.wait()
    print(int(open(path).read()) == 80 + done[0])
    """,
        hub_backend,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
