"""Files that no loop can watch: each operation runs in a worker thread, while other greenlets go on."""

from __future__ import annotations

import io
import os
from errno import EBADF
from functools import partial

from hubcore._base.worker_threads import Workers
from hubcore.hub import get_hub_if_any
from hubcore.lock import Semaphore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hubcore._core.waiter import Waiter
    from hubcore.loop import Loop

_THREADS = 10
_workers: Workers | None = None


class ThreadCall:
    """One call in a worker thread: `function(*args)`.

    The worker calls `late(result)` if no greenlet waits for the result any more, and finally `after()`.
    """

    cross_thread = True

    def __init__(
        self,
        function: Callable[..., Any],
        *args: Any,
        late: Callable[[Any], object] | None = None,
        after: Callable[[], object] | None = None,
    ) -> None:
        self.function = partial(function, *args)
        self.waiter: Waiter | None = None
        self._late = late
        self._after = after
        self._result: Any = None
        self._error: BaseException | None = None
        self._loop: Loop | None = None

    def wait(self) -> Any:
        """Make the call; return its result or raise its exception. Switches.

        A kill ends the wait, not the call. A thread without a hub makes the call itself.
        """
        hub = get_hub_if_any()
        if hub is None:
            try:
                return self.function()
            finally:
                if self._after is not None:
                    self._after()
        # The job lasts until the call ends, not only the wait: meanwhile real time passes and the loop stays alive.
        loop = self._loop = hub.loop
        loop.begin_job()
        try:
            waiter = self.waiter = hub.new_waiter(self)
            _submit(self.function, self._done)
        except BaseException:
            loop.end_job()
            if self._after is not None:
                self._after()
            raise
        hub.park(waiter)
        if self._error is not None:
            error, self._error = self._error, None
            try:
                raise error
            finally:
                del error  # its traceback refers to this frame
        return self._result

    def end(self, error: BaseException) -> None:
        """Raise `error` in the waiter. Any thread; never switches."""
        waiter = self.waiter
        if waiter is not None:
            waiter.fail(error)

    def _done(self, result: Any, error: BaseException | None) -> None:
        waiter = self.waiter
        self.waiter = None  # breaks a reference cycle
        self._result = result
        self._error = error
        try:
            if waiter is not None and not waiter.wake() and error is None and self._late is not None:
                self._late(result)
            if self._after is not None:
                self._after()
        finally:
            if self._loop is not None:
                self._loop.end_job()

    def __repr__(self) -> str:
        return f"<in a thread: {self.function.func!r}>"


def _submit(function: Callable[[], Any], done: Callable[[Any, BaseException | None], object]) -> None:
    global _workers
    if _workers is None:
        _workers = Workers(_THREADS)
    _workers.submit(function, done)


