"""One request and its response: the application runs; if it fails, the client gets what is possible."""

from __future__ import annotations

import logging
import traceback
from time import time

from greenlet import GreenletExit

from hubcore._base import uncompiled as cython
from hubcore._http import files
from hubcore._http.accesslog import combined_line
from hubcore._http.body import Input
from hubcore._http.errors import ClientGone, phrase
from hubcore._http.response import Response, as_bytes
from hubcore._http.text import escape
from hubcore._http.upgrade import HandOver
from hubcore.exceptions import Cancelled
from hubcore.timeout import Timeout

if not cython.compiled:
    from hubcore._http.body import EMPTY

    FINALIZE, ONE_REQUEST, READ_REQUEST, ENVIRON, ONE_RESPONSE = 1, 2, 4, 8, 16
    RUN, PROCESS, WRITE, LOG, FORMAT = 32, 64, 128, 256, 512

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from hubcore._http.rules import Rules

#: The bit of a connection's hooks for each method that the fast path does not call unless a subclass has its own.
BITS = {
    "finalize_headers": FINALIZE,
    "handle_one_request": ONE_REQUEST,
    "read_request": READ_REQUEST,
    "read_requestline": READ_REQUEST,
    "get_environ": ENVIRON,
    "handle_one_response": ONE_RESPONSE,
    "run_application": RUN,
    "process_result": PROCESS,
    "write": WRITE,
    "log_request": LOG,
    "format_request": FORMAT,
}
_AT_ONCE = 65536
_log = logging.getLogger("hubcore.http")


class TookTooLong(Exception):
    """The application took longer than request_timeout."""


