"""The cost of `import hubcore`: it loads no module that a program may not need, and prints nothing on stderr."""

import pytest

from hubcore.testing import run_python

HEAVY = {"ssl", "subprocess", "logging", "asyncio", "threading", "typing", "socket", "importlib.metadata"}


def imported(code, **env):
    """The modules that `code` imports, beyond those of an empty program."""
    show = "import sys; print(*sorted(sys.modules))"
    before = set(run_python(show).stdout.split())
    done = run_python(f"{code}\n{show}", env=env)
    assert done.stderr == ""
    return set(done.stdout.split()) - before


def test_import_hubcore_pulls_in_nothing_heavy():
    modules = imported("import hubcore")
    assert "hubcore.hub" in modules
    assert not modules & HEAVY


@pytest.mark.parametrize("backend", ["libev", "libuv", "select", "virtual"])
def test_running_greenlets_pulls_in_nothing_heavy(backend):
    modules = imported(
        "import hubcore\nhubcore.joinall([hubcore.spawn(hubcore.sleep, 0.001)])\nhubcore.get_hub()", HUB_BACKEND=backend
    )
    assert not modules & HEAVY


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "hubcore.spawn(hubcore.sleep, 100); hubcore.sleep(0)",
        "hubcore.spawn(hubcore.sleep, 100)",
        "hubcore.spawn_later(100, int)",
        "kept = hubcore.spawn(hubcore.sleep, 100); hubcore.sleep(0); kept.kill(); kept.name",
        "hubcore.get_hub().destroy()",
        "kept = hubcore.Timeout.start_new(100)",
        "kept = hubcore.get_hub().loop.timer(5); kept.start(int)",
        "import atexit; atexit.register(hubcore.sleep, 0.001)",
        "import threading; threading.Thread(target=hubcore.sleep, args=(0.01,), daemon=True).start()",
        "import _thread; _thread.start_new_thread(hubcore.sleep, (100,)); hubcore.sleep(0.05)",
        "import builtins; builtins.kept = [hubcore.spawn(hubcore.sleep, 100), hubcore.getcurrent()]; hubcore.sleep(0)",
    ],
)
def test_nothing_is_said_at_exit(hub_backend, ending):
    done = run_python(f"import hubcore\nhubcore.get_hub()\n{ending}", hub_backend)
    assert (done.stdout, done.stderr) == ("", "")


def test_uncompiled_a_program_runs_on_the_backends_of_plain_python():
    code = """
        import hubcore, hubcore.hub, hubcore._core.scheduler
        def task(n):
            hubcore.sleep(n)
            return n
        tasks = [hubcore.spawn(task, 3600 * n) for n in range(3)]
        assert hubcore.joinall(tasks, raise_error=True) == tasks
        with hubcore.Timeout(1, False):
            hubcore.sleep(2)
            print("late")
        killed = hubcore.spawn(hubcore.sleep, 5)
        hubcore.sleep(0)
        killed.kill()
        print([each.value for each in tasks], hubcore._core.scheduler.__file__.endswith(".py"))
        try:
            hubcore.spawn(lambda: 1 / 0).get()
        except ZeroDivisionError:
            print("raised")
    """
    done = run_python(code, "virtual", env={"HUBCORE_PURE": "1"})
    assert done.stdout == "[0, 3600, 7200] True\nraised\n"
    assert done.stderr == ""


def test_import_hubcore_loads_few_modules_of_its_own():
    own = {name for name in imported("import hubcore") if name.partition(".")[0] == "hubcore"}
    folders = {name for name in own if name.rpartition(".")[2].startswith("_") and name.count(".") == 1} - {
        "hubcore._version"
    }
    assert len(own - folders) <= 41
