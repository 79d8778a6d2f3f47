"""Threads that stay native after the patch, because C code keeps them waiting."""

from hubcore.testing import run_python

LIBRARY = """
    import sys, textwrap, types
    from _thread import allocate_lock, get_ident  # what C code has

    def library(name):
        module = types.ModuleType(name)
        exec(textwrap.dedent('''
            import threading

            def waits_in_c(seen, gate, runs):
                seen.append(where())
                runs.set()
                gate.acquire()

            class Poller(threading.Thread):
                def __init__(self, *arguments):
                    super().__init__()
                    self.arguments = arguments

                def run(self):
                    waits_in_c(*self.arguments)

            def start_opaque(function, *arguments):
                thread = threading.Thread(target=function, args=arguments)
                thread.start()
                return thread
        '''), module.__dict__)
        module.where = get_ident
        return sys.modules.setdefault(name, module)

    def gate():
        lock = allocate_lock()
        lock.acquire()
        return lock
"""


def test_threads_of_what_is_named_are_native(hub_backend):
    done = run_python(
        LIBRARY
        + """
    from hubcore import config, monkey
    monkey.patch_all(native_threads=["driver", "other:start_opaque", "third:waits_in_c"])
    import threading, hubcore

    main, driver, other, third = get_ident(), library("driver.pool"), library("other"), library("third")
    function = driver.waits_in_c

    def check(start, native=True):
        # A greenlet would never give the turn back here, if nobody had opened the gate first.
        seen, closed, runs = [], gate(), threading.Event()
        if not native:
            closed.release()
        thread = start(seen, closed, runs)
        runs.wait()
        assert (seen != [main]) == native, start
        if native:
            assert thread.is_alive() and thread in threading.enumerate() and thread.ident == seen[0]
            thread.join(0)
            closed.release()
        thread.join()
        assert not thread.is_alive() and thread not in threading.enumerate()

    check(lambda *a: driver.start_opaque(driver.waits_in_c, *a))
    check(lambda *a: other.start_opaque(other.waits_in_c, *a))  # by who starts it

    def started(thread):
        thread.start()
        return thread

    check(lambda *a: started(threading.Thread(target=third.waits_in_c, args=a)))  # by what it runs
    check(lambda *a: started(driver.Poller(*a)))  # by its class
    check(lambda *a: third.start_opaque(other.waits_in_c, *a), native=False)
    """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_native_threads_share_locks_and_start_greenlets(hub_backend):
    done = run_python(
        LIBRARY
        + """
    from hubcore import monkey
    monkey.patch_all()
    import threading, hubcore

    driver, hub, main = library("driver"), hubcore.get_hub(), get_ident()
    condition, items, seen, local = threading.Condition(), [], [], threading.local()
    local.who = "main"

    def handler():
        seen.append(("handler", get_ident() == main, hubcore.get_hub() is hub))
        hubcore.sleep(0)
        return "handled"

    def native():
        seen.append(("native", get_ident() == main, hasattr(local, "who"), threading.current_thread().name))
        greenlet = threading.Thread(target=handler)
        greenlet.start()
        with condition:
            while not items:
                condition.wait()
        greenlet.join()
        with condition:
            items.append("from the native thread")
            condition.notify()
        raise SystemExit

    def failing():
        raise ValueError("in a native thread")

    thread = driver.start_opaque(native)
    assert thread.is_alive()
    with condition:
        items.append("from a greenlet")
        condition.notify()
        while len(items) < 2:
            condition.wait()
    thread.join()
    print(sorted(seen))
    caught = []
    threading.excepthook = lambda args: caught.append(args.exc_value)
    driver.start_opaque(failing).join()
    print(caught)
    # The process waits for it when it ends, as for any thread that is no daemon.
    driver.start_opaque(lambda: (hubcore.sleep(0.01), print("last")))
    """,
        hub_backend,
        env={"HUBCORE_NATIVE_THREADS": "driver"},
    )
    assert done.stdout == (
        "[('handler', True, True), ('native', False, False, 'Thread-1 (native)')]\n"
        "[ValueError('in a native thread')]\n"
        "last\n"
    )
    assert done.stderr == ""


def test_bad_names_are_refused():
    done = run_python("""
        from hubcore import config
        from hubcore.monkey import patch_all

        for bad in ("driver", ["dri-ver"], ["driver:"], ["driver:a.b"], [3], [""]):
            try:
                patch_all(native_threads=bad)
            except (TypeError, ValueError) as error:
                print(type(error).__name__, error)
        assert config.native_threads == ()
    """)
    lines = done.stdout.splitlines()
    assert lines[0] == "TypeError native_threads must be a sequence of names, such as ('driver',), not 'driver'"
    assert lines[1].startswith("ValueError native_threads has 'dri-ver'; it takes names such as 'package.module'")
    assert len(lines) == 6
    assert done.stderr == ""
