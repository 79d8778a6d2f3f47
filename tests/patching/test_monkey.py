"""hubcore.monkey: the replaced names, their behaviour, and the warnings and errors of patching."""

import re
import sys

import pytest

from hubcore._patching import cpython_internals as _cpython_internals
from hubcore._patching import patch_all as _patch_all
from hubcore.testing import run_python
from tests.support.paths import ROOT

WAITS = """
import time as clock
import queue, selectors, select, socket, ssl, sys
early = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
native_epoll = select.epoll
from hubcore import monkey
import hubcore
assert monkey.patch_all() is True

def later(function, *args):
    "Call it once others have run."
    def wait():
        for _ in range(6):
            hubcore.sleep(0.005)
        function(*args)
    return hubcore.spawn(wait)

ticks = []
def tick():
    while True:
        ticks.append(None)
        hubcore.sleep(0.005)
ticker = hubcore.spawn(tick)

def others_ran(wait):
    before = len(ticks)
    result = wait()
    assert len(ticks) - before >= 3, (wait, len(ticks) - before)
    return result

a, b = socket.socketpair()
later(b.send, b"x"); assert others_ran(lambda: a.recv(1)) == b"x"
later(b.send, b"x"); assert others_ran(lambda: select.select([a], [], [], 5)[0]) == [a]
p = select.poll(); p.register(a, select.POLLIN); a.recv(1)
later(b.send, b"x"); assert others_ran(lambda: p.poll(5000))[0][0] == a.fileno()
e = select.epoll(); assert isinstance(e._queue, native_epoll); e.register(a, select.EPOLLIN | select.EPOLLET)
a.recv(1); e.poll(0)
later(b.send, b"x"); assert others_ran(lambda: e.poll(5)) == [(a.fileno(), select.EPOLLIN)]; a.recv(1)
for kind in (selectors.DefaultSelector, selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
    with kind() as selector:
        selector.register(a, selectors.EVENT_READ)
        later(b.send, b"x"); assert len(others_ran(lambda: selector.select(5))) == 1
    a.recv(1)
for kind in (queue.Queue, queue.LifoQueue, queue.PriorityQueue, queue.SimpleQueue):
    q = kind()
    later(q.put, 1); assert others_ran(q.get) == 1
first = {name: sys.modules.pop(name) for name in ("queue", "_queue")}
import queue as anew
sys.modules.update(first)
assert anew is not queue and anew.Empty is queue.Empty
for kind in (anew.Queue, anew.SimpleQueue):
    q = kind()
    later(q.put, 1); assert others_ran(q.get) == 1
from multiprocessing.dummy import Pipe
near, far = Pipe()
later(far.send, 1); assert others_ran(lambda: near.poll(5)) and near.recv() == 1
others_ran(lambda: [clock.sleep(0.01) for _ in range(6)])
server = socket.create_server(("localhost", 0))
client = socket.create_connection(server.getsockname())
later(client.close); assert others_ran(lambda: server.accept()[0].recv(1)) == b""
late = ssl.create_default_context()
for context in (early, late):
    context.options |= 0; context.verify_flags |= 0; context.minimum_version = context.minimum_version
    context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
    assert type(context.wrap_socket(socket.socket())).__module__ == "hubcore.ssl"
ticker.kill()
print("ok")
"""


def test_what_blocks_lets_others_run_once_everything_is_patched(hub_backend):
    assert run_python(WAITS, hub_backend).stdout == "ok\n"


