"""The pytest plugin's side of simulations, and the command; each in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hubcore.testing import run_python

ROOT = Path(__file__).resolve().parents[2]
SOURCE = """
import socket, time
import pytest

def serve():
    with socket.create_server(("", 80)) as listener:
        while True:
            listener.accept()[0].close()

@pytest.fixture
def port():
    return 80

@pytest.mark.sim(seeds=3)
def test_passes(sim, port):
    sim.host("web", serve)
    socket.create_connection(("web", port)).close()

@pytest.mark.sim(seeds=30)
def test_fails(sim):
    print("printed by", sim.seed)
    assert sim.seed < 2, "too large"

@pytest.mark.sim(seeds=2)
def test_skips(sim):
    pytest.skip("not here")

@pytest.mark.sim(seeds=2)
def test_without_the_fixture():
    time.sleep(3000)

@pytest.mark.sim(seeds=2)
@pytest.mark.hang_after(2)
def test_hangs(sim):
    while True:
        pass

@pytest.mark.sim(speed=3)
def test_is_marked_wrongly(sim):
    pass

@pytest.fixture
def early(sim):
    return sim.seed

@pytest.mark.sim
def test_uses_it_in_a_fixture(sim, early):
    pass

def test_has_no_mark(sim):
    pass
"""


@pytest.fixture
def run(tmp_path):
    """A function that runs pytest on SOURCE with these arguments; status and output."""
    (tmp_path / "test_it.py").write_text(SOURCE)

    def call(*arguments, **env):
        command = [sys.executable, "-m", "pytest", "-p", "hubcore.testing.plugin", "-p", "no:cacheprovider", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env}
        environment.pop("HUBCORE_SIM_EXEC", None)
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
        return done.returncode, done.stdout + done.stderr

    return call


def test_one_item_for_all_its_seeds(run):
    status, text = run("-vv", "-k", "passes or skips or without")
    assert status == 0, text
    assert text.count("test_passes PASSED") == 1
    assert "test_skips SKIPPED (not here)" in text
    assert "starting again with PYTHONHASHSEED=0" in text


def test_a_failure_says_how_to_have_it_again_and_its_file_does(run, tmp_path):
    status, text = run("-k", "test_fails", PYTHONHASHSEED="0")
    assert status == 1
    assert "starting again" not in text
    assert "FAILED test_it.py::test_fails - AssertionError: too large" in text
    assert "in test_fails" in text  # the traceback is the program's
    assert "seed 2 (of 30; 2 passed)" in text
    assert "again:  pytest test_it.py::test_fails --sim-seed 2" in text
    path = re.search(r"--sim-replay (\S+)", text)[1]
    assert "printed by 2" in text
    assert "printed by 1" not in text
    for arguments in (["--sim-seed", "2"], ["--sim-replay", path]):
        status, text = run("-k", "test_fails", *arguments, PYTHONHASHSEED="0")
        assert status == 1
        assert "AssertionError: too large" in text
    assert run("-k", "test_fails", "--sim-seed", "1", PYTHONHASHSEED="0")[0] == 0
    assert run("-k", "test_fails", "--sim-seeds", "2", PYTHONHASHSEED="0")[0] == 0


def test_a_file_that_is_not_there(run):
    status, text = run("-k", "test_fails", "--sim-replay", "nowhere.json", PYTHONHASHSEED="0")
    assert status != 0
    assert "--sim-replay nowhere.json: No such file" in text


def test_a_program_that_never_waits_is_ended_and_shown(run):
    status, text = run("-k", "hangs", PYTHONHASHSEED="0")
    assert status == 1
    assert "it has not ended within 2 seconds" in text
    assert re.search(r"the simulated program was at:(?s:.*)in test_hangs", text)


def test_what_is_used_wrongly_is_told(run):
    status, text = run("-k", "wrongly or fixture or mark", PYTHONHASHSEED="0")
    assert status == 1
    assert "@pytest.mark.sim does not take 'speed'; it takes seeds" in text
    assert "sim.seed is there only within a run" in text
    assert "is for tests marked with @pytest.mark.sim" in text


# -- the command

LOST = """
    import random, sys, threading, time
    total = 0
    def add():
        global total
        value = total
        time.sleep(random.random())
        total = value + 1
    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(random.random() * 1.5)
    for thread in threads:
        thread.join()
    print(sys.argv[1:], total)
    assert total == 2, "lost update"
"""


@pytest.fixture
def command(tmp_path):
    """A function that runs `hubcore sim` on a script; status, stdout, stderr."""
    import textwrap

    def call(*arguments, script=LOST):
        (tmp_path / "program.py").write_text(textwrap.dedent(script))
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment.pop("HUBCORE_SIM_EXEC", None)
        command = [sys.executable, "-m", "hubcore", "sim", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
        return done.returncode, done.stdout, done.stderr

    return call


def test_a_whole_program_over_many_seeds(command):
    status, _, text = command("--seeds", "30", "program.py", "an argument")
    assert status == 1
    assert "AssertionError: lost update" in text
    seed = re.search(r"again:  hubcore sim --seed (\d+) program.py", text)[1]
    assert command("--seed", seed, "program.py")[0] == 1


def test_a_seed_that_passes(command):
    script = "import socket, sys, time; time.sleep(1e3); print(socket.gethostname(), sys.argv[1:])"
    assert command("program.py", "a", script=script)[:2] == (0, "localhost ['a']\n")
    assert command("--seeds", "2", "program.py", script=script)[0] == 0
    assert command("program.py", script="raise SystemExit(5)")[0] == 5


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--seeds", "0", "x.py"], "1 or more"),
        (["--seed", "x", "x.py"], "whole number"),
        (["--seed", "1", "--seeds", "2", "x.py"], "not allowed with"),
        ([], "no program given"),
        (["nowhere.py"], "cannot run 'nowhere.py'"),
    ],
)
def test_a_wrong_command_line(command, arguments, text):
    status, _, told = command(*arguments)
    assert status == 2
    assert text in told


# -- the backend


def test_the_backend_replays_a_whole_process_with_its_seed():
    code = """
        from hubcore import monkey
        monkey.patch_all()
        import hubcore
        hubcore.get_hub()
        import os, random, socket, threading, time
        def serve(listener):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(connection.recv(100).upper())
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=serve, args=(listener,)).start()
            with socket.create_connection(listener.getsockname()) as client:
                client.sendall(b"hello")
                print(client.recv(100), listener.getsockname())
        time.sleep(1e5)
        print(time.time(), random.random(), os.urandom(4), socket.gethostname())
    """
    outputs = {run_python(code, "sim", env={"HUBCORE_SIM_SEED": seed}).stdout for seed in ("1", "1", "2")}
    assert len(outputs) == 2
    assert all("b'HELLO'" in text and "localhost" in text for text in outputs)


def test_a_seed_that_is_none_is_told():
    done = run_python("import hubcore; hubcore.get_hub()", "sim", env={"HUBCORE_SIM_SEED": "x"}, status=1)
    assert "HUBCORE_SIM_SEED is 'x'; it takes a whole number" in done.stderr
