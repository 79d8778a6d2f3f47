"""Where logs go: streams, loggers and files, without a system call for each line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from hubcore._base.originals import close_fd
from hubcore._http.accesslog import fields, formatter
from hubcore.hub import get_hub

TYPE_CHECKING = False
if TYPE_CHECKING:

    class Writable(Protocol):
        """What takes text."""

        def write(self, text: str, /) -> object: ...


_FLUSH_AFTER = 1.0  # seconds that a line may stay in the buffer of a stream


class LoggingLogAdapter:
    """A logger as a stream: what is written to it is logged at `level`, a line at a time."""

    def __init__(self, logger: Any, level: int = 20) -> None:
        self._logger = logger
        self._level = level

    def write(self, msg: str) -> None:
        """Log `msg`."""
        self._logger.log(self._level, "%s", msg.rstrip("\n"))

    def writelines(self, lines: Iterable[str]) -> None:
        """Log each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing: handlers do that."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logger, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._logger!r} level {self._level}>"


class LogFile:
    """A file at `path` that lines are appended to, by as many processes as like; "-" is standard output.

    `reopen` has later lines go to a new file of that name, which is what rotating logs needs. A line that cannot be
    written, as when the disk is full, is dropped: `dropped` counts those, and the first one is reported on stderr.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.dropped = 0
        self._fd = 1 if path == "-" else self._open()

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def write(self, text: str) -> None:
        """Append `text`, in one system call where the file takes it."""
        data = text.encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            if not self.dropped:
                _complain(f"hubcore: cannot write to the log {self.path}: {error.strerror}; lines are dropped")
            self.dropped += data.count(b"\n")

    def flush(self) -> None:
        """Nothing: there is no buffer."""

    def reopen(self) -> None:
        """Open the file of that name anew. The old one stays in use where that fails."""
        if self._fd == 1:
            return
        try:
            new = self._open()
        except OSError as error:
            _complain(f"hubcore: cannot open the log {self.path}: {error.strerror}; the old one is kept")
            return
        close_fd(self._fd)
        self._fd = new

    def close(self) -> None:
        """Close the file."""
        if self._fd > 2:
            close_fd(self._fd)
            self._fd = -1


def _complain(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):
        pass  # there is nowhere left to say it


class AccessLog:
    """Formats finished requests and writes them to `stream`: all lines of a turn of the hub at once.

    A logger in place of a stream gets a record for each, with the fields as `extra`.
    """

    def __init__(self, stream: Any, log_format: str | Callable[[Any], str] = "combined") -> None:
        self.stream = stream
        self.format = formatter(log_format)
        self._lines: list[str] = []
        self._unflushed = False
        self._timer: Any = None
        self._logger = stream._logger if isinstance(stream, LoggingLogAdapter) else None

    def request(self, request: Any) -> None:
        """Write the line of a finished request. Never switches."""
        text = self.format(request)
        if self._logger is not None:
            self._logger.log(self.stream._level, "%s", text, extra=_extra(request))
        else:
            self.line(text)

    def line(self, text: str) -> None:
        """Write a line. Never switches."""
        lines = self._lines
        lines.append(text)
        if len(lines) == 1:
            get_hub().loop.run_callback(self._write_lines)

    def _write_lines(self) -> None:
        lines = self._lines
        if not lines:
            return
        self._lines = []
        lines.append("")
        self._write("\n".join(lines))
        if not self._unflushed and hasattr(self.stream, "flush"):
            self._unflushed = True
            timer = self._timer = get_hub().loop.timer(_FLUSH_AFTER, ref=False)
            timer.start(self._flush_stream)

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
        except (OSError, ValueError) as error:  # a full disk, a closed file
            _complain(f"hubcore: cannot write to the access log: {error}")

    def _flush_stream(self) -> None:
        self._unflushed = False
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.close()
        try:
            self.stream.flush()
        except (OSError, ValueError):
            pass

    def flush(self) -> None:
        """Write what has not been written. Never switches."""
        self._write_lines()
        if self._unflushed:
            self._flush_stream()


def _extra(request: Any) -> dict[str, Any]:
    # A record has attributes of its own by some of these names.
    return {f"http_{name}": value for name, value in fields(request).items()}


def as_stream(log: Any, level: int) -> Any:
    """What a server writes to for the argument `log`: None, "default" (stderr), a logger, or a stream.

    TypeError where it is none of those.
    """
    if log is None:
        return None
    if isinstance(log, str):
        if log != "default":
            raise ValueError(f"a log is 'default', None, a logger, or what has a write method; not {log!r}")
        return Stderr()
    if hasattr(log, "log") and not hasattr(log, "write"):
        return LoggingLogAdapter(log, level)
    if not hasattr(log, "write"):
        raise TypeError(f"a log is 'default', None, a logger, or what has a write method; not {log!r}")
    return log


class Stderr:
    """sys.stderr, as it is when something is written."""

    def write(self, text: str) -> None:
        """Write `text`, if there is a stderr."""
        if sys.stderr is not None:
            sys.stderr.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush it."""
        if sys.stderr is not None:
            sys.stderr.flush()
