"""threading.Condition as it is after patching, in a process that is not patched."""

import threading

from hubcore._threads import condition_wait
from hubcore.thread import Lock


class PatchedCondition(threading.Condition):
    """The standard library's class with the `wait` that patching gives it.."""

    wait = condition_wait.wait


def use_cooperative_locks(monkeypatch):
    """Have the standard library's Condition make the locks of its waiters as it does after patching."""
    monkeypatch.setattr(threading, "_allocate_lock", Lock)
