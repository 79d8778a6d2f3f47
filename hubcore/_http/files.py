"""Files as responses: `wsgi.file_wrapper`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from hubcore._sockets.sendfile import send as _sendfile


class FileWrapper:
    """PEP 3333's wsgi.file_wrapper: a body that is the rest of a file, from its position on.

    A file of a file system goes from there to a plain connection inside the kernel, and Content-Length is known; what
    else there is to read goes in pieces of `blksize` bytes.
    """

    def __init__(self, filelike: Any, blksize: int = 65536) -> None:
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data: bytes = self.filelike.read(self.blksize)
        if not data:
            raise StopIteration
        return data


def size_of(wrapper: FileWrapper) -> int:
    """How many bytes of its file the kernel could send; -1 where that is none of a file system."""
    file = wrapper.filelike
    try:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or "b" not in getattr(file, "mode", "rb"):
            return -1
        return max(0, found.st_size - int(file.tell()))
    except (AttributeError, OSError, ValueError, TypeError):  # io.UnsupportedOperation is two of them
        return -1


def send(waits: Any, wrapper: FileWrapper, size: int, timeout: float) -> int:
    """Send `size` bytes of the file, fewer where it has got shorter, by `waits` of a socket; how many those were.

    Switches; TimeoutError after `timeout` seconds in which the client took none.
    """
    file = wrapper.filelike
    own = waits.timeout
    waits.timeout = timeout
    try:
        return _sendfile(waits, file, file.tell(), size)
    finally:
        waits.timeout = own
