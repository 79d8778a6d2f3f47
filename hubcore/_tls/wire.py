"""The ciphertext side of a TLS connection: it moves ciphertext between OpenSSL's two memory buffers and the socket.

Facts: ciphertext must go out in the order in which OpenSSL made it, and a reader may cause some, too, because TLS
answers some records. Consequence: one greenlet at a time sends, under a lock, until the buffer is empty. A reader never
waits for that lock or for the kernel, because the peer may be unable to receive until its own output is read.
"""

from __future__ import annotations

from ssl import SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE, MemoryBIO, SSLEOFError, SSLWantReadError, SSLWantWriteError

from hubcore._base import uncompiled as cython
from hubcore._sync.locks import Semaphore
from hubcore.hub import get_hub, spawn_raw

if not cython.compiled:
    from hubcore._capi.fallback import recv_ready, send_ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore._io.fd_waits import FdWaits

# Bytes of ciphertext in one read. OpenSSL's buffer keeps the largest size that it ever had, for each connection.
_AT_ONCE = 32768
_HEADER = 5  # bytes of a record's header; the last two are the length of the rest


class Wire:
    """Carries the ciphertext of one connection over the socket of `waits`, or through `outer`: TLS in TLS.

    Times are those of the loop's clock. `end` is when an operation times out, negative while it has not waited yet;
    `late` is the text of its TimeoutError.
    """

    __slots__ = (
        "_asked",
        "_body",
        "_carries",
        "_fd_waits",
        "_head",
        "_incoming",
        "_length",
        "_lock",
        "_more",
        "_native",
        "_outer",
        "_outgoing",
        "_records",
        "_start",
        "_unsent",
    )  # fmt: skip

    def __init__(self, waits: FdWaits, outer: Wire | None) -> None:
        self._fd_waits = waits
        self._outer = outer
        self._carries: bool = False  # whether it carries an inner connection, which then sends for this one
        if self._outer is not None:
            self._outer._fd_waits = waits
            self._outer._carries = True
        self._incoming = MemoryBIO()
        self._outgoing = MemoryBIO()
        self._native: Any = None
        self._lock = Semaphore()
        self._unsent: bytes | None = None  # ciphertext that the kernel has not accepted yet, from _start on
        self._start = 0
        self._head = 0  # how many bytes of the current record's header have arrived
        self._length = 0  # the first byte of its length
        self._body = 0  # how many bytes of the record are still to come, once its header is complete
        self._records = 0  # an upper bound of the records in OpenSSL's incoming buffer, incomplete ones included
        self._asked = False  # whether a reader had ciphertext to send while another greenlet held the lock
        self._more = True  # whether OpenSSL may return data without more input

    # In.

    def _fill(self, end: float, late: str, ahead: bool) -> float:
        """Give OpenSSL input from the peer, or its end. Switches until there is some.

        Without `ahead`, or with a timeout of 0, it reads at most to the end of a record, as OpenSSL itself does: the
        rest may not be TLS any more, and a program that does not wait here waits for the file descriptor.
        """
        waits = self._fd_waits
        data: bytes | None
        ahead = ahead and waits.timeout != 0.0
        size = _AT_ONCE if ahead else self._to_come()
        if self._outer is not None:
            if end < 0.0 < waits.timeout:
                end = get_hub().loop.update_now() + waits.timeout
            self._take_in(self._outer._decrypted(end, late, size))
            return end
        if waits.short_read:
            waits.short_read = False
            if waits.timeout != 0.0:
                end = self._wait(False, end, late)
        data = recv_ready(waits, size)
        while data is None:
            if waits.timeout == 0.0:
                raise SSLWantReadError(SSL_ERROR_WANT_READ, "The operation did not complete (read)")
            end = self._wait(False, end, late)
            data = recv_ready(waits, size)
        if 0 < len(data) < size:
            waits.short_read = True
        self._take_in(data)
        if not ahead and self._body > 0 and self._head == 0 and data and not waits.short_read:
            data = recv_ready(waits, self._body)
            if data is not None:
                self._take_in(data)
        return end

    def _to_come(self) -> int:
        """Return how many bytes of the current record, or of its header, have not arrived yet."""
        return self._body if self._body > 0 else _HEADER - self._head

    def _take_in(self, data: bytes) -> None:
        if not data:
            self._incoming.write_eof()
            return
        self._incoming.write(data)
        size = len(data)
        at = 0
        while at < size:
            if self._head == 0 and self._body > 0:
                skipped = min(self._body, size - at)
                self._body -= skipped
                at += skipped
                continue
            self._head += 1
            if self._head == _HEADER - 1:
                self._length = data[at]
            elif self._head == _HEADER:
                self._body = self._length << 8 | data[at]
                self._head = 0
                self._records += 1
            at += 1

    def _read(self, size: int, buffer: Any, end: float, late: str) -> Any:
        raise NotImplementedError

    def _decrypted(self, end: float, late: str, size: int) -> bytes:
        """Return up to `size` bytes of ciphertext for the inner connection, none at the end. Switches."""
        try:
            data: bytes = self._read(size, None, end, late)
        except SSLEOFError:
            return b""
        return data

    # Out.

    def _push(self) -> bool:
        """Send what the kernel accepts without a wait. Return whether that was all. The caller holds the lock."""
        while True:
            if self._unsent is None:
                if not self._outgoing.pending:
                    return self._outer is None or self._outer._push()
                self._unsent = self._outgoing.read()
                self._start = 0
            if not self._push_unsent():
                return False

    def _push_unsent(self) -> bool:
        if self._outer is not None:
            if not self._outer._push():
                return False
            self._outer._native.write(self._unsent)
        else:
            assert self._unsent is not None
            self._start += send_ready(self._fd_waits, self._unsent, self._start)
            if self._start < len(self._unsent):
                return False
        self._unsent = None
        return True

    def _drain(self, end: float, late: str) -> float:
        """Send all pending ciphertext. The caller holds the lock. Switches when the kernel accepts no more."""
        while not self._push():
            if self._fd_waits.timeout == 0.0:
                raise SSLWantWriteError(SSL_ERROR_WANT_WRITE, "The operation did not complete (write)")
            end = self._wait(True, end, late)
        return end

    def _flush(self, end: float, late: str) -> float:
        """Send all pending ciphertext, after the greenlet that is sending now, if there is one. May switch."""
        if self._unsent is None and not self._outgoing.pending:
            return end
        end = self._acquire(end, late)
        try:
            return self._drain(end, late)
        finally:
            self._release()

    def _acquire(self, end: float, late: str) -> float:
        """Take the lock. Switches while another greenlet sends."""
        if self._lock._take():
            return end
        timeout = self._fd_waits.timeout
        if timeout == 0.0:
            raise SSLWantWriteError(SSL_ERROR_WANT_WRITE, "The operation did not complete (write)")
        if timeout < 0.0:
            self._lock.acquire()
            return end
        now = get_hub().loop.update_now()
        if end < 0.0:
            end = now + timeout
        if not self._lock.acquire(True, max(end - now, 0.0)):
            raise TimeoutError(late)
        return end

    def _release(self) -> None:
        """Release the lock, then send the ciphertext that a reader left to its holder. Never switches."""
        self._lock.release()
        if self._asked:
            self._asked = False
            self._answer()

    def _answer(self) -> None:
        """Send OpenSSL's answers to its input, without a wait; if the kernel accepts no more, in a raw greenlet.

        Never switches and never raises: if the connection is broken, the next read or write raises the error.
        """
        while self._unsent is not None or self._outgoing.pending:
            if not self._lock._take():
                self._asked = True
                return
            try:
                done = self._push()
            except OSError:
                return
            finally:
                self._lock.release()
            if not done:
                if self._fd_waits.timeout != 0.0 and not self._carries:
                    spawn_raw(self._answer_patiently)
                return

    def _answer_patiently(self) -> None:
        try:
            self._flush(-1.0, "")
        except OSError:
            pass

    # Waiting.

    def _wait(self, to_write: bool, end: float, late: str) -> float:
        """Wait until the socket is readable, or writable. Return `end`; the first wait sets it. Switches."""
        waits = self._fd_waits
        timeout = waits.timeout
        if timeout > 0.0:
            now = get_hub().loop.update_now()
            if end < 0.0:
                end = now + timeout
            timeout = end - now
            if timeout <= 0.0:
                raise TimeoutError(late)
        try:
            if to_write:
                waits.wait_write(timeout)
            else:
                waits.wait_read(timeout)
        except TimeoutError as error:
            if error.args != ("timed out",):
                raise  # not this wait's: a Timeout or a kill raised it
        else:
            return end
        raise TimeoutError(late)
