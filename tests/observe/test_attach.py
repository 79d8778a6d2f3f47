"""`hubcore ps`, `dump` and `top` of a running process that nobody prepared: what they show, and how they fail."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from hubcore.cli import _attach, main
from hubcore.cli._attach import Busy, CannotAsk, Failed, Target
from hubcore.cli._busy import describe
from tests.support.running import running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="of Linux's /proc")

WAITS = """
import hubcore, hubcore.queue, hubcore.lock
from hubcore.event import Event
def fetch(queue):
    queue.get()
def hold(lock):
    with lock:
        Event().wait()
def want(lock):
    lock.acquire()
queue = hubcore.queue.Queue()
lock = hubcore.lock.RLock()
tasks = [hubcore.spawn(fetch, queue) for _ in range(20)]
holder = hubcore.spawn(hold, lock)
holder.name = "the holder"
hubcore.sleep(0)
tasks.append(hubcore.spawn(want, lock))
hubcore.spawn(print, "ready", flush=True)
"""
SLEEPS = WAITS + "import sys\nhubcore.get_hub().wait(hubcore.get_hub().loop.io(0, 1))\nprint('went on')\n"


def run(*arguments):
    return main(list(arguments))


def test_ps_and_dump_of_a_sleeping_process_which_goes_on(hub_backend, capsys):
    with running(SLEEPS, hub_backend) as child:
        assert run("ps", str(child.pid)) == 0
        text = capsys.readouterr().out
        assert f"process {child.pid}, hub 'main' on {hub_backend}" in text
        (row,) = [line for line in text.splitlines() if "get from Queue" in line]
        assert row.split()[:2] == ["20", "waiting"]
        assert "held by the holder" in text

        assert run("dump", str(child.pid)) == 0
        text = capsys.readouterr().out
        assert "20 greenlets waiting on get from Queue" in text
        assert "in fetch" in text
        assert "in hold" in text

        assert run("dump", str(child.pid), "--all", "--json", "--no-stacks") == 0
        found = json.loads(capsys.readouterr().out)
        (main_hub,) = found["hubs"]
        assert sum(each["state"] == "waiting" for each in main_hub["greenlets"]) == 23
        assert found["pid"] == child.pid

        assert run("top", str(child.pid), "--once", "--interval", "0.05") == 0
        assert "utilisation" in capsys.readouterr().out or hub_backend == "virtual"
        child.stdin.write("x")
        child.stdin.flush()
        assert child.stdout.read() == "went on\n"
        assert child.wait() == 0


def test_many_requests_leave_no_fd_and_no_greenlet_behind(hub_backend):
    with running(SLEEPS, hub_backend) as child:
        folder = f"/proc/{child.pid}/fd"
        with Target(child.pid) as target:
            target.ask({"ask": "statistics"})
            before = len(os.listdir(folder))
            for _ in range(50):
                parked = target.ask({"ask": "statistics"})["hubs"][0]["statistics"]["parked"]
        assert parked == 23
        assert len(os.listdir(folder)) <= before


def test_ps_without_a_pid_lists_the_process(hub_backend, capsys):
    with running(SLEEPS, hub_backend) as child:
        assert run("ps") == 0
        (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{child.pid} ")]
        assert "23" in row.split()


def test_many_greenlets_come_in_slices_while_others_run(hub_backend):
    code = """