class Exchange(Response):
    """A connection that can have an application answer the request that it is at."""

    __slots__ = ("_handover", "application", "time_finish", "time_start", "wsgi_input")

    def __init__(self, sock: Any, address: Any, server: Any, rules: Rules) -> None:
        Response.__init__(self, sock, address, server, rules)
        self.application: Any = rules.application
        self.time_start: float = 0.0
        self.time_finish: float = 0.0
        self.wsgi_input: Any = EMPTY
        self._handover: HandOver | None = None

    def _run_request(self) -> None:
        """Answer the request, and write it to the access log. Switches."""
        rules = self.rules
        environ = self.environ
        body = EMPTY
        if self._chunked or self._upgrade or self.content_length:
            body = Input(self)
        self.wsgi_input = environ["wsgi.input"] = body
        self._handover = environ["hubcore.socket"] = environ["gunicorn.socket"] = HandOver(self)
        if not rules.copies_base:
            self.environ = self.server.environ_class(environ)
        if rules.log is None and not self._hooks:
            self._run_guarded()
            return
        self.time_start = time()
        self.time_finish = 0.0
        if self._hooks & ENVIRON:
            self.environ = self.get_environ()
        try:
            if self._hooks & ONE_RESPONSE:
                self.handle_one_response()
            else:
                self._run_guarded()
        finally:
            self._note_request()

    def get_environ(self) -> dict[str, Any]:
        """The request's environ, which a subclass may change or replace."""
        environ: dict[str, Any] = self.environ
        return environ

    def handle_one_response(self) -> None:
        """Run the application for the request, and see to it that it is answered. Switches."""
        self._run_guarded()

    def _run_guarded(self) -> None:
        try:
            try:
                if self.rules.request_timeout > 0.0:
                    self._run_in_time()
                elif self._hooks & RUN:
                    self.run_application()
                else:
                    self._run()
            finally:
                if self.result is not None:
                    self._close_result()
        except (GreenletExit, Cancelled, KeyboardInterrupt, SystemExit):
            self.close_connection = True
            raise
        except BaseException as error:
            self._failed(error)

    def _run_in_time(self) -> None:
        timeout = Timeout(self.rules.request_timeout)
        timeout.start()
        try:
            self.run_application()
        except Timeout as error:
            if error is not timeout:
                raise
            raise TookTooLong(f"it took longer than {self.rules.request_timeout:g} seconds") from None
        finally:
            timeout.cancel()

    def run_application(self) -> None:
        """Call the application and send what it returns. Switches."""
        self._run()

    def _run(self) -> None:
        self.result = self.application(self.environ, self.start_response)
        if self._hooks & PROCESS:
            self.process_result()
        else:
            self._process()

    def process_result(self) -> None:
        """Send what the application returned. Switches."""
        self._process()

    def _process(self) -> None:
        result = self.result
        if self.connection_upgraded and not self.headers_sent:
            return  # it has spoken for itself, on the socket
        hooked = self._hooks & WRITE
        if (type(result) is list or type(result) is tuple) and not self.headers_sent and not hooked:
            self._send_whole(result)
        elif type(result) is files.FileWrapper and not hooked:
            if self._waits is not None and self._send_file(result):
                return
            self._send_read(result)
        else:
            for item in result:
                if not item:
                    continue
                if hooked:
                    self.write(item)
                else:
                    self._write(item)
                if not self._has_body:
                    break  # the rest of it would go nowhere
        self._end_body()

    def _send_whole(self, result: Any) -> None:
        """Send a response whose body is all there."""
        if len(result) == 1:
            data = result[0]
            if type(data) is not bytes:
                data = as_bytes(data)
            self._send_first(data, len(data))
            return
        parts = [data if type(data) is bytes else as_bytes(data) for data in result]
        total = 0
        for part in parts:
            total += len(part)
        if total <= _AT_ONCE:
            self._send_first(b"".join(parts), total)
            return
        self._send_first(parts[0], total)
        for part in parts[1:]:
            if part:
                self._send_more(part)

    def _send_file(self, wrapper: Any) -> bool:
        """Send the rest of a file through the kernel; False, with nothing sent, where that cannot be."""
        size = files.size_of(wrapper)
        if size < 0 or self.headers_sent or self._status_line is None:
            return False
        if 0 <= self._declared < size:
            size = self._declared
        self._send_first(b"", size if self._declared < 0 else -1)
        if self._has_body and size and not self.response_use_chunked:
            try:
                sent = files.send(self._waits, wrapper, size, self.rules.write_timeout)
            except OSError as error:
                raise self._lost(error) from error
            self.response_length += sent
            if self._left >= 0:
                self._left -= sent
        self._end_body()
        return True

    def _send_read(self, wrapper: Any) -> None:
        """Send what there is to read, as far as a declared length goes."""
        left = self._declared
        while left:
            data = wrapper.filelike.read(wrapper.blksize if left < 0 else min(wrapper.blksize, left))
            if not data:
                break
            self._write(data)
            if left > 0:
                left -= len(data)
            if not self._has_body:
                break

    def _close_result(self) -> None:
        result = self.result
        self.result = None
        kind = type(result)
        if kind is not list and kind is not tuple:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    # What goes wrong.

    def _failed(self, error: BaseException) -> None:
        """The application, or sending what it gave, has failed."""
        self.close_connection = True
        if self._gone:
            if not isinstance(error, OSError):
                self.handle_error(
                    type(error), error, error.__traceback__
                )  # the application's own, which had not noticed
            else:
                _log.debug("%s %s from %s: %s", self.command, self.path, self._remote[0], error)
        elif self.connection_upgraded:
            if not isinstance(error, StopIteration):
                self.handle_error(type(error), error, error.__traceback__)
        elif self._fault is not None and error is self._fault:
            self.rules.refused += 1
            self.log_error("%s %s: %s", self.command, self.path, error)
            self._say(self._fault.status)
        elif isinstance(error, TookTooLong):
            self.log_error("%s %s: %s", self.command, self.path, error)
            self._say(503)
        else:
            self.handle_error(type(error), error, error.__traceback__)
            self._say(500)

    def handle_error(self, t: type[BaseException] | None, v: BaseException | None, tb: TracebackType | None) -> None:
        """Write the traceback of a failed request to the error log, and which request that was."""
        text = "".join(traceback.format_exception(t, v, tb))
        name = "" if t is None else t.__name__
        self._write_error(f"{text}{escape(f'{self.command} {self.path}')} failed with {name}\n")

    def log_error(self, msg: str, *args: object) -> None:
        """Write the line `msg % args` to the server's error log."""
        self._write_error(f"{escape(msg % args if args else msg)}\n")

    def _write_error(self, text: str) -> None:
        log = getattr(self.server, "error_log", None)
        if log is not None:
            log.write(text)

    def _say(self, status: int) -> None:
        """Send a response of the server's own, the last of this connection, unless the application's has begun."""
        self.close_connection = True
        if self.headers_sent or self._gone:
            return
        text = phrase(status)
        body = f"{text}\n".encode("ascii")
        self._no_head()
        self._begin(f"{status} {text}", [("Content-Type", "text/plain; charset=utf-8")])
        try:
            self._send_first(body, len(body))
        except ClientGone:
            pass

    # The access log.

    def _note_request(self) -> None:
        """The request is over: write it to the access log."""
        self.time_finish = time()
        if self.rules.log is not None or self._hooks & LOG:
            self.log_request()

    def log_request(self) -> None:
        """Write the request to the access log. Never switches."""
        log = self.rules.log
        if log is not None:
            log.line(self.format_request()) if self._hooks & FORMAT else log.request(self)

    def format_request(self) -> str:
        """The request's line in the access log."""
        log = self.rules.log
        return str(combined_line(self) if log is None else log.format(self))