def test_what_is_patched_is_told(hub_backend):
    done = run_python(
        """
        import socket, time, warnings
        was = socket.socket
        from hubcore import monkey
        assert not monkey.is_anything_patched() and not monkey.saved
        assert monkey.get_original("socket", "socket") is was
        monkey.patch_socket(dns=False)
        assert monkey.is_anything_patched() and monkey.is_module_patched("socket")
        assert not monkey.is_module_patched("time")
        assert monkey.is_object_patched("socket", "socket") and not monkey.is_object_patched("socket", "getaddrinfo")
        monkey.patch_dns()
        assert monkey.is_object_patched("socket", "getaddrinfo")
        assert monkey.get_original("socket", "socket") is was is monkey.saved["socket"]["socket"]
        assert monkey.get_original("socket", ["socket", "AF_INET"]) == [was, socket.AF_INET]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            before = {name: dict(items) for name, items in monkey.saved.items()}
            monkey.patch_all(socket=False, dns=False, thread=False)
            assert not caught, caught[0].message
            assert monkey.get_original("time", "sleep") is not time.sleep
            assert monkey.patch_all(socket=False, dns=False, thread=False, time=False)
            assert monkey.patch_all(socket=False, dns=False, thread=False, time=False)
        assert [str(each.message) for each in caught] == [
            "patch_all was called before with other arguments; everything that any of the calls asks for is patched: "
            "time=False"
        ], caught
        assert caught[0].category is monkey.MonkeyPatchWarning and caught[0].filename == "<string>"
        for name in before:
            assert monkey.saved[name] == before[name]
        monkey.patch_sys(); monkey.patch_builtins(); monkey.patch_contextvars()
        for call in (lambda: monkey.patch_all(treads=False), lambda: monkey.patch_socket(nds=False)):
            try:
                call()
            except TypeError as error:
                print(error)
        """,
        hub_backend,
    )
    first, second = done.stdout.splitlines()
    assert "patch_all() got an unexpected keyword argument 'treads'" in first
    assert "nds" in second


def test_modules_may_be_patched_by_others_with_hooks_events_and_vetoes():
    done = run_python(
        """
        import types
        from hubcore import events, monkey
        target, source = types.ModuleType("target"), types.ModuleType("source")
        target.a, source.a, source.__implements__ = 1, 2, ["a", "b"]
        source._gevent_will_monkey_patch = lambda module, items, warn: print("will", module.__name__, items)
        source._hubcore_did_monkey_patch = lambda module, items, warn: print("did", module.__name__, items)
        events.subscribers.append(lambda event: print(type(event).__name__, event.module_name))
        try:
            monkey.patch_module(target, source)
        except AttributeError as error:
            print(error)
        assert target.a == 1 and not monkey.saved
        source.b = 3
        assert monkey.patch_module(target, source)
        assert (target.a, target.b, monkey.saved) == (2, 3, {"target": {"a": 1}})
        monkey.remove_item(target, "b"); monkey.remove_item(target, "c")
        assert not hasattr(target, "b") and monkey.get_original("target", "b") == 3
        monkey.patch_item(target, "a", 4); assert monkey.get_original("target", "a") == 1

        def veto(event):
            if isinstance(event, events.GeventWillPatchModuleEvent) and event.module_name == "time":
                raise events.DoNotPatch
        events.subscribers[:] = [veto]
        import time; was = time.sleep
        assert not monkey.patch_time() and time.sleep is was
        seen = []
        events.subscribers[:] = [seen.append]
        assert monkey.patch_all(thread=False, select=False, more=1)
        first, last = seen[0], seen[-1]
        assert isinstance(first, events.GeventWillPatchAllEvent) and first.will_patch_module("socket")
        assert not first.will_patch_module("select") and first.patch_all_kwargs == {"more": 1}
        assert [type(each).__name__ for each in seen[-2:]] == ["DidPatchBuiltinModulesEvent", "DidPatchAllEvent"]
        assert events.IGeventDidPatchAllEvent.providedBy(last) and not last.patch_all_arguments["select"]
        def never(event):
            raise events.DoNotPatch
        events.subscribers[:] = [never]
        assert monkey.patch_all() is False
        try:
            monkey.patch_module(target, monkey)
        except AttributeError as error:
            print(error)
        """
    )
    assert done.stdout.splitlines() == [
        "will target ['a', 'b']",
        "WillPatchModuleEvent target",
        "module 'source' has no attribute 'b'",
        "will target ['a', 'b']",
        "WillPatchModuleEvent target",
        "did target ['a', 'b']",
        "DidPatchModuleEvent target",
        "hubcore.monkey has no __implements__; pass the names to replace in target as `items`",
    ]


