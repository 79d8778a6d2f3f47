"""Other interpreters of a patched process (PEP 734): their threads are native, and nothing is patched in them."""

import sys

import pytest

from hubcore.cli import patch_hook
from hubcore.testing import run_python

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="concurrent.interpreters is of CPython 3.14")

# What runs in the other interpreter waits there for what only the patched one gives, and the other way round.
TALK = """
        def talk(asks, answers):
            import _thread
            asks.put(_thread.get_native_id())
            return answers.get(timeout=30) * 2
"""


def test_threads_that_run_another_interpreter_let_greenlets_run(hub_backend):
    done = run_python(
        f"""
        from hubcore import monkey
        monkey.patch_all()
        import threading, time
        from concurrent import interpreters
        {TALK}

        asks, answers = interpreters.create_queue(), interpreters.create_queue()
        turns = []
        threading.Thread(target=lambda: [(turns.append(1), time.sleep(0.001)) for _ in range(5)]).start()
        thread = interpreters.create().call_in_thread(talk, asks, answers)
        ident = asks.get(timeout=30)
        answers.put(1)
        thread.join()
        print(thread.is_alive(), ident != threading.get_native_id(), len(turns) > 1)
        """,
        hub_backend,
    )
    assert done.stdout == "False True True\n"


def test_an_executor_of_interpreters_works_and_runs_in_parallel(hub_backend):
    done = run_python(
        f"""
        from hubcore import monkey
        monkey.patch_all()
        import threading
        from concurrent import interpreters
        from concurrent.futures import InterpreterPoolExecutor
        {TALK}

        asks, answers = interpreters.create_queue(), interpreters.create_queue()
        with InterpreterPoolExecutor(2) as executor:
            jobs = [executor.submit(talk, asks, answers) for _ in range(2)]
            idents = [asks.get(timeout=30) for _ in jobs]  # both began before either got an answer
            for number in (3, 4):
                answers.put(number)
            print(sorted(job.result() for job in jobs), len({{*idents, threading.get_native_id()}}))
            try:
                executor.submit(int, "x").result()
            except ValueError as error:
                print(error)
        """,
        hub_backend,
    )
    assert done.stdout == "[6, 8] 3\ninvalid literal for int() with base 10: 'x'\n"


def test_the_hook_of_hub_patch_leaves_other_interpreters_alone(tmp_path):
    (tmp_path / patch_hook.NAME).write_text(patch_hook.LINE)
    done = run_python(
        f"""
        import os, site
        os.environ["HUB_PATCH"] = "1"
        site.addsitedir({str(tmp_path)!r})
        import socket
        from concurrent import interpreters

        def other():
            import site, socket
            site.addsitedir({str(tmp_path)!r})
            return socket.socket.__module__

        print(socket.socket.__module__, interpreters.create().call(other))
        """
    )
    assert (done.stdout, done.stderr) == ("hubcore.socket socket\n", "")
