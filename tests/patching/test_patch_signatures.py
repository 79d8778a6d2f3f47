"""What replaces the standard library's names is called as they are, also for `inspect` and `unittest.mock`."""

import json

from hubcore.testing import run_python
from tests.support import signatures

SHOW = """
import importlib, inspect, json
names = {}
for module in "_thread os queue select selectors signal socket ssl subprocess threading time".split():
    ours = importlib.import_module({"_thread": "hubcore.thread"}.get(module, f"hubcore.{module}"))
    here = importlib.import_module(module)
    for name in ours.__implements__:
        if not hasattr(here, name):
            continue
        names[f"{module}.{name}"] = thing = getattr(here, name)
        for method in dir(thing) if isinstance(thing, type) else ():
            if not method.startswith("_") and callable(getattr(thing, method)):
                names[f"{module}.{name}.{method}"] = getattr(thing, method)
found = {}
for name, thing in names.items():
    try:
        parameters = inspect.signature(thing).parameters.values()
        plain = [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
        found[name] = str(inspect.Signature(plain))
    # AttributeError: 3.15 looks for the default of epoll.register, select.EPOLLIN, in the function select.select
    except (AttributeError, TypeError, ValueError):
        found[name] = None
print(json.dumps(found))
"""


def test_every_call_that_plain_python_accepts_is_accepted():
    plain = json.loads(run_python(SHOW).stdout)
    patched = json.loads(run_python("from hubcore import monkey; monkey.patch_all()\n" + SHOW).stdout)
    assert len([name for name, text in plain.items() if text is not None]) > 150
    wrong = []
    for name, text in plain.items():
        if text is None:
            continue  # a built-in function that has none
        if name in ("_thread.start_new", "_thread.start_new_thread"):
            text = text.replace("kwargs={}", "kwargs=None")  # 3.15's default; a call means the same
        if patched.get(name) is None:
            wrong.append(f"{name}{text} has no signature")
            continue
        for fault in signatures.faults(signatures.parse(text), signatures.parse(patched[name])):
            wrong.append(f"{name}: {fault}")
    assert wrong == []


def test_a_mock_of_a_patched_class_refuses_wrong_arguments():
    # Of the constructor. unittest.mock checks the calls of methods only if they are functions written in Python, and
    # lets every call of a built-in one pass, such as those of plain Python's SimpleQueue.
    run_python(
        """
        from hubcore import monkey; monkey.patch_all()
        import inspect, queue, threading
        from unittest.mock import create_autospec

        def refused(call, *args, **kwargs):
            try:
                call(*args, **kwargs)
            except TypeError:
                return
            raise AssertionError(f"{call} accepted {args} {kwargs}")

        for kind in (queue.Queue, queue.LifoQueue, queue.PriorityQueue):
            Mock = create_autospec(kind)
            refused(Mock, 1, 2, 3, 4)
            refused(Mock, size=1)
            Mock(maxsize=1).put(1, block=False, timeout=None)
            refused(inspect.signature(kind.put).bind, None)
            refused(inspect.signature(kind(1).get).bind, wait=1)
            inspect.signature(kind(1).put).bind(1, block=False, timeout=None)
        refused(create_autospec(threading.Semaphore), -1, 2, 3)
        refused(create_autospec(threading.Event), 1)
        refused(create_autospec(threading.Barrier))
        refused(create_autospec(threading.Timer), 1)
        """
    )
