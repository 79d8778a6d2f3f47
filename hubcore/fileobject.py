"""Cooperative files: like the io module's, but a read or a write lets other greenlets run.

    FileObjectPosix    waits for the fd: pipes, terminals, FIFOs. On a regular file it behaves like the io module.
    FileObjectThread   runs each operation on the underlying file in a worker thread: for regular files
    FileObjectBlock    the io module's file, which blocks the thread

`FileObject` is one of the three. `hubcore.config.fileobject` or the environment variable HUBCORE_FILE ("posix",
"thread", "block"; a class, or "package.module:Class") selects it when this module is imported; the default is the
first.
"""

from __future__ import annotations

import io
import os
import sys
from errno import EBADF
from functools import partial

from hubcore import config
from hubcore._base.hints import Any, Iterator, Self
from hubcore._io.posix_file import PosixFile
from hubcore._io.threaded_file import ThreadCall, ThreadFile
from hubcore.lock import RLock

_LARGEST_BUFFER = 8 * 1024 * 1024  # CPython's limit for buffers that follow the block size of a file

_WRITING = frozenset({"write", "writelines", "flush", "truncate"})
_IN_TURN = _WRITING | {
    "read",
    "read1",
    "readall",
    "readinto",
    "readinto1",
    "readline",
    "readlines",
    "peek",
    "seek",
    "tell",
}


class FileObjectClosed(OSError, ValueError):
    """The file was closed. A ValueError as in the io module, and an OSError (EBADF) as in gevent."""

    def __init__(self) -> None:
        super().__init__(EBADF, "I/O operation on closed file")


class _Default:
    """The default of a parameter, which differs from the same value given."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return repr(self.value)


_BUFFERING: Any = _Default(-1)
_CLOSEFD: Any = _Default(True)


def _given(name: str, value: Any, other_name: str, other: Any) -> Any:
    """Return the value of a parameter that has two names. TypeError if both were given."""
    if not isinstance(value, _Default) and not isinstance(other, _Default):
        raise TypeError(f"{name} and {other_name} are two names of one argument; give {name} only")
    given = other if isinstance(value, _Default) else value
    return given.value if isinstance(given, _Default) else given


class _FileObject:
    """A file: a raw file of the subclass's kind, under the io module's own buffer and text layers.

    `fobj` is a path, an fd or an open file. The other arguments are those of `open`; with `closefd` False, closing
    this object leaves the fd, or the open file, open. Greenlets may share a file: each operation, also a long `write`,
    finishes before the next begins, so operations never interleave (hence `atomic_write` changes nothing). `close` and
    `bufsize` are gevent's other names of `closefd` and `buffering`; both of a pair is a TypeError. Closing the
    file ends the waits of other greenlets with OSError (EBADF). As in the io module, an exception in the middle of a
    line or of a long read loses the data that was already read.
    """

    default_bufsize = io.DEFAULT_BUFFER_SIZE

    def __init__(
        self,
        fobj: Any,
        mode: str = "r",
        buffering: int = _BUFFERING,
        closefd: bool = _CLOSEFD,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        atomic_write: bool = False,
        *,
        close: bool = _CLOSEFD,
        bufsize: int = _BUFFERING,
    ) -> None:
        buffering = _given("buffering", buffering, "bufsize", bufsize)
        closefd = _given("closefd", closefd, "close", close)
        _check(mode, buffering, encoding, errors, newline)
        binary = "b" in mode
        if isinstance(fobj, os.PathLike):
            fobj = os.fspath(fobj)
        self._given = None if isinstance(fobj, (int, str, bytes)) else fobj
        self._close_given = closefd and self._given is not None
        raw = self._raw = self._open_raw(fobj, mode.replace("b", "").replace("t", ""), closefd)
        try:
            self._io = _layers(raw, mode, binary, buffering, encoding, errors, newline)
        except BaseException:
            raw.close()
            raise
        self._closing = False
        self._reading = self._writing = RLock()
        if binary and (self._io is raw or isinstance(self._io, io.BufferedRWPair)):
            self._writing = RLock()  # the two directions share no state

    def _open_raw(self, fobj: Any, mode: str, closefd: bool) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define _open_raw()")

    def _fd_of_given(self) -> int:
        """Flush the open file that was passed in, and return its fd."""
        fileno = getattr(self._given, "fileno", None)
        if fileno is None:
            raise TypeError(f"{type(self).__name__} takes a path, an fd or a file with an fd, not {self._given!r}")
        if getattr(self._given, "writable", bool)():
            self._given.flush()  # type: ignore[union-attr]
        fd: int = fileno()
        return fd

    @property
    def io(self) -> Any:
        """The io module's object underneath. Operations on it directly are not serialized with the others."""
        return self._io

    @property
    def closed(self) -> bool:
        """Whether the file was closed."""
        return self._closing or bool(self._io.closed)

    def close(self) -> None:
        """Flush the file and close it; does nothing if it is closed. May switch.

        Other greenlets that are inside an operation get OSError (EBADF). Data that one of them could not write is lost.
        """
        if self._closing:
            return
        self._closing = True
        interrupt = getattr(self._raw, "interrupt", None)
        lost = interrupt is not None and interrupt()
        try:
            if lost:
                self._raw.close()
            with self._reading, self._writing:
                self._io.close()
        finally:
            if self._close_given:
                self._given.close()  # type: ignore[union-attr]

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        with self._writing if name in _WRITING else self._reading:
            if self._closing:
                raise FileObjectClosed
            return getattr(self._io, name)(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_io":
            raise AttributeError(f"{type(self).__name__!r} object was never opened; its __init__() did not finish")
        value = getattr(self._io, name)
        return partial(self._call, name) if name in _IN_TURN else value

    def __iter__(self) -> Iterator[Any]:
        if self._closing:
            raise FileObjectClosed
        return self

    def __next__(self) -> Any:
        line = self._call("readline")
        if not line:
            raise StopIteration
        return line

    next = __next__

    def __enter__(self) -> Self:
        if self._closing:
            raise FileObjectClosed
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.__dict__.get('_io')!r}{' closed' if self.__dict__.get('_closing') else ''}>"
        )


