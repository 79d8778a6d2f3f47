"""What every play needs: greenlets whose results are wanted, and waiting for something outside to come true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hubcore


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    """What the calls return, each made in a greenlet of its own; the first failure is raised."""
    jobs = [hubcore.spawn(call) for call in calls]
    hubcore.joinall(jobs, raise_error=True)
    return [job.get() for job in jobs]


def wait_until(condition: Callable[[], object]) -> None:
    """Look again and again; what hangs ends with the test's limit of time. Switches."""
    while not condition():
        hubcore.sleep(0.001)


def attempt(call: Callable[..., Any], *args: Any) -> Any:
    """For a greenlet that `give_up` ends: its value is then the Timeout, without the frames that it came through."""
    try:
        return call(*args)
    except hubcore.Timeout as limit:
        return limit.with_traceback(None)


def give_up(job: Any, how: str) -> None:
    """End the wait of an `attempt` from outside: by a "kill" of the greenlet, or by a "timeout" raised in it."""
    reason = hubcore.Timeout() if how == "timeout" else hubcore.GreenletExit()
    job.kill(reason)
    assert job.value is reason
