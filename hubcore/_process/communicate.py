"""The work of `communicate`: write to a child and read from it at the same time, in one greenlet."""

from __future__ import annotations

from math import inf
from select import PIPE_BUF, POLLIN, POLLOUT
from time import monotonic

from hubcore._base.originals import get_blocking, read_fd, write_fd
from hubcore._io.native_poll import LONGEST, milliseconds, native_poll
from hubcore._io.wait_any_fd import AnyFd, spend
from hubcore.hub import get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore.hub import Hub

_CHUNK = 65536  # a pipe's capacity in bytes


class Communication:
    """The input and output of one child. An interrupted `run` loses no data: the next one continues there."""

    def __init__(self, stdin: Any, data: memoryview | None, *outputs: Any) -> None:
        self._stdin = stdin
        self._data = data
        self._sent = 0
        #: The pieces that were read from each output so far.
        self.received: dict[Any, list[bytes]] = {each: [] for each in outputs if each is not None}
        self._ended: set[Any] = set()

    def run(self, endtime: float) -> bool:
        """Read and write until all files are at their end. Return False if that is not before `endtime`. Switches.

        In a thread without a hub the thread blocks.
        """
        files = {each.fileno(): each for each in self.received if each not in self._ended and not each.closed}
        wanted = dict.fromkeys(files, POLLIN)
        if self._data is not None and not self._stdin.closed:
            fd = self._stdin.fileno()
            files[fd] = self._stdin
            wanted[fd] = POLLOUT
        if not files:
            return True
        hub = get_hub_if_any()
        if hub is None:
            return self._run(None, files, wanted, endtime)
        hub.loop.begin_external(False)
        try:
            return self._run(hub, files, wanted, endtime)
        finally:
            hub.loop.end_external(False)

    def _run(self, hub: Hub | None, files: dict[int, Any], wanted: dict[int, int], endtime: float) -> bool:
        poller = native_poll()
        for fd, events in wanted.items():
            poller.register(fd, events)
        watch: AnyFd | None = None
        try:
            while wanted:
                left = inf if endtime == inf else endtime - monotonic()
                if left < 0:
                    return False
                found = poller.poll(0)
                if not found:
                    left = min(left, LONGEST)
                    if hub is None:
                        poller.poll(milliseconds(left))
                    else:
                        if watch is None:
                            watch = AnyFd(hub, wanted)
                        watch.wait(None if left == LONGEST else left)
                    continue
                for fd, _ in found:
                    over = self._write(fd) if files[fd] is self._stdin else self._read(fd, files[fd])
                    if over:
                        poller.unregister(fd)
                        del wanted[fd]
                        if watch is not None:
                            watch.close()
                            watch = None
                        if files[fd] is self._stdin:
                            self._close_stdin()
                if hub is not None:
                    spend()
            return True
        finally:
            if watch is not None:
                watch.close()

    def _read(self, fd: int, file: Any) -> bool:
        try:
            data = read_fd(fd, _CHUNK)
        except BlockingIOError:
            return False  # another reader was faster
        if data:
            self.received[file].append(data)
            return False
        self._ended.add(file)
        return True

    def _write(self, fd: int) -> bool:
        assert self._data is not None
        # POSIX: a writable blocking pipe accepts PIPE_BUF bytes without blocking. A non-blocking one accepts what fits.
        most = PIPE_BUF if get_blocking(fd) else _CHUNK
        try:
            self._sent += write_fd(fd, self._data[self._sent : self._sent + most])
        except BlockingIOError:
            return False
        except BrokenPipeError:
            return True  # the child has closed its input: the rest is dropped
        return self._sent >= len(self._data)

    def _close_stdin(self) -> None:
        self._data = None
        try:
            self._stdin.close()
        except BrokenPipeError:
            pass