class FileObjectPosix(_FileObject):
    """A file that makes its fd non-blocking and waits for it in the hub: for pipes, terminals, FIFOs."""

    def _open_raw(self, fobj: Any, mode: str, closefd: bool) -> Any:
        if self._given is not None:
            return PosixFile(self._fd_of_given(), mode, closefd=False)
        return PosixFile(fobj, mode, closefd)


class FileObjectThread(_FileObject):
    """A file whose operations run in worker threads: for regular files and other files that no loop can watch.

    `fobj` may be any binary file, also one without an fd. `lock` and `threadpool` are accepted for compatibility with
    gevent and ignored: operations always run one after the other, in threads reserved for files.
    """

    def __init__(self, fobj: Any, *args: Any, lock: object = True, threadpool: object = None, **kwargs: Any) -> None:
        super().__init__(fobj, *args, **kwargs)

    def _open_raw(self, fobj: Any, mode: str, closefd: bool) -> Any:
        if self._given is None:
            return ThreadFile(ThreadCall(io.FileIO, fobj, mode, closefd, late=io.FileIO.close).wait())
        binary = getattr(fobj, "buffer", fobj)
        if isinstance(fobj, io.TextIOBase) and binary is fobj:
            raise TypeError(f"FileObjectThread takes a path, an fd or a binary file, not {fobj!r}")
        if binary is not fobj and fobj.writable():
            fobj.flush()
        return ThreadFile(_Unclosed(binary))


class FileObjectBlock(_FileObject):
    """The io module's file: it blocks the thread."""

    def __init__(self, fobj: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(fobj, *args, **kwargs)

    def _open_raw(self, fobj: Any, mode: str, closefd: bool) -> Any:
        if self._given is not None:
            return io.FileIO(self._fd_of_given(), mode, closefd=False)
        return io.FileIO(fobj, mode, closefd)


class _Unclosed:
    """A file that its owner closes: `close` does nothing."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def close(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _check(mode: Any, buffering: Any, encoding: Any, errors: Any, newline: Any) -> None:
    """Raise the error that `open` raises for these arguments, if it refuses them."""
    if isinstance(mode, str):
        mode = mode.replace("x", "w")
    open(os.devnull, mode, buffering, encoding, errors, newline).close()


def _layers(
    raw: Any, mode: str, binary: bool, buffering: int, encoding: str | None, errors: str | None, newline: str | None
) -> Any:
    """Return the layers that `open` puts on a raw file. For "+" on a pipe, which `open` refuses, use a buffer pair."""
    line_buffering = buffering == 1 or (buffering < 0 and raw.isatty())
    if buffering == 0:
        return raw
    size = buffering if buffering > 1 else _default_size(raw)
    buffer: Any
    if "+" in mode:
        buffer = io.BufferedRandom(raw, size) if raw.seekable() else io.BufferedRWPair(raw, raw, size)
    elif "r" in mode:
        buffer = io.BufferedReader(raw, size)
    else:
        buffer = io.BufferedWriter(raw, size)
    if binary:
        return buffer
    text: Any = io.TextIOWrapper(buffer, encoding, errors, newline, line_buffering)
    text.mode = mode
    return text


def _default_size(raw: Any) -> int:
    """Return the buffer size that `open` chooses for a raw file."""
    block: int = getattr(raw, "_blksize", 0)
    if sys.version_info >= (3, 14):
        return max(min(block, _LARGEST_BUFFER), io.DEFAULT_BUFFER_SIZE)
    return block if block > 1 else io.DEFAULT_BUFFER_SIZE


def file_object_class(chosen: str | type | None = None) -> Any:
    """Return the class that `chosen`, or else the configuration, names. ValueError if there is no such class."""
    chosen = chosen or config.fileobject or "posix"
    if not isinstance(chosen, str):
        return chosen
    built_in = {"posix": FileObjectPosix, "thread": FileObjectThread, "block": FileObjectBlock}
    if chosen in built_in:
        return built_in[chosen]
    module, colon, name = chosen.partition(":")
    if not colon:
        raise ValueError(
            f"unknown kind of file {chosen!r}; choose from {', '.join(built_in)} or give package.module:Class"
        )
    from importlib import import_module

    return getattr(import_module(module), name)


FileObject: Any = file_object_class()

__all__ = ["FileObject", "FileObjectBlock", "FileObjectClosed", "FileObjectPosix", "FileObjectThread"]
