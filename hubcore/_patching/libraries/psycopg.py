"""Makes psycopg 3 wait in the hub, once `select` is patched.

Fact (psycopg/waiting.py): with its compiled part, psycopg waits with poll(2) in C, unless it finds a patched gevent by
name or PSYCOPG_WAIT_FUNC selects another function. Consequence: hubcore sets the function that psycopg chooses under
gevent, a Python loop over `select.poll`.
"""

from __future__ import annotations

import os

from hubcore._patching.import_hooks import after_import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def patch_psycopg() -> None:
    """Make psycopg wait cooperatively, now or when the program imports it. PSYCOPG_WAIT_FUNC takes precedence."""
    after_import("psycopg.waiting", _wait_by_poll)


def _wait_by_poll(waiting: Any) -> None:
    if "PSYCOPG_WAIT_FUNC" not in os.environ and waiting.wait is getattr(waiting, "wait_c", None):
        waiting.wait = waiting.wait_poll  # connections look the function up at each wait
