"""An interactive console on a connection, with the standard streams of its own greenlets."""

from __future__ import annotations

import code
import re
import sys
import traceback
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    from hubcore.socket import socket

_TELNET_COMMAND = re.compile(rb"\xff[\xfb-\xfe].|\xff[^\xff]", re.DOTALL)
_current: ContextVar[Console | None] = ContextVar("hubcore backdoor", default=None)
_open: set[Console] = set()
_PROMPTS = {"ps1": ">>> ", "ps2": "... "}
_lent: list[str] = []  # those of the prompts that sys has only while a console is open
_replaced: dict[str, Any] = {}  # the process's own streams and display hook, while a console is open


class _Stream:
    """sys.stdin, stdout or stderr while a console is open: the console in its greenlets, the original elsewhere."""

    def __init__(self, name: str, original: Any) -> None:
        self._name = name
        self._original = original

    def _target(self) -> Any:
        console = _current.get()
        return console.file if console is not None and not console.closed else self._original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target(), name)

    def __iter__(self) -> Any:
        return iter(self._target())

    def __repr__(self) -> str:
        return f"<{self._name} of each backdoor connection, else {self._original!r}>"


class _File:
    """The connection as a text stream."""

    encoding = "utf-8"
    errors = "replace"
    newlines = None

    def __init__(self, sock: socket) -> None:
        self._sock = sock
        self._lines = sock.makefile("rb")

    def readline(self, size: int = -1) -> str:
        """Return the next line with its newline, or "" at the end. Switches."""
        line = _TELNET_COMMAND.sub(b"", self._lines.readline(size)).replace(b"\r\n", b"\n").replace(b"\r\0", b"\n")
        return "" if line in (b"\x04", b"\x04\n") else line.decode(self.encoding, self.errors)

    def write(self, text: str) -> int:
        """Send `text` and return its length. Switches when the peer does not read."""
        self._sock.sendall(text.encode(self.encoding, self.errors))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Send all `lines`. Switches when the peer does not read."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Do nothing: the stream has no buffer."""

    def isatty(self) -> bool:
        """Return False, so that no code asks the terminal for its size or starts a pager."""
        return False

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the connection's fd."""
        return self._sock.fileno()

    def close(self) -> None:
        """Stop reading; the connection stays open."""
        self._lines.close()

    def __iter__(self) -> Any:
        return iter(self.readline, "")


class Console(code.InteractiveConsole):
    """A Python prompt on `sock` for the calling greenlet and those it spawns, with the variables `namespace`.

    Their output goes to `sock`. SystemExit, the end of the connection and a kill each end the prompt.
    """

    def __init__(self, sock: socket, namespace: dict[str, Any]) -> None:
        super().__init__({**namespace, "quit": _Quit(), "exit": _Quit()}, "<backdoor>")
        self.file = _File(sock)
        self.closed = False

    def run(self, banner: str) -> None:
        """Read and execute input until it ends. Switches. OSError if the peer disconnects."""
        _begin(self)
        mine = _current.set(self)
        try:
            self.interact(banner, "")
        except SystemExit:
            pass
        finally:
            self.closed = True
            _current.reset(mine)
            _end(self)
            self.file.close()

    def raw_input(self, prompt: str = "") -> str:
        """Return the next line without its newline; EOFError at the end. Switches."""
        self.write(prompt)
        line = self.file.readline()
        if not line:
            raise EOFError
        return line.removesuffix("\n")

    def write(self, data: str) -> None:
        """Send `data`. Switches when the peer does not read."""
        self.file.write(data)

    def runcode(self, code: CodeType) -> None:
        """Execute `code`. Show errors only; other exceptions, such as a kill, propagate."""
        try:
            exec(code, self.locals)
        except (Exception, KeyboardInterrupt):
            if self.closed:
                raise
            self.showtraceback()

    def showtraceback(self) -> None:
        """Show the error that is being handled, without sys.excepthook."""
        kind, value, where = sys.exc_info()
        try:
            self.write("".join(traceback.format_exception(kind, value, where and where.tb_next)))
        finally:
            del where

    def showsyntaxerror(self, filename: str | None = None, **more: Any) -> None:
        """Show the error that is being handled."""
        kind, value, _ = sys.exc_info()
        self.write("".join(traceback.format_exception_only(kind, value)))

    def display(self, value: object) -> None:
        """Show the value of an expression, and remember it as `_`."""
        if value is not None:
            self.write(f"{value!r}\n")
            self.locals["_"] = value


class _Quit:
    def __call__(self, code: object = None) -> None:
        raise SystemExit(code)

    def __repr__(self) -> str:
        return "quit() or Ctrl-D ends this connection, not the process"


def _display(value: object) -> None:
    console = _current.get()
    if console is not None and not console.closed:
        console.display(value)
    else:
        _replaced.get("displayhook", sys.__displayhook__)(value)


def _begin(console: Console) -> None:
    if not _open:
        for name in ("stdin", "stdout", "stderr"):
            _replaced[name] = getattr(sys, name)
            setattr(sys, name, _Stream(name, _replaced[name]))
        _replaced["displayhook"] = sys.displayhook
        sys.displayhook = _display
        # `interact` would set them, and from CPython 3.14 on delete them at its end, though other consoles go on.
        for name, text in _PROMPTS.items():
            if not hasattr(sys, name):
                setattr(sys, name, text)
                _lent.append(name)
    _open.add(console)


def _end(console: Console) -> None:
    _open.discard(console)
    if _open:
        return
    for name in ("stdin", "stdout", "stderr"):
        original = _replaced.pop(name)
        if isinstance(getattr(sys, name), _Stream):  # else other code has replaced it since, and its stream stays
            setattr(sys, name, original)
    hook = _replaced.pop("displayhook")
    if sys.displayhook is _display:
        sys.displayhook = hook
    for name in _lent:
        if hasattr(sys, name):
            delattr(sys, name)
    _lent.clear()