def test_entry_points_of_packages_are_called(tmp_path):
    folder = tmp_path / "plugin-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (folder / "entry_points.txt").write_text(
        "[hubcore.plugins.monkey.did_patch_all]\nit = plugin:told\n"
        "[hubcore.plugins.monkey.will_patch_module]\nit = plugin:no\n"
    )
    (tmp_path / "plugin.py").write_text(
        "from hubcore.events import DoNotPatch\n"
        "def told(event): print(type(event).__name__, event.patch_all_kwargs)\n"
        "def no(event):\n    if event.module_name == 'time': raise DoNotPatch\n"
    )
    code = f"""
        import sys; sys.path.append({str(tmp_path)!r})
        from hubcore import monkey
        monkey.patch_all(thread=False, known_to_the_plugin=1)
        print(monkey.is_module_patched("time"), monkey.is_module_patched("socket"))
        """
    assert run_python(code).stdout == "DidPatchAllEvent {'known_to_the_plugin': 1}\nFalse True\n"
    without = "import sys; from hubcore import monkey; monkey.patch_all(); print('importlib.metadata' in sys.modules)"
    assert run_python(without, python=("-S",)).stdout == "False\n"


def test_a_python_without_a_private_name_is_refused_by_name():
    assert _cpython_internals.missing() == []
    done = run_python(
        """
        import socket
        del socket._intenum_converter
        was = socket.socket
        from hubcore import monkey
        try:
            monkey.patch_socket()
        except ImportError as error:
            print(error)
        assert socket.socket is was and not monkey.is_anything_patched()
        """
    )
    assert "cannot patch 'socket' on cpython 3." in done.stdout
    assert "lacks socket._intenum_converter (the enumerations in the results of getaddrinfo)" in done.stdout
    assert "leave socket unpatched: patch_all(socket=False) or hubcore run --no-socket" in done.stdout


@pytest.mark.parametrize(
    ("taken", "name", "unpatched"),
    [
        ("del threading._register_atexit", "threading._register_atexit", "threading"),
        ("del socket._intenum_converter", "socket._intenum_converter", "socket"),
        ("del ssl._TLSAlertType", "ssl._TLSAlertType", "ssl"),
        ("del logging._at_fork_reinit_lock_weakset", "logging._at_fork_reinit_lock_weakset", ""),
        ("del concurrent.futures.thread._threads_queues", "concurrent.futures.thread._threads_queues", ""),
        ("del _multiprocessing.SemLock", "_multiprocessing.SemLock", ""),
    ],
)
def test_patch_all_leaves_out_what_this_python_lacks_names_for_with_one_warning(taken, name, unpatched):
    """As a CPython would that is newer than hubcore."""
    done = run_python(
        f"""
        import concurrent.futures.thread, logging, socket, ssl, threading, warnings, _multiprocessing
        before = socket.socket, ssl.SSLContext, threading._allocate_lock
        {taken}
        from hubcore import monkey
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            monkey.patch_all()
        print([str(each.message) for each in told])
        after = socket.socket, ssl.SSLContext, threading._allocate_lock
        print([name for name, a, b in zip(("socket", "ssl", "threading"), before, after) if a is b])
        done = []
        thread = threading.Thread(target=done.append, args=(1,))
        thread.start()
        thread.join()
        print(done)
        """
    )
    told, stayed, worked = done.stdout.splitlines()
    assert f"does not support {sys.implementation.name} 3." in told
    assert f"which lacks {name} (" in told
    assert told.count("stays unpatched") == 1
    assert (stayed, worked) == (str([unpatched] if unpatched else []), "[1]")


@pytest.mark.parametrize("left_out", [("socket", "dns"), ("ssl",), ("subprocess",), ("select",), ("thread",)])
def test_what_is_left_out_does_not_come_in_by_another_module(left_out):
    done = run_python(
        f"""
        import select, selectors, socket, ssl, subprocess, threading
        def now():
            return {{
                "select": (select.select, selectors.DefaultSelector),
                "socket": socket.socket, "dns": socket.getaddrinfo,
                "ssl": ssl.SSLContext, "subprocess": subprocess.Popen, "thread": threading._start_new_thread
                if hasattr(threading, "_start_new_thread") else threading._start_joinable_thread,
            }}
        before = now()
        from hubcore import monkey
        monkey.patch_all(**dict.fromkeys({left_out!r}, False))
        print(*sorted(name for name, it in now().items() if it == before[name]))
        """
    )
    assert done.stdout.split() == sorted(left_out)


