"""`hubcore doctor`: what blocked, for how long, where in the program, and what to do."""

import re
import sys

import pytest

from tests.cli.test_cli import command

#: Another thread, so that the main greenlet holds somebody up.
BESIDE = """
import threading, time
def beside():
    while True:
        time.sleep(0.02)
threading.Thread(target=beside, daemon=True).start()
time.sleep(0.01)
"""


def doctor(folder, code, *options):
    (folder / "app.py").write_text(BESIDE + code)
    return command("doctor", *options, "app.py", cwd=folder, PYTHONPATH=":".join(sys.path[:1]))[1]


def blocks(report):
    """The blocks of the report, in its order: seconds, how often, the call, the lines."""
    found = []
    for part in re.split(r"\n(?=  \d+\.\d\d s)", report)[1:]:
        head, *lines = part.splitlines()
        seconds, times, call = re.match(
            r"  ([\d.]+) s(?:, once| in (\d+) times, [\d.]+ s at most)(?:: (.*))?$", head
        ).groups()
        found.append((float(seconds), int(times or 1), call or "", [line.strip() for line in lines]))
    return found


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        ("ctypes.CDLL(None).usleep(400_000)", "threadpool.apply"),
        ("libc.usleep(400_000)", "out of reach of the patch. Call it in a native thread"),
        ("lite.execute('begin immediate')", "SQLite waits in C while another connection has the database locked"),
        ("input()", "hubcore.fileobject.FileObject"),
        ("early(0.4)", "Or call hubcore.sleep"),
        ("native.acquire(True, 0.4)", "made before the patch"),
    ],
)
def test_each_kind_of_call_is_named_with_its_seconds_and_an_advice(tmp_path, call, advice):
    code = f"""
import ctypes, os, sqlite3, sys
from hubcore import monkey
early = monkey.get_original("time", "sleep")
native = monkey.get_original("_thread", "allocate_lock")()
native.acquire()
libc = ctypes.CDLL(None)
holder = sqlite3.connect("held.db")
holder.execute("begin exclusive")
lite = sqlite3.connect("held.db", timeout=0.4)
r, w = os.pipe()
os.dup2(r, 0)
if os.fork() == 0:
    early(0.4)
    os.write(w, b"line\\n")
    os._exit(0)
def work():
    try:
        {call}
    except sqlite3.OperationalError:
        pass
work()
time.sleep(0.01)
"""
    report = doctor(tmp_path, code)
    ((seconds, times, shown, lines),) = [each for each in blocks(report) if "work" in "".join(each[3])]
    assert seconds >= 0.2
    assert times == 1
    assert shown == call.replace("400_000", "400000")
    assert advice in " ".join(lines)
    frames = [line for line in lines if line.startswith("File ")]
    assert [frame.rpartition(" in ")[2] for frame in frames] == ["<module>", "work"]
    assert all("app.py" in frame for frame in frames)


def test_python_code_that_computes(tmp_path):
    code = """
def busy():
    end = time.perf_counter() + 0.4
    while time.perf_counter() < end:
        pass
busy()
time.sleep(0.01)
"""
    ((seconds, times, _, lines),) = blocks(doctor(tmp_path, code))
    assert seconds >= 0.35
    assert times == 1
    assert "It computes in Python" in " ".join(lines)


def test_the_greatest_sum_of_seconds_comes_first_and_a_block_that_lasts_to_the_end_counts(tmp_path):
    code = """
import ctypes
libc = ctypes.CDLL(None)
def short():
    for _ in range(3):
        libc.usleep(200_000)
        time.sleep(0.01)
def middle():
    libc.usleep(400_000)
def last():
    libc.usleep(900_000)
middle()
time.sleep(0.01)
short()
last()
"""
    found = [(lines, times, seconds) for seconds, times, _, lines in blocks(doctor(tmp_path, code))]
    assert [re.search(r" in (last|short|middle)", " ".join(lines))[1] for lines, _, _ in found] == [
        "last",
        "short",
        "middle",
    ]
    assert [times for _, times, _ in found] == [1, 3, 1]
    assert found[0][2] >= 0.85
    assert found[1][2] >= 0.55


def test_it_patches_unless_it_is_told_not_to(tmp_path):
    code = "import socket\nprint(socket.socket.__module__)\n"
    (tmp_path / "app.py").write_text(code)
    out, report = command("doctor", "app.py", cwd=tmp_path)
    assert out == "hubcore.socket\n"
    assert "No code was found that blocks other greenlets." in report
    assert command("doctor", "--patch", "app.py", cwd=tmp_path)[0] == "hubcore.socket\n"
    assert command("doctor", "--no-socket", "app.py", cwd=tmp_path)[0] == "socket\n"
    out, report = command("doctor", "--no-patch", "app.py", cwd=tmp_path)
    assert out == "socket\n"
    assert "The program did not patch the standard library." in report
    (tmp_path / "app.py").write_text(f"from hubcore import monkey\nmonkey.patch_all()\n{code}")
    assert "`hubcore doctor --no-patch` examines" in command("doctor", "app.py", cwd=tmp_path)[1]
