"""Signals: one wake-up fd per process, watched by the hub of the main thread like any fd.

Facts: Python runs signal handlers in the main thread, between byte codes; a thread that sleeps in a system call runs
none, and libuv repeats a call that a signal interrupts. The C-level handler writes the signal's number to the wake-up
fd first. Consequence: watching that fd is what makes a sleeping hub notice Ctrl-C, on every backend.
"""

from __future__ import annotations

# The C module under `signal`, which adds enumerations to it that take longer to import than all of hubcore.
import _signal
import os
import sys
from _thread import get_ident
from errno import EBADF

from hubcore._base.main_thread import in_main_thread
from hubcore._base.originals import close_fd, read_fd, set_blocking, write_fd
from hubcore._core.mailbox import open_mailbox
from hubcore.watchers import READ, Io, Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from hubcore._core.base_loop import BaseLoop
    from hubcore._core.waiter import Waiter

    class SignalReceiver(Protocol):
        """The part of the main thread's hub that this module uses."""

        @property
        def loop(self) -> BaseLoop: ...
        @property
        def thread_ident(self) -> int: ...
        def run_signal_callbacks(self, callback: Callable[[], object]) -> None: ...
        @property
        def answer(self) -> Callable[[], object]: ...


class _WakeupPipe:
    """The process's wake-up fd while the main thread has a hub."""

    def __init__(self, hub: SignalReceiver) -> None:
        self.hub = hub
        self.read_fd, self.write_fd = os.pipe()
        set_blocking(self.read_fd, False)
        set_blocking(self.write_fd, False)
        self.watchers: dict[int, list[Signal]] = {}
        # The owner of the previous wake-up fd, such as asyncio, still gets every byte.
        self.previous = _signal.set_wakeup_fd(self.write_fd, warn_on_full_buffer=False)
        self.warn = True  # whether to warn if the previous fd is full; Python does not return the owner's choice
        self.pausers: list[Waiter] = []
        self.io = Io(hub.loop, self.read_fd, READ, False, None)
        self.io.start(hub.run_signal_callbacks, self._on_signals)
        open_mailbox(self.write_fd)

    def _on_signals(self) -> None:
        """Distribute the signals that have come. Runs in the hub.

        Python has run the signal handlers by the first byte code of this method, or runs them there; they may raise.
        """
        try:
            numbers = read_fd(self.read_fd, 4096)
        except BlockingIOError:
            return
        if 0 in numbers:  # no signal: a tool has put a request into the mailbox
            numbers = numbers.replace(b"\0", b"")
            self.hub.answer()
            if not numbers:
                return
        if self.previous >= 0:
            self._forward(numbers)
        if self.pausers:
            self.hub.loop.run_callback(
                _end_pauses, tuple(self.pausers)
            )  # handlers run first, and may raise in a pausing greenlet
        for number in numbers:
            for watcher in tuple(self.watchers.get(number, ())):
                watcher._queue(number)

    def _forward(self, numbers: bytes) -> None:
        try:
            write_fd(self.previous, numbers)
        except BlockingIOError as error:
            if self.warn:
                _warn_full(error)
        except OSError as error:
            if error.errno == EBADF:
                self.previous = -1  # its owner has closed it

    def close(self) -> None:
        open_mailbox(-1)
        self.io.close()
        current = _signal.set_wakeup_fd(-1)
        # An fd that the program has set meanwhile stays; otherwise the previous one is restored.
        restored = self.previous if current in (self.write_fd, -1) else current
        if restored >= 0:
            try:
                _signal.set_wakeup_fd(restored, warn_on_full_buffer=self.warn)
            except (OSError, ValueError):
                pass  # its owner has closed it
        close_fd(self.read_fd)
        close_fd(self.write_fd)


def _warn_full(error: OSError) -> None:
    """Warn, as Python does, that the signal could not be written to the program's own wake-up fd."""
    from types import SimpleNamespace

    what = "Exception ignored when trying to send to the signal wakeup fd"
    hook: Any = sys.unraisablehook
    if hook is not sys.__unraisablehook__:
        hook(SimpleNamespace(exc_type=type(error), exc_value=error, exc_traceback=None, err_msg=what, object=None))
        return
    # sys.__unraisablehook__ accepts only objects of a type that only C code can make.
    print(f"{what}:\n{type(error).__name__}: {error}", file=sys.stderr)


def _end_pauses(waiters: tuple[Waiter, ...]) -> None:
    for waiter in waiters:
        waiter.wake()


_pipe: _WakeupPipe | None = None


