"""One TLS connection: OpenSSL between two memory buffers, and a Wire that carries what it makes of them.

A Tls is what an SSLSocket has in `_sslobj`, in place of the standard library's own object, whose methods it has: those
that wait are here, the others are OpenSSL's.
"""

from __future__ import annotations

from ssl import SSLError, SSLWantReadError, SSLWantWriteError

from hubcore._tlswire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore._sockwait import FdWaits

_RECORD = 16384  # the most plaintext that one record holds
_BATCH = 4 * _RECORD  # of plaintext, encrypted at once and sent by one system call

_LATE_READ = "The read operation timed out"
_LATE_WRITE = "The write operation timed out"
_LATE_HANDSHAKE = "The handshake operation timed out"


class Tls(Wire):
    """The TLS of one socket: `read`, `write`, `do_handshake`, `shutdown`, with the timeout of the socket's `waits`.

    One greenlet may read while others write, each write in one piece. `early` is ciphertext that has come in already.
    """

    __slots__ = ("_ahead", "_ended", "_failed", "_tried", "_untouched")

    def __init__(self, waits: FdWaits, outer: Wire | None, early: bytes) -> None:
        Wire.__init__(self, waits, outer)
        self._ahead: bytes | None = None  # what pending() has found
        self._ended: bool = False  # as pending() has found
        self._failed: bool = False  # a handshake has, or a shutdown
        self._tried: bytes | None = None  # what a write has encrypted that could not be sent in time
        self._untouched = True  # nothing was ever read
        if early:
            self._take_in(early)

    def start(
        self, context: Any, owner: object, server_side: bool, server_hostname: str | None, session: object
    ) -> None:
        """Make OpenSSL's object; `owner` is what the context's callbacks get."""
        # SSLContext.wrap_bio by its private name, because that one has no `owner`.
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
        """The SSLContext in use. An SNI callback may set another."""
        return self._native.context

    @context.setter
    def context(self, context: Any) -> None:
        self._native.context = context

    @property
    def session(self) -> Any:
        """The SSLSession; a client sets one that it wants to go on with."""
        return self._native.session

    @session.setter
    def session(self, session: Any) -> None:
        self._native.session = session

    # Reading.

    def read(self, size: int = 1024, buffer: Any = None) -> Any:
        """Up to `size` bytes, or how many of them were put into `buffer`; none at the end. Switches until any come."""
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
                # Less than asked for: that was the end of a record, and another is not there without more ciphertext.
                self._more = count == 0 or count >= size
                if self._records == 1 and self._body == 0 and self._head == 0 and not self._more:
                    # And where it was the only one, the buffer is empty, and being data it needed no answer. To ask
                    # OpenSSL's buffers costs more than all else that is done here.
                    self._records = 0
                elif self._outgoing.pending:
                    self._answer()
                return found
            if self._outgoing.pending:
                self._answer()
            end = self._fill(end, late, True)

    def pending(self) -> int:
        """How many bytes can be read at once, those of records among them that have come in but are not decrypted."""
        if self._ahead is not None:
            return len(self._ahead)
        count: int = self._native.pending()
        if not count and self._incoming.pending:
            try:
                self._ahead = self._native.read(_RECORD) or None
                self._ended = self._ahead is None
            except SSLWantReadError:
                pass  # there is only a part of a record
            except SSLError:
                self._ended = True  # the next read raises it as well
            self._more = True
            self._answer()
            return len(self._ahead) if self._ahead is not None else 0
        return count

    def readable(self) -> bool:
        """Whether a read would succeed, fail, or say that this was all, without more from the socket."""
        if self._native.version() is None:  # to read would be to go on with the handshake
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
        """A connection within this one has ended, and did not need `data`, which comes next."""
        self._carries = False
        if data:
            self._ahead = data + (self._ahead or b"")

    # Writing.

    def write(self, data: Any) -> int:
        """Encrypt and send `data`; how much of it: all, where the socket has not a timeout of 0. Switches to wait.

        After a TimeoutError or SSLWantWriteError call it again with the same data, as with OpenSSL; what was encrypted
        is not sent twice. It may also be given up: then what was encrypted arrives, and other data after it.
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
        """As `_push`, knowing that there is something, and nobody else who has more while this does not switch."""
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
        """Have OpenSSL write `data`, after a handshake if there has been none."""
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

    # The beginning and the end.

    def do_handshake(self) -> None:
        """Agree with the peer on keys, and on who it is. Switches."""
        end = self._exchange(self._native.do_handshake, _LATE_HANDSHAKE)
        if self._native.server_side and self._native.version() == "TLSv1.3":
            self._send_tickets(end)
        else:
            self._flush(end, _LATE_HANDSHAKE)

    def shutdown(self) -> bytes:
        """Tell the peer that this was all and wait until it says so too. Switches.

        Returns what had come in with it already, which is no longer TLS.
        """
        end = self._exchange(self._native.shutdown, _LATE_READ)
        self._flush(end, _LATE_WRITE)
        rest: bytes = self._incoming.read()
        return rest

    def _exchange(self, step: Any, late: str) -> float:
        """Take `step` until it is done with what the peer says. What it wrote last is not sent."""
        end = -1.0
        while True:
            try:
                step()
            except SSLWantReadError:
                pass
            except BaseException:
                self._failed = True
                self._answer()  # the alert that says why
                raise
            else:
                return end
            end = self._flush(end, late)
            end = self._fill(end, late, False)

    def leaves_unread(self) -> bool:
        """Whether the peer has sent what nobody has read, nor will, so that closing has to care.

        That is a server's tickets; or the rest of what came when a handshake failed, whose alert has to arrive.
        """
        native = self._native
        if self._failed and self._outer is None:
            return True
        return self._untouched and self._outer is None and not native.server_side and native.version() == "TLSv1.3"

    def _send_tickets(self, end: float) -> None:
        """Send what a handshake ends with: tickets for the client to go on with another time.

        It may have gone by then and does not miss them: as in OpenSSL that is no error. The first goes by itself, so
        that the second shows it, and not the first read.
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
