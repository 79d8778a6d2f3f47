"""The supervisor of `hubcore serve --workers N`: a process without threads, hub or application that keeps N others.

A worker is started by fork before anything is patched. Its readiness comes by one pipe; that the supervisor lives, it
knows by another, whose other end closes with the supervisor's life.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from hubcore.cli._output import complain
from hubcore.cli._serve_worker import AGAIN, CANNOT_BEGIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)
_SHORT_LIFE = 10.0  # seconds; the successor of a worker that lived shorter waits
_LONGEST_DELAY = 30.0
_MORE_TIME = 2.0  # seconds beyond graceful_timeout before a worker is killed

Work = "Callable[[int, Callable[[], None], int], int]"  # (number, ready, life) to the exit status


class Worker:
    """One process. `slot` is which of the sockets it serves."""

    def __init__(self, slot: int, pid: int, pipe: int) -> None:
        self.slot = slot
        self.pid = pid
        self.pipe = pipe  # a byte comes by it when the worker listens
        self.born = time.monotonic()
        self.ready = False
        self.replaces: Worker | None = None
        self.leaving = False
        self.kill_at: float | None = None


class Supervisor:
    """Keeps a worker in each of `count` slots, each of which calls `work(slot, ready, life)` and exits with its result.

    `told` is called once all are ready. `again` says that a worker which asks to be started anew gets that at once.
    """

    def __init__(self, count: int, work: Any, grace: float | None, told: Callable[[], None] | None = None) -> None:
        self._count = count
        self._work = work
        self._grace = grace
        self._told = told
        self._workers: dict[int, Worker] = {}
        self._delays: dict[int, float] = {}  # by slot, for a worker that died young
        self._due: dict[int, float] = {}  # by slot, when the next one is to be started
        self._stopping = False
        self._began = False
        self._status = 0
        self._wake_reader = self._wake_writer = -1
        self._life_reader = self._life_writer = -1

    def run(self) -> int:
        """Run until a signal ends it; the exit status."""
        self._wake_reader, self._wake_writer = os.pipe()
        for fd in (self._wake_reader, self._wake_writer):
            os.set_blocking(fd, False)
        self._life_reader, self._life_writer = os.pipe()
        before = {number: signal.signal(number, lambda *args: None) for number in _SIGNALS}
        old = signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        try:
            for slot in range(self._count):
                self._start(slot)
            while self._workers or (self._due and not self._stopping):
                self._turn()
        finally:
            signal.set_wakeup_fd(old)
            for number, handler in before.items():
                signal.signal(number, handler)
        return self._status

    def _turn(self) -> None:
        now = time.monotonic()
        times = [worker.kill_at for worker in self._workers.values() if worker.kill_at is not None]
        times += [] if self._stopping else list(self._due.values())
        timeout = max(0.0, min(times) - now) if times else None
        pipes = [worker.pipe for worker in self._workers.values() if worker.pipe >= 0]
        readable, _, _ = select.select([self._wake_reader, *pipes], [], [], timeout)
        if self._wake_reader in readable:
            for number in os.read(self._wake_reader, 4096):
                self._on_signal(number)
        for worker in list(self._workers.values()):
            if worker.pipe in readable:
                self._hear(worker)
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.kill_at is not None and worker.kill_at <= now:
                worker.kill_at = None
                self._signal(worker, signal.SIGKILL)
        for slot, due in list(self._due.items()):
            if due <= now and not self._stopping:
                del self._due[slot]
                self._start(slot)

    # Workers.

    def _start(self, slot: int, replaces: Worker | None = None) -> None:
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._be_worker(slot, writer)
        os.close(writer)
        worker = self._workers[pid] = Worker(slot, pid, reader)
        worker.replaces = replaces

    def _be_worker(self, slot: int, writer: int) -> None:
        status = CANNOT_BEGIN
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            os.close(self._life_writer)
            os.close(self._wake_reader)
            os.close(self._wake_writer)
            for other in self._workers.values():
                if other.pipe >= 0:
                    os.close(other.pipe)

            def ready() -> None:
                os.write(writer, b"r")
                os.close(writer)

            status = self._work(slot, ready, self._life_reader)
        except SystemExit as exit:
            status = exit.code if isinstance(exit.code, int) else CANNOT_BEGIN
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(status)

    def _hear(self, worker: Worker) -> None:
        """A worker is ready, or has closed the pipe."""
        data = os.read(worker.pipe, 1)
        os.close(worker.pipe)
        worker.pipe = -1
        if not data:
            return
        worker.ready = True
        if worker.replaces is not None:
            self._end(worker.replaces)
            worker.replaces = None
        if not self._began and sum(each.ready for each in self._workers.values()) == self._count:
            self._began = True
            if self._told is not None:
                self._told()

    def _signal(self, worker: Worker, number: int) -> None:
        try:
            os.kill(worker.pid, number)
        except ProcessLookupError:
            pass

    def _end(self, worker: Worker) -> None:
        """Have a worker finish its requests and end; killed once its time is over."""
        if not worker.leaving:
            worker.leaving = True
            self._signal(worker, signal.SIGTERM)
            if self._grace is not None:
                worker.kill_at = time.monotonic() + self._grace + _MORE_TIME

    # Signals.

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number in (signal.SIGTERM, signal.SIGINT):
            again = self._stopping and number == signal.SIGINT
            self._stopping = True
            for worker in self._workers.values():
                self._signal(worker, signal.SIGKILL) if again else self._end(worker)
        elif number == signal.SIGHUP and not self._stopping:
            for worker in list(self._workers.values()):
                if worker.ready and not worker.leaving:
                    self._start(worker.slot, replaces=worker)
        elif number == signal.SIGUSR1:
            for worker in self._workers.values():
                if worker.ready:
                    self._signal(worker, signal.SIGUSR1)

    def _reap(self) -> None:
        while True:
            try:
                pid, raw = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker = self._workers.pop(pid, None)
            if worker is not None:
                if worker.pipe >= 0:
                    self._hear(worker)
                self._ended(worker, os.waitstatus_to_exitcode(raw))

    def _ended(self, worker: Worker, status: int) -> None:
        if worker.leaving or self._stopping:
            return
        if any(each.replaces is worker for each in self._workers.values()):
            for each in self._workers.values():
                if each.replaces is worker:
                    each.replaces = None
            return  # its successor is on the way
        if worker.replaces is not None:
            complain(f"the new worker {worker.pid} {_end_of(status)} before it listened; the old one goes on")
            return
        if not self._began and not worker.ready and status != AGAIN:
            self._status = 1
            self._stopping = True
            for other in self._workers.values():
                self._end(other)
            return
        self._due[worker.slot] = time.monotonic() + self._delay(worker, status)

    def _delay(self, worker: Worker, status: int) -> float:
        """Seconds until the successor of a worker that has ended is started: more and more, where they die young."""
        if worker.ready and status in (0, AGAIN):
            self._delays.pop(worker.slot, None)
            return 0.0
        delay = 0.0 if time.monotonic() - worker.born > _SHORT_LIFE else self._delays.get(worker.slot, 0.0)
        self._delays[worker.slot] = min(_LONGEST_DELAY, max(0.5, delay * 2))
        then = f" in {delay:g} seconds" if delay else ""
        complain(f"the worker {worker.pid} {_end_of(status)}; another one is started{then}")
        return delay


def _end_of(status: int) -> str:
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with the status {status}"