import hubcore
from hubcore.event import Event
event = Event()
tasks = [hubcore.spawn(event.wait) for _ in range(20_000)]
hubcore.sleep(0)
hubcore.spawn(print, "ready", flush=True)
hubcore.get_hub().wait(hubcore.get_hub().loop.io(0, 1))
"""
    with running(code, hub_backend) as child, Target(child.pid) as target:
        found = target.ask({"ask": "snapshot", "all": True, "stacks": False})
        (hub,) = found["hubs"]
        assert sum(each["state"] == "waiting" for each in hub["greenlets"]) == 20_001
        grouped = target.ask({"ask": "snapshot", "stacks": True})
        groups = [each for each in grouped["hubs"][0]["greenlets"] if each["waiting_on"]["kind"] == "Event"]
        assert sum(each["count"] + each["stacks_not_read"] for each in groups) == 20_000


def test_a_request_that_is_not_known_and_one_that_is_no_json(hub_backend):
    with running(SLEEPS, hub_backend) as child, Target(child.pid) as target:
        with pytest.raises(Failed, match="unknown request 'sing'"):
            target.ask({"ask": "sing"})
        with pytest.raises(Failed, match="could not answer: AttributeError"):
            target.ask([1])
        assert target.ask({"ask": "statistics"})["version"] == 1


def test_a_process_whose_hub_does_not_poll_is_busy_and_is_said_to_be(hub_backend, capsys, monkeypatch):
    monkeypatch.setattr(_attach, "_BUSY_AFTER", 0.2)
    code = """
import hubcore
hubcore.sleep(0)
print("ready", flush=True)
while True:
    pass
"""
    with running(code, hub_backend) as child:
        assert run("ps", str(child.pid)) == 3
        text = capsys.readouterr().err
        assert f"hubcore: process {child.pid} is busy: the hub of its main thread has not polled for" in text
        assert "of a processor" in text
    assert describe(child.pid, 1) == f"process {child.pid} has ended"


def test_an_interpreter_that_is_made_to_answer_shows_the_stack_that_holds_up_the_hub(hub_backend, monkeypatch):
    """What sys.remote_exec runs, here by a signal handler of the program's own."""
    code = """
import signal, hubcore
def handle(signum, frame):
    from hubcore._observe.answer import answer_now
    answer_now()
hubcore.sleep(0)
signal.signal(signal.SIGUSR1, handle)
def computes():
    print("ready", flush=True)
    while True:
        pass
hubcore.spawn(computes)
hubcore.sleep(1)
"""
    monkeypatch.setattr(_attach, "_BUSY_AFTER", 0.2)
    with running(code, hub_backend) as child, Target(child.pid) as target:
        monkeypatch.setattr("hubcore.cli._busy.run_remotely", lambda pid: os.kill(pid, signal.SIGUSR1) is None)
        found = target.ask({"ask": "snapshot", "stacks": True})
    states = {each["state"]: each for each in found["hubs"][0]["greenlets"]}
    assert any(call["function"] == "computes" for call in states["running"]["stack"])
    assert states["waiting"]["name"] == "main"


class TestRefused:
    def status_and_text(self, capsys, *arguments):
        status = run(*arguments)
        return status, capsys.readouterr().err

    def test_no_such_process(self, capsys):
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        assert self.status_and_text(capsys, "ps", str(child.pid)) == (2, f"hubcore: there is no process {child.pid}\n")

    def test_a_process_without_hubcore(self, capsys):
        with running("print('ready', flush=True); input()", "libev") as child:
            status, text = self.status_and_text(capsys, "dump", str(child.pid))
        assert status == 2
        assert text == f"hubcore: process {child.pid} is no process that has imported hubcore (compiled)\n"

    def test_hubcore_without_a_hub(self, capsys):
        with running("import hubcore; print('ready', flush=True); input()", "libev") as child:
            status, text = self.status_and_text(capsys, "ps", str(child.pid))
        assert (status, "has no hub in its main thread yet" in text) == (2, True)

    @pytest.mark.parametrize("variable", ["HUBCORE_ATTACH=0", "PYTHON_DISABLE_REMOTE_DEBUG=1"])
    def test_a_closed_mailbox(self, capsys, variable, hub_backend):
        name, _, value = variable.partition("=")
        with running(SLEEPS, hub_backend, {name: value}) as child:
            status, text = self.status_and_text(capsys, "ps", str(child.pid))
        assert (status, "HUBCORE_ATTACH=0" in text) == (2, True)

    def test_a_zombie_and_a_stopped_process(self, capsys, hub_backend):
        with running(SLEEPS, hub_backend) as child:
            child.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, child.pid, os.WSTOPPED)
            status, text = self.status_and_text(capsys, "ps", str(child.pid))
            assert (status, "is stopped; let it go on (kill -CONT" in text) == (2, True)
            child.kill()
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            status, text = self.status_and_text(capsys, "ps", str(child.pid))
            assert (status, "has ended already (a zombie" in text) == (2, True)

    def test_no_right_to_debug(self, hub_backend):
        if os.geteuid() != 0:
            pytest.skip("only root can become another user")
        with running(SLEEPS, hub_backend) as child:
            pid = os.fork()
            if pid == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                try:
                    Target(child.pid)
                except CannotAsk as error:
                    os._exit(42 if "sudo" in str(error) and "SYS_PTRACE" in str(error) else 1)
                os._exit(2)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42

    @pytest.mark.parametrize("text", ["0", "-3", "abc", "1.5", ""])
    def test_no_process_id(self, text, capsys):
        with pytest.raises(SystemExit) as end:
            run("dump", text)
        assert end.value.code == 2
        error = capsys.readouterr().err
        assert "a process id must be a number" in error or "unrecognized" in error or "expected" in error

    def test_no_interval(self, capsys):
        with pytest.raises(SystemExit) as end:
            run("top", "1", "--interval", "0")
        assert end.value.code == 2
        assert "seconds must be a number above 0, not '0'" in capsys.readouterr().err


