"""What a simulated program prints and logs: kept, line by line, with host and time."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._driver import Driver

_MOST = 1_000_000  # characters that are kept


class Recorder(io.TextIOBase):
    """What stands for sys.stdout, or sys.stderr, in a run; `text` is all that was written, but for what is too much."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, world: Driver, name: str) -> None:
        self._world = world
        self._rest: dict[str, str] = {}  # by host: a line without its end
        self.text: list[str] = []
        self._size = 0
        self.name = name

    def write(self, text: str) -> int:
        """As a file."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._size < _MOST:
            self.text.append(text)
            self._size += len(text)
        process = self._world.current
        host = "" if process is None else process.host.name
        lines = (self._rest.pop(host, "") + text).split("\n")
        if lines[-1]:
            self._rest[host] = lines[-1]
        for line in lines[:-1]:
            self._world.log.show(self._world.now, host, "print", line)
        return len(text)

    def writable(self) -> bool:
        """As a file."""
        return True

    def isatty(self) -> bool:
        """As a file."""
        return False

    def fileno(self) -> int:
        """As a file that has none."""
        raise io.UnsupportedOperation("fileno")


class Output:
    """While it is entered, what is printed goes into the world's log, and what is logged as well."""

    def __init__(self, world: Driver) -> None:
        self.recorder = Recorder(world, "<simulated>")
        self._before: Any = None
        self._handlers: list[logging.Handler] = []

    def __enter__(self) -> Output:
        self._before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = self.recorder
        root = logging.getLogger()
        self._handlers = root.handlers[:]
        # pytest's keep records in this process, for which nobody will ask.
        root.handlers[:] = [each for each in self._handlers if not type(each).__module__.startswith("_pytest")]
        return self

    def __exit__(self, *failure: object) -> None:
        sys.stdout, sys.stderr = self._before
        logging.getLogger().handlers[:] = self._handlers

    @property
    def text(self) -> str:
        """All that was printed."""
        return "".join(self.recorder.text)
