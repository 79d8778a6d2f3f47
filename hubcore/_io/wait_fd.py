"""Waits for any fd, for drivers of sockets that are not hubcore's."""

from __future__ import annotations

from errno import EBADF

from hubcore._base.argument_checks import as_exception
from hubcore._core.deadlines import ended_by
from hubcore._core.raising import raise_here
from hubcore.hub import get_hub, get_hub_if_any
from hubcore.watchers import READ, WRITE, Io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_DEFAULT = TimeoutError("timed out")


class cancel_wait_ex(OSError):
    """The error that ends a wait when another greenlet closes the fd."""

    def __init__(self) -> None:
        super().__init__(EBADF, "the file descriptor was closed in another greenlet")


def wait(io: Io, timeout: float | None = None, timeout_exc: BaseException | type[BaseException] = _DEFAULT) -> None:
    """Wait until the io watcher `io` has an event. Raises `timeout_exc` after `timeout` seconds. Switches."""
    if not isinstance(io, Io):
        raise TypeError(f"wait() takes an io watcher (hub.loop.io), not {io!r}; for an fd use wait_read()")
    hub = get_hub()
    waiter = hub.new_waiter(io)
    io.attach(waiter)
    try:
        woken = hub.park(waiter, timeout)
    except BaseException:
        io.detach(waiter)
        raise
    if not woken:
        io.detach(waiter)
        if timeout_exc is _DEFAULT:
            raise ended_by(timeout, TimeoutError("timed out"))
        raise_here(timeout_exc)


def _wait_fd(fileno: int, events: int, timeout: float | None, timeout_exc: Any) -> None:
    with get_hub().loop.io(fileno, events) as io:
        wait(io, timeout, timeout_exc)


def wait_read(
    fileno: int, timeout: float | None = None, timeout_exc: BaseException | type[BaseException] = _DEFAULT
) -> None:
    """Wait until `fileno` is readable. Raises `timeout_exc`, TimeoutError by default, after `timeout` seconds.

    Switches. Several greenlets may wait for the same fd. OSError (EBADF) if it is not open.
    """
    _wait_fd(fileno, READ, timeout, timeout_exc)


def wait_write(
    fileno: int,
    timeout: float | None = None,
    timeout_exc: BaseException | type[BaseException] = _DEFAULT,
    event: object = None,
) -> None:
    """Like `wait_read`, until `fileno` is writable. `event` is accepted for compatibility with gevent."""
    _wait_fd(fileno, WRITE, timeout, timeout_exc)


def wait_readwrite(
    fileno: int,
    timeout: float | None = None,
    timeout_exc: BaseException | type[BaseException] = _DEFAULT,
    event: object = None,
) -> None:
    """Like `wait_read`, until `fileno` is readable or writable. `event` is accepted for compatibility with gevent."""
    _wait_fd(fileno, READ | WRITE, timeout, timeout_exc)


def cancel_wait(watcher: Io, error: BaseException | type[BaseException] = cancel_wait_ex) -> None:
    """Raise `error` in the greenlet that waits for the io watcher, if there is one. Never switches."""
    watcher.fail(as_exception(error))


def closing_fd(fd: int) -> None:
    """Raise OSError (EBADF) in the greenlets of this thread that wait for `fd`. Call it just before closing `fd`.

    Never switches, and never makes a hub.
    """
    hub = get_hub_if_any()
    if hub is not None and not hub.loop.closed:
        hub.loop.closing_fd(fd)


for _each in (cancel_wait_ex, wait, wait_read, wait_write, wait_readwrite, cancel_wait, closing_fd):
    _each.__module__ = "hubcore.socket"