def test_how_to_leave_a_module_out_that_cannot_be_patched_is_an_argument_of_patch_all(monkeypatch):
    for patching in {row.patching for row in _cpython_internals.TABLE} - {"asyncio"}:  # which is not patched
        row = _cpython_internals._row(patching, "sys:no_such_name", "a test")
        monkeypatch.setattr(_cpython_internals, "TABLE", [row])
        with pytest.raises(ImportError, match=r"no_such_name \(a test\)") as failed:
            _cpython_internals.check(patching)
        assert str(failed.value).rpartition("--no-")[2] in _patch_all.MODULES


def test_what_hubcore_imports_after_the_patch_is_unpatched(hub_backend):
    """Its worker threads, and what they wait on, must be native."""
    done = run_python(
        """
        import hubcore
        from hubcore import monkey
        monkey.patch_all()
        import hubcore._diagnostics.monitor, hubcore._debug.run_info, hubcore._io.threaded_file, hubcore._queues.store
        import hubcore.threadpool, hubcore.resolver.thread, hubcore.from_thread, hubcore.fileobject, hubcore.local
        import hubcore._capi.fallback
        get_ident = monkey.get_original("_thread", "get_ident")
        mine = get_ident()
        pool = hubcore.threadpool.ThreadPool(2)
        assert pool.apply(get_ident) != mine
        with hubcore.threadpool.ThreadPoolExecutor(1) as executor:
            assert executor.submit(get_ident).result() != mine
        from hubcore import config
        config.monitor_thread = True
        hubcore.get_hub().start_periodic_monitoring_thread()
        hubcore.sleep(0.01)
        from hubcore.util import format_run_info
        format_run_info()
        print("ok")
        """,
        hub_backend,
    )
    assert done.stdout == "ok\n"


def test_what_is_imported_late_does_not_look_its_threads_and_locks_up_in_the_patched_module():
    early = run_python("import hubcore, sys; print(*sys.modules)").stdout.split()
    own = {"hubcore._base.originals", "hubcore.thread", "hubcore.threading", "hubcore._sync.thread_lock"}
    wrong = []
    for path in sorted((ROOT / "hubcore").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if name not in early and name not in own and not name.startswith("hubcore.testing"):
            wrong += [
                f"{name}: {line}" for line in re.findall(r"^ *(?:from|import) _thread\b.*", path.read_text(), re.M)
            ]
    assert not wrong, f"take it from hubcore._base.originals: {'; '.join(wrong)}"


def test_hubcore_closes_its_own_fds_by_the_original():
    """The patched os.close tells the hub; in a forked child that may be the parent's, whose poll object is shared."""
    sources = ((str(path), path.read_text()) for path in (ROOT / "hubcore").rglob("*.py"))
    looked_up = [path for path, text in sources if re.search(r"\bos\.close\(", text)]
    assert [path for path in looked_up if "/testing/" not in path and "/cli/" not in path] == []


def test_threads_that_run_already_are_warned_of():
    done = run_python(
        """
        import threading
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait, name="early"); thread.start()
        found = []
        from hubcore._patching import patch_all as _patch_all
        _patch_all._warn_of_threads(found)
        other = threading.Thread(target=_patch_all._warn_of_threads, args=(found,)); other.start(); other.join()
        stop.set(); thread.join()
        _patch_all._warn_of_threads(found)
        print(*found, sep="\\n")
        """
    )
    first, second = done.stdout.splitlines()
    assert first.startswith("threads run already: 'early'.")
    assert "is called outside the main thread" in second


@pytest.mark.parametrize(
    ("text", "patched"),
    [
        ("", None),
        ("0", None),
        ("off", None),
        ("1", "os thread time socket select ssl subprocess signal queue dns"),
        ("socket,ssl", "socket ssl dns"),
        ("dns", "dns"),
        ("-thread, -queue", "os time socket select ssl subprocess signal dns"),
        ("all,-thread", "os time socket select ssl subprocess signal queue dns"),
    ],
)
def test_hub_patch_names_what_is_patched(text, patched):
    found = _patch_all.arguments_for(text, "HUB_PATCH")
    assert (None if found is None else {name for name, value in found.items() if value}) == (
        None if patched is None else set(patched.split())
    )


@pytest.mark.parametrize("text", ["sockets", "2", "0,socket", "1,socket", "socket,-ssl", "-socket,ssl"])
def test_hub_patch_refuses_what_it_does_not_know(text):
    with pytest.raises(ValueError, match=r"HUB_PATCH is .*it takes 1 \(everything\)"):
        _patch_all.arguments_for(text, "HUB_PATCH")
