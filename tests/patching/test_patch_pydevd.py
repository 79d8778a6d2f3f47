"""pydevd gets unpatched modules to wait with; a stand-in has the part of its module that hubcore touches."""

from hubcore.testing import run_python

SAVED = """
    import os, sys, tempfile

    folder = tempfile.TemporaryDirectory()
    os.mkdir(os.path.join(folder.name, "_pydev_bundle"))
    with open(os.path.join(folder.name, "_pydev_bundle", "_pydev_saved_modules.py"), "w") as file:
        file.write("import threading, time, socket, select, queue, _thread as thread; ThreadingEvent = threading.Event")
    sys.path.insert(0, folder.name)
"""


def test_it_has_modules_of_its_own_where_all_is_patched_before(hub_backend):
    done = run_python(
        SAVED
        + """
    from hubcore import monkey
    monkey.patch_all()
    import queue, socket, threading, time
    from _pydev_bundle import _pydev_saved_modules as saved

    assert sys.modules["threading"] is threading is not saved.threading
    for module, name in [
        (threading, "Lock"), (threading, "_allocate_lock"), (threading, "get_ident"), (time, "sleep"),
        (socket, "socket"), (queue, "SimpleQueue"),
    ]:
        own = getattr(saved, module.__name__)
        assert monkey.is_object_patched(module.__name__, name) and module.__name__ == own.__name__
        assert getattr(own, name).__module__ != getattr(module, name).__module__, name

    # So its threads run, and it waits for them, while all greenlets stand still.
    turns, done, handled = [], saved.ThreadingEvent(), saved.queue.Queue()
    threading.Thread(target=turns.append, args=(1,)).start()
    other = threading.Thread(target=lambda: (time.sleep(0), turns.append(2)))
    other.start()
    thread = saved.threading.Thread(target=lambda: (handled.put(threading.get_ident()), done.set()))
    thread.start()
    assert done.wait(20) and handled.get() != threading.get_ident()
    thread.join()
    assert turns == [1]
    other.join()
    assert turns == [1, 2]
    assert saved.threading.main_thread().ident == threading.main_thread().ident
    """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_a_debugger_that_runs_already():
    done = run_python(
        SAVED
        + """
    from _pydev_bundle import _pydev_saved_modules as saved
    import threading
    from hubcore._patching import patch_all as _patch_all
    from hubcore._base.originals import allocate_lock

    _patch_all._warn_of_threads(found := [])
    print(*found)
    del sys.modules["threading"]  # as it does with GEVENT_SUPPORT
    saved.threading = __import__("threading")
    sys.modules["threading"] = threading
    gate = allocate_lock()
    gate.acquire()
    saved.threading.Thread(target=gate.acquire).start()
    _patch_all._warn_of_threads(found := [])
    print(found)
    gate.release()
    """
    )
    first, second = done.stdout.splitlines()
    assert "GEVENT_SUPPORT=True" in first
    assert second == "[]"
    assert done.stderr == ""
