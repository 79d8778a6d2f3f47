"""`hubcore celery`: Celery, patched, with tasks as greenlets."""

from __future__ import annotations

import os
import sys

from hubcore.cli._output import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

POOL = "hubcore.celery:TaskPool"
_OPTIONS = ("-P", "--pool")


def main(arguments: list[str], patch: Callable[[], None]) -> int:
    """Run Celery's command line `arguments` after `patch`; its exit status."""
    patch()
    os.environ["CELERY_CUSTOM_WORKER_POOL"] = POOL
    try:
        from celery.__main__ import main as celery
    except ImportError as error:
        complain(f"celery is not installed: {error}")
        return 2
    if "worker" in arguments and not any(_chooses_pool(each) for each in arguments):
        at = arguments.index("worker") + 1
        arguments = [*arguments[:at], "--pool=custom", *arguments[at:]]
    sys.argv[:] = ["celery", *arguments]
    celery()
    return 0


def _chooses_pool(argument: str) -> bool:
    return argument in _OPTIONS or argument.startswith(("-P", "--pool="))
