"""Frame chunks of greenlets: a small one each, and a bounded cache of large ones, which can be turned off, safe in
threads, after fork and at exit.
"""

import pytest

from hubcore.testing import run_python

SPAWN = """
import hubcore
from hubcore._core import frame_arena as _frame_arena
def wait(seconds, depth=20):
    "With more Python frames than a small chunk holds, and so with a large one."
    return wait(seconds, depth - 1) if depth else hubcore.sleep(seconds)
def live(n):
    hubcore.joinall([hubcore.spawn(wait, 0) for _ in range(n)])
"""


def said(code, **env):
    done = run_python(SPAWN + code, env=env)
    assert done.stderr == ""
    return done.stdout.split()


def test_ended_greenlets_leave_their_chunks_for_the_next_ones():
    kept, most = map(int, said("live(50); print(_frame_arena.statistics()['kept'], _frame_arena.statistics()['most'])"))
    assert 40 <= kept <= most == 1024


def test_the_cache_is_bounded():
    assert said("live(50); print(_frame_arena.statistics()['kept'])", HUBCORE_ARENA_CACHE="7") == ["7"]


def test_zero_turns_it_off():
    assert said(
        "live(50); print(_frame_arena.statistics()['kept'], _frame_arena.statistics()['most'])", HUBCORE_ARENA_CACHE="0"
    ) == ["0", "0"]


def test_it_can_be_made_smaller_and_emptied_while_the_program_runs():
    code = """
live(50)
for most in (10, 0, 20):
    _frame_arena.install(most)
    live(50)
    print(_frame_arena.statistics()["kept"])
"""
    assert said(code) == ["10", "0", "20"]


@pytest.mark.parametrize("value", ["many", "-1", "1.5"])
def test_a_value_that_is_no_number_of_chunks_is_a_clear_error(value):
    done = run_python("import hubcore", env={"HUBCORE_ARENA_CACHE": value}, status=1)
    assert "HUBCORE_ARENA_CACHE" in done.stderr
    assert value in done.stderr


def test_threads_that_come_and_go_share_it_safely():
    code = """
import threading
def work():
    for _ in range(20):
        live(30)
for _ in range(3):
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(_frame_arena.statistics()["kept"] <= 64)
"""
    assert said(code, HUBCORE_ARENA_CACHE="64") == ["True"]


def test_a_forked_child_uses_it_and_ends_cleanly():
    code = """
import os
live(50)
pid = os.fork()
live(50)
if pid:
    print(os.waitpid(pid, 0)[1])
"""
    assert said(code) == ["0"]


def test_greenlets_that_are_alive_at_exit_disturb_nothing():
    code = """
for _ in range(50):
    hubcore.spawn(hubcore.sleep, 100)
hubcore.sleep(0)
print("end")
"""
    assert said(code) == ["end"]


def test_chunks_are_really_reused():
    """Without a new one for each greenlet: the process does not grow, and the kept ones are taken before new ones."""
    code = """
live(50)
before = _frame_arena.statistics()["kept"]
tasks = [hubcore.spawn(wait, 0.01) for _ in range(30)]
hubcore.sleep(0)
print(before - _frame_arena.statistics()["kept"] >= 29)  # newer CPythons keep one more themselves
hubcore.joinall(tasks)
print(before - _frame_arena.statistics()["kept"] <= 1)
"""
    assert said(code) == ["True", "True"]


def test_a_few_frames_take_no_large_chunk():
    """Nor do many calls that end before the wait: what they took is given back."""
    code = """
live(50)
before = _frame_arena.statistics()["kept"]
def shallow():
    wait(0)
    hubcore.sleep(0.01)
tasks = [hubcore.spawn(shallow) for _ in range(30)] + [hubcore.spawn_raw(shallow) for _ in range(10)]
hubcore.sleep(0)
hubcore.sleep(0)
print(_frame_arena.statistics()["kept"] - before)
hubcore.sleep(0.02)
print(_frame_arena.statistics()["kept"] - before)
"""
    assert said(code) == ["0", "0"]


def test_small_chunks_are_given_back():
    code = """
from benchmarks.measure import resident_bytes
def ended(n):
    for _ in range(n):
        hubcore.joinall([hubcore.spawn(lambda: hubcore.sleep(0)) for _ in range(100)])
        tasks = [hubcore.spawn(hubcore.sleep, 100) for _ in range(100)]
        hubcore.sleep(0)
        hubcore.killall(tasks)
ended(2)
before = resident_bytes()
ended(50)  # 10 MB, were they not
print(resident_bytes() - before < 2_000_000)
"""
    assert said(code) == ["True"]


def test_frames_outlive_their_greenlet_and_its_chunks():
    code = """
import sys
def fail(depth, text):
    if depth:
        return fail(depth - 1, text)
    raise ValueError(text)
def frames(depth):
    text = "t" * depth
    hubcore.sleep(0)
    return sys._getframe(), [value for value in (fail,)]
for depth in (0, 3, 8, 50, 400):
    task = hubcore.spawn(frames, depth)
    other = hubcore.spawn(fail, depth, "x")
    other.link(lambda ended: None)
    hubcore.joinall([task, other])
    hubcore.joinall([hubcore.spawn(lambda: hubcore.sleep(0)) for _ in range(10)])
    seen, found = other.exception.__traceback__, 0
    while seen is not None:
        found += seen.tb_frame.f_locals.get("text") == "x"
        seen = seen.tb_next
    print(task.value[0].f_locals["text"] == "t" * depth and found == depth + 1)
"""
    assert said(code) == ["True"] * 5


def test_a_thread_that_ends_with_greenlets_parked_leaves_none_of_it():
    code = """
import threading
def work():
    for depth in (0, 30):
        for _ in range(20):
            hubcore.spawn(wait, 100, depth)
    hubcore.sleep(0)
for _ in range(5):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
live(50)
print("end")
"""
    assert said(code) == ["end"]
