"""Stale references to originals: found, replaced, refused, and reported by `hubcore doctor`."""

import os
import subprocess
import sys

import pytest

from hubcore.testing import run_python
from tests.support.paths import ROOT

LIBRARY = """
import functools, select as module
from socket import getaddrinfo, socket, create_connection
from queue import SimpleQueue

class Derived(socket): pass
def default(how=module.select, *, poll=module.poll): return how, poll
def outer(f):
    def inner(): return f
    return inner
closed = outer(getaddrinfo)
table = {"a": [getaddrinfo], "t": (getaddrinfo,)}
class Class:
    static = staticmethod(getaddrinfo)
    def method(self, how=module.select): return how
    def __init__(self): self.jobs, self.look = SimpleQueue(), getaddrinfo
instance = Class()
"""
FOUND = [
    "a default of library.Class.method() is select.select",
    "a default of library.default() is select.select",
    "f, a variable of library.closed() is socket.getaddrinfo",
    "library.Class.static is socket.getaddrinfo",
    "library.Derived derives from socket.socket",
    "library.SimpleQueue is queue.SimpleQueue",
    "library.getaddrinfo is socket.getaddrinfo",
    "library.instance.jobs is an instance of queue.SimpleQueue",
    "library.instance.look is socket.getaddrinfo",
    "library.socket is socket.socket",
    "library.table['a'][0] is socket.getaddrinfo",
    "library.table['t'][0] is socket.getaddrinfo",
    "the default of poll of library.default() is select.poll",
]
LEFT = [line for line in FOUND if "Derived" in line or "'t'" in line or "jobs" in line]


@pytest.fixture
def library(tmp_path):
    (tmp_path / "library.py").write_text(LIBRARY)
    (tmp_path / "between.py").write_text("import library\n")
    return tmp_path


def test_every_kind_of_reference_is_found_and_what_can_be_is_replaced(library):
    done = run_python(
        f"""
        import sys; sys.path.insert(0, {str(library)!r})
        import between, library, socketserver
        from hubcore import monkey
        from hubcore._patching.existing import stale_references as _stale_references
        from hubcore.exceptions import StaleReferences
        try:
            monkey.patch_all(thread=False, strict=True)
        except StaleReferences as error:
            print(error)
            print(sorted(map(str, error.references)))
        assert library.socket is monkey.get_original("socket", "socket")
        try:
            monkey.patch_all(thread=False, strict=True, rebind=True)
        except StaleReferences as error:
            print(sorted(map(str, error.references)))
        import select, selectors, socket
        assert library.socket is socket.socket and library.closed() is socket.getaddrinfo is library.Class.static
        assert library.default() == (select.select, select.poll) and library.instance.look is socket.getaddrinfo
        assert library.instance.method() is select.select and library.table["a"] == [socket.getaddrinfo]
        assert socketserver._ServerSelector is selectors.PollSelector  # without being asked: the standard library's own
        assert monkey.get_original("socketserver", "_ServerSelector").__module__ == "selectors"
        """
    )
    text, found, left = done.stdout.rpartition("[")[0].rpartition("\n[")[0], *done.stdout.splitlines()[-2:]
    assert eval(found) == FOUND
    assert eval(left) == LEFT
    assert text.splitlines()[:2] == [
        f"{len(FOUND)} references to blocking originals, made before the patch:",
        "  library, imported by __main__ -> library",
    ]
    assert f"patch_all(rebind=True) replaces {len(FOUND) - len(LEFT)} of them in place." in text


def test_nothing_is_found_where_the_patch_came_first(library):
    run_python(
        f"""
        import sys; sys.path.insert(0, {str(library)!r})
        from hubcore import monkey
        monkey.patch_all(strict=True)
        import library
        monkey.patch_all(strict=True)
        """
    )


def doctor(folder, *arguments, status=0):
    done = subprocess.run(
        [sys.executable, "-m", "hubcore", "doctor", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


APP = """
import between, sys, time
sys.modules["MySQLdb._mysql"] = sys
import hubcore
from hubcore import monkey
if "patch" in sys.argv:
    monkey.patch_all(thread=False)
def busy():
    end = time.perf_counter() + 0.5
    while time.perf_counter() < end:
        pass
hubcore.spawn_later(0.05, busy)
hubcore.sleep(0.01)
hubcore.sleep(0.2)
print("done")
sys.exit(3)
"""


def test_the_doctor_tells_what_blocks(library):
    (library / "app.py").write_text(APP)
    out, report = doctor(library, "--no-patch", "app.py", "patch", status=3)
    assert out == "done\n"
    assert "The program itself patched the standard library." in report
    assert "  library, imported by __main__ -> between -> library\n    library.getaddrinfo is socket.get" in report
    assert "  mysqlclient: use PyMySQL" in report
    assert ", in busy" in report
    out, report = doctor(library, "-m", "app", status=3)
    assert "hubcore patched the standard library before the program began" in report
    assert "library.socket" not in report
    assert "mysqlclient" in report
    _, report = doctor(library, "--no-patch", "app.py", status=3)
    assert "The program did not patch the standard library. `hubcore run` patches it first" in report
    assert report.count("hubcore doctor\n") == 1


def test_a_lock_that_was_left_is_told_of_once():
    done = run_python(
        """
        import threading
        held = threading.Lock()
        held.acquire()
        from hubcore import exceptions, monkey
        try:
            monkey.patch_all(strict=True)
        except exceptions.StaleReferences as left:
            print(left)
        """
    )
    assert done.stdout.splitlines()[:3] == [
        "1 reference to blocking originals, made before the patch:",
        "  __main__",
        "    __main__.held is a native lock made before the patch (it was held)",
    ]


def test_queues_that_were_made_before_the_patch_are_told_of_wherever_they_are():
    done = run_python(
        """
        import collections, queue, sys, types
        library = sys.modules["library"] = types.ModuleType("library")
        class Slots:
            __slots__ = ("jobs",)
        Slots.__module__ = "library"
        library.one = queue.SimpleQueue()
        library.slots = Slots()
        library.slots.jobs = queue.SimpleQueue()
        library.deque = collections.deque([queue.SimpleQueue()])
        from hubcore import exceptions, monkey
        from hubcore.threadpool import ThreadPoolExecutor as ours
        ours(1).submit(int).result()
        try:
            monkey.patch_all(thread=False, strict=True)
        except exceptions.StaleReferences as left:
            print(left)
        assert monkey.is_object_patched("queue", "SimpleQueue")
        """
    )
    what = "a native SimpleQueue made before the patch, whose get() blocks the whole thread"
    assert done.stdout.splitlines()[1:-1] == [
        "  library, imported by __main__ -> library",
        "    library.one is an instance of queue.SimpleQueue",
        f"    library.Slots object: jobs is {what}",
        "  ?",
        f"    in a deque is {what}",
    ]


def test_of_queues_only_the_native_ones_are_told_of_where_threads_are_not_patched():
    done = run_python(
        """
        import queue
        class Slots:
            __slots__ = ("jobs",)
        before = Slots()
        before.jobs = queue.SimpleQueue()
        from hubcore import monkey
        from hubcore._patching.existing import stale_references as _stale_references
        monkey.patch_queue()
        after = queue.SimpleQueue()
        print(*(each.where for each in _stale_references.queues()), sep="\\n")
        """
    )
    assert done.stdout == "__main__.Slots object: jobs\n"
