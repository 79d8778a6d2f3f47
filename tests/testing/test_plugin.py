"""The pytest plugin finds leaks and hangs; it runs tests on the chosen backends, or reports why it cannot."""

import os
import subprocess
import sys
import textwrap

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.hang_after(120)


@pytest.fixture
def run(tmp_path):
    """Run pytest on some source; the finished process."""

    def run(source, *arguments, plugin="hubcore.testing.plugin", **variables):
        (tmp_path / "test_it.py").write_text(textwrap.dedent(source))
        command = [sys.executable, "-m", "pytest", "-p", plugin, "-p", "no:cacheprovider", "-q"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("HUB")}
        # Without the plugins of others, which take longer to load than most of these take to run.
        env = {**env, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables}
        return subprocess.run(
            [*command, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100, check=False
        )

    return run


LOOP = ("-p", "hubcore.testing.conformance.loop_fixture")
HEADER = "import gc, os, socket, threading, time\nimport hubcore, pytest\n"
LEAKS = {
    "a parked greenlet": ("hubcore.spawn(hubcore.sleep, 3600)", "waits on 'sleep'"),
    "a watcher": ("hub.loop.timer(5).start(print)", "still started: <Timer"),
    "an fd": ("os.pipe()", "is still open: pipe:"),
    "a thread": ("threading.Thread(target=time.sleep, args=(4,), daemon=True).start()", "still runs"),
    "a reference": ("hub.loop.ref()", "+1 references that no watcher holds"),
    "a deadline": ("hub.loop.add_deadline(hub.new_waiter(0), 9)", "deadlines still scheduled: 1"),
    "an endless greenlet": ("hubcore.spawn(lambda: [hubcore.sleep(0) for _ in iter(int, 1)])", "went on for ever"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_test_that_leaves_something_in_its_hub_or_process_fails(run, leak):
    code, message = LEAKS[leak]
    done = run(f"{HEADER}def test_leak(hub):\n    {code}\ndef test_after(hub): pass\n", "--hub-backend=select")
    assert done.returncode == 1, done.stdout + done.stderr
    assert message in done.stdout
    assert "ERROR test_it.py::test_leak[select]" in done.stdout
    assert "2 passed, 1 error" in done.stdout


@pytest.mark.parametrize("code", ["loop.ref()", "loop.idle().start(print)", "loop.run_callback(print)", "os.pipe()"])
def test_a_test_that_leaves_something_in_its_loop_fails(run, code):
    done = run(f"{HEADER}def test_leak(loop):\n    {code}\n", *LOOP, "--hub-backend=select")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the test left behind" in done.stdout


def test_what_is_ready_finished_collected_or_destroyed_at_the_end_is_no_leak(run):
    done = run(
        HEADER
        + """
def test_ready(hub): hubcore.spawn(hubcore.sleep, 0)
def test_destroyed(hub):
    hubcore.spawn(hubcore.sleep, 3600)
    hubcore.sleep(0)
    hub.destroy()
    hubcore.sleep(0)
def test_cycle(hub):
    class Owner:
        def __init__(self):
            self.me = self
            self.fds = os.pipe()
        def __del__(self):
            for fd in self.fds:
                os.close(fd)
    Owner()
def test_closed(loop): loop.close()
def test_thread(hub):
    thread = threading.Thread(target=hubcore.sleep, args=(0.001,))
    thread.start()
    thread.join()
""",
        *LOOP,
        "--hub-backend=select",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_failed_test_is_not_also_blamed_for_what_it_left(run):
    done = run(f"{HEADER}def test_fails(hub):\n    os.pipe()\n    assert 0\n", "--hub-backend=select")
    assert "1 failed in" in done.stdout
    assert "left behind" not in done.stdout


HANGS = {
    "parked": "hub.wait(hub.loop.io(os.pipe()[0], 1))",
    "busy": "while True: pass",
    "busy in a greenlet": "hubcore.spawn(lambda: [None for _ in iter(int, 1)]).join()",
    "taking turns": "while True: hubcore.sleep(0)",
}


@pytest.mark.parametrize("hang", HANGS)
def test_a_hang_fails_the_test_with_the_stack_of_every_greenlet(run, hang):
    source = f"""{HEADER}
def innocent_bystander():
    hubcore.sleep(3600)
@pytest.mark.hang_after(0.5)
def test_hangs(hub):
    job = hubcore.spawn(innocent_bystander)
    hubcore.sleep(0)
    {HANGS[hang]}
def test_after(hub): pass
"""
    done = run(source, "--hub-backend=select")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "has not ended within 0.5 seconds" in done.stdout
    assert "in innocent_bystander" in done.stdout
    assert "1 failed, 1 passed" in done.stdout


def test_tests_run_once_on_each_chosen_backend(run):
    source = (
        HEADER
        + """
def test_names(hub, hub_backend):
    in_thread = []
    thread = threading.Thread(target=lambda: in_thread.append(hubcore.get_hub().backend))
    thread.start()
    thread.join()
    assert hub_backend == hub.backend == in_thread[0] == hubcore.get_hub().backend
def test_without(): pass
"""
    )
    done = run(source, "--hub-backend=select,virtual", "-vv", PYTEST_DISABLE_PLUGIN_AUTOLOAD="")
    assert "test_names[select] PASSED" in done.stdout
    assert "test_names[virtual] PASSED" in done.stdout
    assert "3 passed" in done.stdout
    done = run(source, "-vv", HUB_BACKEND="virtual")
    assert "test_names[virtual] PASSED" in done.stdout
    assert "2 passed" in done.stdout


def test_all_means_the_two_libraries_and_the_virtual_clock(run):
    pytest.importorskip("hubcore.backends.libev")
    pytest.importorskip("hubcore.backends.libuv")
    done = run("def test_it(hub): pass", "--hub-backend=all", "-vv")
    assert [name for name in ("libev", "libuv", "virtual") if f"test_it[{name}] PASSED" in done.stdout] == [
        "libev",
        "libuv",
        "virtual",
    ]


def test_a_backend_that_is_not_there_ends_the_run_before_it_begins(run):
    done = run("def test_it(): pass", "--hub-backend=select,nonsense")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "there is no backend of that name" in done.stderr
    assert "Available:" in done.stderr
    assert "passed" not in done.stdout


def test_a_run_that_does_not_use_hubcore_does_not_import_it(run):
    source = """
        import sys
        def test_it():
            assert "hubcore_pytest" in sys.modules
            assert [name for name in sys.modules if name.partition(".")[0] in ("hubcore", "greenlet")] == []
    """
    done = run(source, plugin="hubcore_pytest")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_outside_the_conformance_suite_there_is_no_fixture_of_the_name_loop(run):
    done = run("def test_it(loop): pass\n", "-rA")
    assert "fixture 'loop' not found" in done.stdout
    assert done.returncode == 1


FAILS = """
import hubcore, logging
def fail():
    raise ValueError("unseen")
def test_unseen(hub):
    hubcore.spawn(fail).join()
def test_in_a_callback(hub):
    hub.loop.run_callback(fail)
    hubcore.sleep(0.001)
def test_seen(hub):
    try:
        hubcore.spawn(fail).get()
    except ValueError:
        pass
def test_the_test_looks_at_the_log(hub, caplog):
    hubcore.spawn(fail).join()
    assert "unseen" in caplog.text
"""


def test_a_greenlet_that_fails_unseen_is_a_warning_of_its_test_and_an_error_where_warnings_are(run):
    done = run(FAILS, "--hub-backend=libev")
    assert "4 passed, 2 warnings" in done.stdout, done.stdout + done.stderr
    assert "GreenletFailed: <Greenlet" in done.stdout
    assert "ValueError: unseen" in done.stdout
    done = run(FAILS, "--hub-backend=libev", "-W", "error")
    assert "2 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "FAILED test_it.py::test_unseen[libev]" in done.stdout
    assert "FAILED test_it.py::test_in_a_callback[libev]" in done.stdout
    done = run(FAILS, "--hub-backend=libev", "-W", "error", "-W", "ignore::hubcore_pytest.GreenletFailed")
    assert "4 passed" in done.stdout, done.stdout + done.stderr
