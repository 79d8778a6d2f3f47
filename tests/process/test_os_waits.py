"""os.eventfd_read and write, os.sched_yield and os.open of a FIFO let others run, after patching."""

from hubcore.testing import run_python

PRELUDE = """
    import hubcore.monkey
    hubcore.monkey.patch_all()
    import os, tempfile, threading, time
    from hubcore import Timeout, sleep, spawn

    def said(call, *args):
        try:
            return call(*args)
        except Exception as error:
            return type(error).__name__, str(error)
"""


def test_eventfds(hub_backend):
    done = run_python(
        PRELUDE
        + """
    fd = os.eventfd(0)
    def later(value):
        time.sleep(0.01)
        os.eventfd_write(fd, value)
    threading.Thread(target=later, args=(5,)).start()
    print(os.eventfd_read(fd))
    with Timeout(0.01, False):
        os.eventfd_read(fd)
        print("it was empty")

    MOST = 2**64 - 2
    for value in (1, 5, MOST):
        os.eventfd_write(fd, MOST)  # full
        task = spawn(os.eventfd_write, fd, value)
        sleep(0.01)
        print(task.ready(), os.eventfd_read(fd) == MOST, end=" ")
        task.get(timeout=20)
        print(os.eventfd_read(fd) == value)
    os.eventfd_write(fd, 7)
    task = spawn(os.eventfd_write, fd, MOST - 3)
    sleep(0.01)
    task.kill()
    print(os.eventfd_read(fd))

    semaphore = os.eventfd(2, os.EFD_SEMAPHORE)
    print(os.eventfd_read(semaphore), os.eventfd_read(semaphore))
    nonblocking = os.eventfd(0, os.EFD_NONBLOCK)
    print(said(os.eventfd_read, nonblocking)[0])
    for name in ("eventfd_read", "eventfd_write"):
        native, patched = hubcore.monkey.get_original("os", name), getattr(os, name)
        assert patched is not native
        r, w = os.pipe()
        for args in [(-1, 1), (9999, 1), ("x", 1), (fd, -1), (fd, 2**64 - 1), (fd, 2**70), (w, 0)]:
            args = args[: 1 + (name == "eventfd_write")]
            if name == "eventfd_read" and args[0] in (fd, w):
                continue
            assert said(patched, *args) == said(native, *args), (name, args, said(patched, *args), said(native, *args))
    """,
        hub_backend,
    )
    expected = "5\nFalse True True\nFalse True True\nFalse True True\n7\n1 1\nBlockingIOError\n"
    assert (done.stdout, done.stderr) == (expected, "")


def test_sched_yield_lets_the_others_run(hub_backend):
    done = run_python(
        PRELUDE
        + """
    flags = []
    thread = threading.Thread(target=lambda: (time.sleep(0.01), flags.append(1)))
    thread.start()
    while not flags:
        os.sched_yield()
    thread.join()
    print(os.sched_yield())
    """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("None\n", "")


def test_opening_a_fifo(hub_backend):
    done = run_python(
        PRELUDE
        + """
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "fifo")
    os.mkfifo(path)
    for mine, theirs in ((os.O_RDONLY, os.O_WRONLY), (os.O_WRONLY, os.O_RDONLY)):
        ends = []
        thread = threading.Thread(target=lambda: (time.sleep(0.01), ends.append(os.open(path, theirs))))
        thread.start()
        fd = os.open(path, mine)
        thread.join()
        print(os.get_inheritable(fd), len(ends))
        os.close(fd)
        os.close(ends[0])

    at = os.open(folder, os.O_RDONLY)
    before = set(os.listdir("/proc/self/fd"))
    try:
        with Timeout(0.05):
            os.open("fifo", os.O_RDONLY, dir_fd=at)
    except Timeout:
        print("timeout")
    write = os.open(path, os.O_WRONLY)  # meets the thread, which closes its end
    while True:
        try:
            while os.write(write, b"x"):
                sleep(0.001)
        except BrokenPipeError:
            break
    os.close(write)
    print(set(os.listdir("/proc/self/fd")) <= before)

    print(said(os.open, path, os.O_WRONLY | os.O_NONBLOCK)[0])
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.close(fd)
    native = hubcore.monkey.get_original("os", "open")
    for args in [("/nowhere/x", 0), (path, "x"), (None, 0), (5.5, 0), ("a\\0b", 0)]:
        a, b = said(os.open, *args), said(native, *args)
        assert a == b, (args, a, b)
    import shutil
    assert os.open in os.supports_dir_fd and shutil._use_fd_functions
    """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("False 1\nFalse 1\ntimeout\nTrue\nOSError\n", "")
