"""One TLS connection: OpenSSL between two memory buffers, and a Wire that carries the ciphertext.

An SSLSocket holds a Tls in `_sslobj`, in place of the standard library's own object, and a Tls has that object's
methods. The methods that wait are here; the others are OpenSSL's.
"""

from __future__ import annotations

from ssl import SSLError, SSLWantReadError, SSLWantWriteError

from hubcore._tls.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore._io.fd_waits import FdWaits

_RECORD = 16384  # the most bytes of plaintext in one record
_BATCH = 4 * _RECORD  # bytes of plaintext that are encrypted together and sent by one system call

_LATE_READ = "The read operation timed out"
_LATE_WRITE = "The write operation timed out"
_LATE_HANDSHAKE = "The handshake operation timed out"


class Tls(Wire):
    """The TLS of one socket: `read`, `write`, `do_handshake`, `shutdown`, with the timeout of the socket's `waits`.

    One greenlet may read while others write; each write goes out in one piece. `early` is ciphertext that has already
    arrived.
    """

    __slots__ = ("_ahead", "_ended", "_failed", "_tried", "_untouched")

    def __init__(self, waits: FdWaits, outer: Wire | None, early: bytes) -> None:
        Wire.__init__(self, waits, outer)
        self._ahead: bytes | None = None  # plaintext that pending() has decrypted
        self._ended: bool = False  # whether pending() has found the end, or an error
        self._failed: bool = False  # whether a handshake or a shutdown has failed
        self._tried: bytes | None = None  # the data that a timed-out write had already encrypted
        self._untouched = True  # whether nothing was ever read
        if early:
            self._take_in(early)

    def start(
        self, context: Any, owner: object, server_side: bool, server_hostname: str | None, session: object
    ) -> None:
        """Create OpenSSL's object. The context's callbacks get `owner`."""
        # The private form of SSLContext.wrap_bio: the public one has no `owner`.
        self._native = context._wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_side,
            server_hostname=server_hostname,
            owner=owner,
            session=session,
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    @property
    def context(self) -> Any:
        """The SSLContext in use. An SNI callback may set another one."""
        return self._native.context

    @context.setter
    def context(self, context: Any) -> None:
        self._native.context = context

    @property
    def session(self) -> Any:
        """The SSLSession. A client sets one to resume it."""
        return self._native.session

    @session.setter
    def session(self, session: Any) -> None:
        self._native.session = session

    # Reading.

    def read(self, size: int = 1024, buffer: Any = None) -> Any:
        """Return up to `size` bytes or, with `buffer`, fill it and return their number; none at the end.

        Switches until data arrives.
        """
        if self._fd_waits.timeout != 0.0 and not self._fd_waits.short_read:
            self._fd_waits._spend()
        return self._read(size, buffer, -1.0, _LATE_READ)

    def _read(self, size: int, buffer: Any, end: float, late: str) -> Any:
        self._untouched = False
        if not self._more and self._ahead is None and size > 0:
            if self._records > 0 and not self._incoming.pending:
                self._records = 0
            if self._records == 0:
                end = self._fill(end, late, True)
        while True:
            if self._ahead is not None:
                return self._from_ahead(size, buffer)
            try:
                found = self._native.read(size) if buffer is None else self._native.read(size, buffer)
            except SSLWantReadError:
                pass
            except BaseException:
                self._more = True
                self._answer()
                raise
            else:
                count = len(found) if buffer is None else found
                # OpenSSL returned less than `size`: it reached the end of a record, and no complete record follows.
                self._more = count == 0 or count >= size
                if self._records == 1 and self._body == 0 and self._head == 0 and not self._more:
                    # It was the only record, so the incoming buffer is empty; a record of data needs no answer. Asking
                    # OpenSSL's buffers would cost more than everything else here.
                    self._records = 0
                elif self._outgoing.pending:
                    self._answer()
                return found
            if self._outgoing.pending:
                self._answer()
            end = self._fill(end, late, True)

    def pending(self) -> int:
        """Return how many bytes a read can return at once. Decrypts a record that has arrived. Never switches."""
        if self._ahead is not None:
            return len(self._ahead)
        count: int = self._native.pending()
        if not count and self._incoming.pending:
            try:
                self._ahead = self._native.read(_RECORD) or None
                self._ended = self._ahead is None
            except SSLWantReadError:
                pass  # only a part of a record has arrived
            except SSLError:
                self._ended = True  # the next read raises it, too
            self._more = True
            self._answer()
            return len(self._ahead) if self._ahead is not None else 0
        return count

    def readable(self) -> bool:
        """Return whether a read would return, or raise, without more input from the socket. Never switches."""
        if self._native.version() is None:  # a read would continue the handshake
            return self._incoming.pending > 0
        return self.pending() > 0 or self._ended

    def _from_ahead(self, size: int, buffer: Any) -> Any:
        ahead = self._ahead
        assert ahead is not None
        if buffer is None:
            if size < 0:
                raise ValueError("size should not be negative")
            self._ahead = ahead[size:] or None
            return ahead[:size]
        with memoryview(buffer) as view, view.cast("B") as octets:
            count = min(size, len(octets)) if size > 0 else len(octets)
            found = ahead[:count]
            octets[: len(found)] = found
        self._ahead = ahead[count:] or None
        return len(found)

    def take_back(self, data: bytes) -> None:
        """Take `data`, the rest that an inner connection did not read, back as the next data to read."""
        self._carries = False
        if data:
            self._ahead = data + (self._ahead or b"")

    # Writing.

    def write(self, data: Any) -> int:
        """Encrypt and send `data`. Return how much was sent: all, unless the timeout is 0. May switch.

        After a TimeoutError or SSLWantWriteError call it again with the same data, as with OpenSSL: the encrypted part
        is not sent twice. The caller may also abandon the write: then the encrypted part arrives, and other data after
        it.
        """
        if self._fd_waits.timeout != 0.0:
            self._fd_waits._spend()
        end = self._acquire(-1.0, _LATE_WRITE)
        try:
            if self._unsent is not None:
                end = self._drain(end, _LATE_WRITE)
            if type(data) is bytes and len(data) <= _BATCH and self._tried is None and self._fd_waits.timeout != 0.0:
                count = len(data)
                end = self._encrypt(data, end)
                try:
                    if count == 0 or self._outer is not None or not self._push_encrypted():
                        self._drain(end, _LATE_WRITE)
                except TimeoutError:
                    self._tried = data
                    raise
            else:
                with memoryview(data) as view:
                    if not view.c_contiguous:
                        raise BufferError("memoryview: underlying buffer is not C-contiguous")
                    with view.cast("B") as octets:
                        count = self._write_in_parts(octets, end)
        finally:
            self._release()
        return count

    def _push_encrypted(self) -> bool:
        """Like `_push`, when there is ciphertext to send; no other greenlet adds more, because this never switches."""
        self._unsent = self._outgoing.read()
        self._start = 0
        return self._push_unsent()

    def _write_in_parts(self, octets: Any, end: float) -> int:
        size = len(octets)
        sent = 0
        if self._tried is not None:
            if octets[: len(self._tried)] == self._tried:
                sent = len(self._tried)
            self._tried = None
        while sent < size or size == 0:
            batch = _RECORD if self._fd_waits.timeout == 0.0 else _BATCH
            count = min(size - sent, batch)
            with octets[sent : sent + count] as part:
                end = self._encrypt(part, end)
            try:
                end = self._drain(end, _LATE_WRITE)
            except TimeoutError:
                self._tried = bytes(octets[: sent + count])
                raise
            except SSLWantWriteError:
                self._tried = bytes(octets[sent : sent + count])
                if sent:
                    return sent
                raise
            sent += count
            if size == 0:
                break
        return sent

    def _encrypt(self, data: Any, end: float) -> float:
        """Let OpenSSL encrypt `data`, after a handshake if there was none. Switches only for the handshake."""
        while True:
            try:
                self._native.write(data)
            except SSLWantReadError:
                pass
            except BaseException:
                self._more = True
                raise
            else:
                return end
            end = self._drain(end, _LATE_WRITE)
            end = self._fill(end, _LATE_WRITE, False)

    # Handshake and shutdown.

    def do_handshake(self) -> None:
        """Do the TLS handshake with the peer. Switches."""
        end = self._exchange(self._native.do_handshake, _LATE_HANDSHAKE)
        if self._native.server_side and self._native.version() == "TLSv1.3":
            self._send_tickets(end)
        else:
            self._flush(end, _LATE_HANDSHAKE)

    def shutdown(self) -> bytes:
        """Send the close alert and wait for the peer's. Switches.

        Return the data that arrived after the peer's alert, which is no longer TLS.
        """
        end = self._exchange(self._native.shutdown, _LATE_READ)
        self._flush(end, _LATE_WRITE)
        rest: bytes = self._incoming.read()
        return rest

    def _exchange(self, step: Any, late: str) -> float:
        """Repeat `step` until it needs no more input from the peer. Its last output is not sent. Switches."""
        end = -1.0
        while True:
            try:
                step()
            except SSLWantReadError:
                pass
            except BaseException:
                self._failed = True
                self._answer()  # the alert with the reason
                raise
            else:
                return end
            end = self._flush(end, late)
            end = self._fill(end, late, False)

    def leaves_unread(self) -> bool:
        """Return whether the peer may have sent data that no read will take, so that `close` must read it first.

        That is a server's session tickets, or the rest of the input after a failed handshake, whose alert must arrive.
        """
        native = self._native
        if self._failed and self._outer is None:
            return True
        return self._untouched and self._outer is None and not native.server_side and native.version() == "TLSv1.3"

    def _send_tickets(self, end: float) -> None:
        """Send the session tickets that end a handshake. Switches.

        The client may have closed the connection by then. As in OpenSSL that is no error. The first ticket goes out by
        itself, so that the send of the second, and not the first read, gets the error of a closed connection.
        """
        if self._unsent is None and not self._outgoing.pending:
            return
        end = self._acquire(end, _LATE_HANDSHAKE)
        try:
            if self._unsent is None:
                head = self._outgoing.read(5)
                self._unsent = head + self._outgoing.read(int.from_bytes(head[3:], "big"))
                self._start = 0
                self._push_unsent()
            self._drain(end, _LATE_HANDSHAKE)
        except (BrokenPipeError, ConnectionResetError):
            self._unsent = None
            self._outgoing.read()
        finally:
            self._release()
