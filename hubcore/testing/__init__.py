"""Helpers for tests of programs that use hubcore, and of hubcore itself.

`plugin` is the pytest plugin (fixtures `hub`, `loop`, `hub_backend`; option --hub-backend). `conformance` is the
contract of the Loop protocol, as tests that the author of a backend can run. This module has functions for tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from typing import NamedTuple

from hubcore._base.hints import Callable, Late, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub
    from hubcore.loop import Loop
else:
    Hub = Late("hubcore.hub:Hub")
    Loop = Late("hubcore.loop:Loop")

__all__ = ["Finished", "advance", "run_python", "run_until", "settle"]

_MOST_ROUNDS = 1000  # limits greenlets that make each other ready for ever


class Finished(NamedTuple):
    """A Python process that has ended."""

    status: int  # its exit status, or minus the number of the signal that killed it
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
    """Run `code` (dedented) in a new Python process with HUB_BACKEND set to `backend` and this process's `sys.path`.

    `env` is added to the environment; `python` are options of the interpreter. Blocks the whole thread. Raises
    AssertionError, with the child's output, unless the child exits with `status` within `timeout` seconds.
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
        output = [
            part.decode(errors="replace") if isinstance(part, bytes) else part or ""
            for part in (error.stdout, error.stderr)
        ]
        raise AssertionError(
            f"the child process did not end within {timeout:g} seconds; its output:\n" + "\n".join(output)
        ) from None
    finished = Finished(done.returncode, done.stdout, done.stderr)
    if finished.status != status:
        raise AssertionError(
            f"the child process ended with status {finished.status}, not {status}; its output:\n"
            f"{finished.stdout}\n{finished.stderr}"
        )
    return finished


def run_until(loop: Loop, condition: Callable[[], object], limit: float = 10.0) -> None:
    """Run passes of `loop`, which has no hub, until `condition()` is true; AssertionError after `limit` real seconds.

    The passes poll without sleeping, so run_until ends even if no event would wake the loop.
    """
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{condition!r} did not become true within {limit:g} seconds")
        loop.ref()  # the pass must run even if nothing else keeps the loop alive
        try:
            loop.run(nowait=True)
        finally:
            loop.unref()


def settle(hub: Hub) -> None:
    """Run the greenlets and callbacks that are ready, and those that they make ready; wait for no event. Switches.

    AssertionError if some are still ready after 1000 rounds.
    """
    for _ in range(_MOST_ROUNDS):
        # The first yield of a batch does not poll, so callbacks from other threads may appear only at the next one.
        hub.yield_now()
        if len(hub.ready) == 0:
            return
    raise AssertionError(f"greenlets or callbacks are still ready after {_MOST_ROUNDS} rounds: {hub.ready!r}")


def advance(hub: Hub, seconds: float) -> None:
    """Advance the hub's virtual loop by `seconds` at once, then `settle` the hub. Switches.

    TypeError if the hub's loop is not virtual.
    """
    if not hasattr(hub.loop, "advance"):
        raise TypeError(f"advance(): hub must be on the virtual backend, not on {hub.loop!r}")
    hub.loop.advance(seconds)
    hub.loop.run_pass(False)
    settle(hub)
