"""psycopg 3 waits where others can run, once `select` is patched.

Fact: with its compiled part it waits by poll(2) in C (psycopg/waiting.py), unless it finds gevent's patch by name, or
PSYCOPG_WAIT_FUNC says otherwise. Consequence: it is given the function that it takes for itself under gevent, a loop in
Python over `select.poll`.
"""

from __future__ import annotations

import os

from hubcore._after_import import after_import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def patch_psycopg() -> None:
    """Have psycopg wait cooperatively, as soon as it is imported. What PSYCOPG_WAIT_FUNC says comes first."""
    after_import("psycopg.waiting", _wait_by_poll)


def _wait_by_poll(waiting: Any) -> None:
    if "PSYCOPG_WAIT_FUNC" not in os.environ and waiting.wait is getattr(waiting, "wait_c", None):
        waiting.wait = waiting.wait_poll  # connections look it up at each wait
