"""For tests of programs that use hubcore, and of hubcore itself.

`plugin` is the pytest plugin (fixtures `hub`, `loop`, `hub_backend`; option --hub-backend), `conformance` is the Loop
protocol's contract as tests that the author of any backend can run. Here are functions that tests call.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hubcore.hub import Hub
    from hubcore.loop import Loop

__all__ = ["Finished", "advance", "run_python", "run_until", "settle"]

_MOST_ROUNDS = 1000  # of greenlets that make each other ready for ever


class Finished(NamedTuple):
    """A Python process that has ended."""

    status: int  # its exit status; the negative number of the signal that killed it
    stdout: str
    stderr: str


def run_python(
    code: str,
    backend: str | None = None,
    *,
    timeout: float = 30.0,
    env: Mapping[str, str] | None = None,
    status: int = 0,
    python: tuple[str, ...] = (),
) -> Finished:
    """Run `code` (dedented) in a new Python process with HUB_BACKEND set to `backend` and this one's `sys.path`.

    AssertionError with all of its output unless it ends with `status` within `timeout` seconds. `env` is added to the
    environment, `python` are options of the interpreter. Blocks the whole thread.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    environment.pop("HUB_BACKEND", None)
    if backend is not None:
        environment["HUB_BACKEND"] = backend
    environment.update(env or {})
    command = [sys.executable, "-X", "faulthandler", *python, "-c", textwrap.dedent(code)]
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = [
            part.decode(errors="replace") if isinstance(part, bytes) else part or ""
            for part in (error.stdout, error.stderr)
        ]
        raise AssertionError(f"it did not end within {timeout:g} seconds; it said:\n" + "\n".join(said)) from None
    finished = Finished(done.returncode, done.stdout, done.stderr)
    if finished.status != status:
        raise AssertionError(
            f"it ended with status {finished.status}, not {status}; it said:\n{finished.stdout}\n{finished.stderr}"
        )
    return finished


def run_until(loop: Loop, condition: Callable[[], object], limit: float = 10.0) -> None:
    """Run passes of `loop`, which has no hub, until `condition()` is true; AssertionError after `limit` real seconds.

    Passes look and do not sleep, so that it also ends where nothing would wake the loop.
    """
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{condition!r} did not become true within {limit:g} seconds")
        loop.ref()  # whatever else keeps it alive, or does not
        try:
            loop.run(nowait=True)
        finally:
            loop.unref()


def settle(hub: Hub) -> None:
    """Let everything run that is ready, and what that makes ready, without waiting for events. Switches."""
    for _ in range(_MOST_ROUNDS):
        # The first yield of a batch does not poll, so what other threads sent may show only at the next.
        hub.yield_now()
        if len(hub.ready) == 0:
            return
    raise AssertionError(f"something is still ready after {_MOST_ROUNDS} rounds: {hub.ready!r}")


def advance(hub: Hub, seconds: float) -> None:
    """Let `seconds` pass at once on the hub's virtual loop, and everything run that this makes ready. Switches."""
    from hubcore.backends.virtual import VirtualLoop

    if not isinstance(hub.loop, VirtualLoop):
        raise TypeError(f"only virtual time can be advanced, not that of {hub.loop!r}")
    hub.loop.advance(seconds)
    hub.loop.run_pass(False)
    settle(hub)