class ThreadFile(io.RawIOBase):
    """A raw file whose operations run in worker threads, one at a time, on `native`, another binary file.

    A kill during a read loses no data: the next read returns the data. A kill during a write does not stop the write.
    `close` ends a wait to read; the file itself is closed when the current operation has ended.
    """

    def __init__(self, native: Any) -> None:
        self._native = native
        self._call: ThreadCall | None = None
        # read1, where there is one, returns what is available; read would wait for the full size.
        self._read: Any = getattr(native, "read1", None) or getattr(native, "read", None)
        self._turn = Semaphore(1)  # the worker releases it, so no call overtakes one whose caller was killed
        self._unread = b""

    def interrupt(self) -> bool:
        """Raise OSError (EBADF) in the reader that waits. Return False: no write is abandoned. Any thread."""
        call = self._call
        if call is not None and call.function.func in (self._take, self._take_all):
            call.end(OSError(EBADF, os.strerror(EBADF)))
        return False

    def _in_turn(self, function: Callable[..., Any], *args: Any, late: Callable[[Any], object] | None = None) -> Any:
        self._turn.acquire()
        if self.closed:
            self._turn_over()
            raise ValueError("I/O operation on closed file")
        call = self._call = ThreadCall(function, *args, late=late, after=self._turn_over)
        try:
            return call.wait()
        finally:
            if self._call is call:
                self._call = None

    def _at_once(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a `function` that does not block here, if no other operation runs; else in turn. May switch."""
        if not isinstance(self._native, io.FileIO) or not self._turn.acquire(blocking=False):
            return self._in_turn(function, *args)
        try:
            return function(*args)
        finally:
            self._turn_over()

    def _turn_over(self) -> None:
        self._turn.release()
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self.closed and self._turn.acquire(blocking=False):
            try:
                self._native.close()
            finally:
                self._turn.release()

    def _take(self, size: int) -> bytes | None:
        if self._unread:
            data, self._unread = self._unread[:size], self._unread[size:]
            return data
        found: bytes | None = self._read(size)
        return found

    def _take_all(self) -> bytes:
        data, self._unread = self._unread, b""
        return data + (self._native.read() or b"")

    def _give_back(self, data: bytes | None) -> None:
        self._unread = (data or b"") + self._unread

    def _put(self, data: bytes) -> int | None:
        if self._unread and self._native.seekable():
            self._seek(0, os.SEEK_CUR)
        written: int | None = self._native.write(data)
        return written

    def _seek(self, offset: int, whence: int) -> int:
        if whence == os.SEEK_CUR:
            offset -= len(self._unread)
        place: int = self._native.seek(offset, whence)
        self._unread = b""
        return place

    def _tell(self) -> int:
        place: int = self._native.tell()
        return place - len(self._unread)

    # The methods of io.RawIOBase.

    def readinto(self, buffer: Any) -> int | None:
        """Like io.RawIOBase.readinto. Switches."""
        # The worker reads into bytes of its own: after a kill of the caller the buffer may be gone.
        data = self._in_turn(self._take, len(buffer), late=self._give_back)
        if data is None:
            return None
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Like io.RawIOBase.readall. Switches."""
        data: bytes = self._in_turn(self._take_all, late=self._give_back)
        return data

    def write(self, data: Any) -> int | None:
        """Like io.RawIOBase.write. Switches."""
        written: int | None = self._in_turn(self._put, bytes(data))
        return written

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Like io.RawIOBase.seek. May switch."""
        place: int = self._at_once(self._seek, offset, whence)
        return place

    def tell(self) -> int:
        """Like io.RawIOBase.tell. May switch."""
        place: int = self._at_once(self._tell)
        return place

    def truncate(self, size: int | None = None) -> int:
        """Like io.RawIOBase.truncate. Switches."""
        if size is None:
            size = self.tell()
        result: int = self._in_turn(self._native.truncate, size)
        return result

    def flush(self) -> None:
        """Like io.RawIOBase.flush. Switches if the file underneath has a buffer."""
        super().flush()
        if not isinstance(self._native, io.FileIO) and not self.closed:
            self._in_turn(self._native.flush)

    def close(self) -> None:
        """Like io.RawIOBase.close."""
        if not self.closed:
            try:
                super().close()
            finally:
                self.interrupt()
                self._close_if_idle()

    def readable(self) -> bool:
        """Return whether the file can be read."""
        answer: bool = self._native.readable()
        return answer

    def writable(self) -> bool:
        """Return whether the file can be written."""
        answer: bool = self._native.writable()
        return answer

    def seekable(self) -> bool:
        """Return whether the file has a position."""
        answer: bool = self._native.seekable()
        return answer

    def fileno(self) -> int:
        """Like io.RawIOBase.fileno."""
        fd: int = self._native.fileno()
        return fd

    def isatty(self) -> bool:
        """Like io.RawIOBase.isatty."""
        answer: bool = self._native.isatty()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_native"], name)  # name, mode, closefd

    def __repr__(self) -> str:
        return f"<ThreadFile {self._native!r}>"