def test_another_system_than_linux(monkeypatch, capsys):
    monkeypatch.setattr(_attach, "_OWN_MAPS", "/proc/self/there-is-none")
    for arguments in (["ps"], ["ps", "1"], ["dump", "1"]):
        assert run(*arguments) == 2
        assert "on Linux only" in capsys.readouterr().err


def test_two_tools_take_turns(hub_backend, monkeypatch):
    monkeypatch.setattr(_attach, "_TURN", 0.1)
    with running(SLEEPS, hub_backend) as child, Target(child.pid) as one, Target(child.pid) as two:
        with one._turn():
            with pytest.raises(Failed, match="another tool has been asking"):
                two.ask({"ask": "statistics"})
        assert two.ask({"ask": "statistics"})["pid"] == child.pid


def test_a_process_that_ends_while_it_is_asked(hub_backend, monkeypatch):
    monkeypatch.setattr(_attach, "_BUSY_AFTER", 0.2)
    with running(SLEEPS, hub_backend) as child, Target(child.pid) as target:
        child.kill()
        child.wait()
        with pytest.raises((Failed, Busy, CannotAsk, OSError)):
            target.ask({"ask": "statistics"})


def test_a_forked_child_can_be_asked_once_it_has_a_hub(hub_backend):
    code = """
import os, sys, hubcore, hubcore.event
hubcore.sleep(0)
pid = os.fork()
if pid == 0:
    hubcore.sleep(0)
    hubcore.spawn(hubcore.event.Event().wait)
    hubcore.sleep(0)
    os.write(1, f'{os.getpid()}\\n'.encode())
    hubcore.get_hub().wait(hubcore.get_hub().loop.io(0, 1))
    os._exit(0)
os.write(1, b"ready\\n")
hubcore.get_hub().wait(hubcore.get_hub().loop.io(0, 1))
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HUB_BACKEND": hub_backend, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        lines = {child.stdout.readline().strip() for _ in range(2)}
        (forked,) = [int(line) for line in lines if line != "ready"]
        with Target(forked) as target:
            found = target.ask({"ask": "snapshot"})
        assert found["pid"] == forked
        assert sum(each["count"] for each in found["hubs"][0]["greenlets"]) == 2
        with Target(child.pid) as target:
            assert target.ask({"ask": "statistics"})["pid"] == child.pid
    finally:
        child.communicate()
    deadline = time.monotonic() + 5
    while os.path.exists(f"/proc/{forked}") and time.monotonic() < deadline:
        time.sleep(0.01)
