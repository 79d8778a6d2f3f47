"""After patch_all the engine imports nothing while a greenlet parks: importlib's locks are cooperative then."""

import ast
from pathlib import Path

import pytest

import hubcore
from hubcore.testing import run_python

PACKAGE = Path(hubcore.__file__).parent
ENGINE = [
    *(path for folder in ("_core", "_sync", "_watchers") for path in sorted((PACKAGE / folder).glob("*.py"))),
    *(PACKAGE / name for name in ("hub.py", "greenlet.py", "loop.py", "event.py", "pool.py", "timeout.py")),
    PACKAGE / "_diagnostics/loop_exit.py",
]


def deferred_imports(path):
    """The modules of hubcore that functions of the file import."""

    def visit(node, in_function):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ImportFrom) and in_function and (child.module or "").startswith("hubcore."):
                yield child.module
            yield from visit(child, in_function or isinstance(child, (ast.FunctionDef, ast.Lambda)))

    return set(visit(ast.parse(path.read_text()), False))


def test_what_the_engine_imports_in_functions_is_loaded_when_threads_are_patched(hub_backend):
    names = sorted(set().union(*(deferred_imports(path) for path in ENGINE)))
    assert "hubcore._diagnostics.loop_exit" in names  # the look finds something
    missing = run_python(
        f"""
        import sys
        import hubcore.monkey
        hubcore.monkey.patch_thread()
        print(*(name for name in {names!r} if name not in sys.modules))
        """,
        hub_backend,
    )
    assert missing.stdout.split() == []


@pytest.mark.parametrize("lock", ["Lock", "RLock"])
def test_threads_that_park_for_the_first_time_at_once(hub_backend, lock):
    out = run_python(
        f"""
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import hubcore, threading
        from hubcore.threadpool import ThreadPool

        lock, done = threading.{lock}(), []

        def work():
            for _ in range(20):
                with lock:
                    hubcore.sleep(0)
            done.append(1)

        pool = ThreadPool(8)
        jobs = [pool.spawn(work) for _ in range(8)]
        hubcore.joinall([hubcore.spawn(work) for _ in range(8)])
        for job in jobs:
            job.get(timeout=30)
        print(len(done))
        """,
        hub_backend,
    )
    assert out.stdout.split() == ["16"]