def hub_made(hub: SignalReceiver) -> None:
    """Have `hub` watch for signals from now on, if the calling thread is the main thread."""
    global _pipe
    if _pipe is None and in_main_thread():
        _pipe = _WakeupPipe(hub)


def hub_destroyed(hub: SignalReceiver) -> None:
    """Undo `hub_made`."""
    global _pipe
    if _pipe is not None and _pipe.hub is hub:
        _pipe.close()
        _pipe = None


def forget_after_fork() -> None:
    """In a forked child, close the pipe, which it shares with the parent, without an effect on the parent.

    The signal watchers are the parent's, so the handlers that they replaced are restored: otherwise the child would
    ignore those signals.
    """
    global _pipe
    if _pipe is not None:
        for watchers in _pipe.watchers.values():
            if watchers:
                watchers[0]._restore()
        open_mailbox(-1)
        _signal.set_wakeup_fd(-1)
        close_fd(_pipe.read_fd)
        close_fd(_pipe.write_fd)
        _pipe = None


def forward() -> None:
    """Forward the signals that have come to the program's own wake-up fd. Main thread only, not while it polls."""
    if _pipe is not None and _pipe.previous >= 0:
        _pipe._on_signals()


def set_wakeup_fd(fd: int, warn_on_full_buffer: bool) -> int:
    """As signal.set_wakeup_fd; the hub keeps its own fd and forwards to `fd`."""
    if _pipe is None:
        return _signal.set_wakeup_fd(fd, warn_on_full_buffer=warn_on_full_buffer)
    _pipe._on_signals()  # signals that have come so far go to the old fd
    before = _signal.set_wakeup_fd(fd, warn_on_full_buffer=warn_on_full_buffer)  # raises what Python raises
    _signal.set_wakeup_fd(_pipe.write_fd, warn_on_full_buffer=False)
    if before == _pipe.write_fd:
        before = _pipe.previous
    _pipe.previous = fd
    _pipe.warn = bool(warn_on_full_buffer)
    return before


def watched_by(hub: object) -> bool:
    """Return whether `hub` is the one that watches for signals."""
    return _pipe is not None and _pipe.hub is hub


def handlers_may_wake(hub: object) -> bool:
    """Return whether `hub` watches for signals and the program has handlers set by hubcore.signal."""
    return watched_by(hub) and any(
        getattr(_signal.getsignal(number), "may_wake", False) for number in _signal.valid_signals()
    )


def add_pauser(waiter: Waiter) -> None:
    """Wake `waiter` at the next handled signal, once its handler has run or waits. Not while the loop polls."""
    if _pipe is not None:
        _pipe._on_signals()  # earlier signals do not count as the next one
        _pipe.pausers.append(waiter)


def drop_pauser(waiter: Waiter) -> None:
    """Forget `waiter`, whose wait has ended."""
    if _pipe is not None and waiter in _pipe.pausers:
        _pipe.pausers.remove(waiter)


def _write_only(signum: int, frame: object) -> None:
    """The Python-level handler under a Signal watcher: it has nothing to do, the byte in the pipe notifies the hub."""


class Signal(Watcher):
    """Calls back when the process receives signal `signum`. Replaces Python's handler while it is started."""

    def __init__(self, loop: BaseLoop, signum: int, ref: bool = True, priority: int | None = None) -> None:
        super().__init__(loop, ref, priority)
        if not isinstance(signum, int):
            raise TypeError(f"a signal must be a number, such as signal.SIGTERM, not {signum!r}")
        if not 0 < signum < _signal.NSIG:
            raise ValueError(f"a signal must be a number from 1 to {_signal.NSIG - 1}, not {signum!r}")
        self.signum = int(signum)
        self._previous: object = None

    def _begin(self) -> None:
        if _pipe is None or _pipe.hub.thread_ident != get_ident():
            raise ValueError(
                f"only the hub of the main thread, where Python handles signals, can watch signal {self.signum}"
            )
        watchers = _pipe.watchers.setdefault(self.signum, [])
        if not watchers:
            self._previous = _signal.signal(self.signum, _write_only)
        else:
            self._previous = watchers[0]._previous
        watchers.append(self)

    def _end(self) -> None:
        if _pipe is None:
            return
        watchers = _pipe.watchers.get(self.signum, [])
        if self in watchers:
            watchers.remove(self)
            if not watchers:
                self._restore()

    def _restore(self) -> None:
        """Restore the handler that the signal had before its first watcher."""
        _signal.signal(self.signum, self._previous if self._previous is not None else _signal.SIG_DFL)  # type: ignore[arg-type]

    def _describe(self) -> str:
        return f" signum={self.signum}"
