"""Recordings of what every greenlet does: when it runs, is ready, or waits, for what, and which greenlet woke it.

    with hubcore.trace.recording("out.pftrace"):
        ...

The suffix of the file chooses its format: `.pftrace` for ui.perfetto.dev, `.json` for Chrome's viewers, `.folded` for
flame graphs of the time that greenlets wait, `.html` for a page that needs no viewer. Only one recording runs at a
time, for all threads of the process. A forked child does not record.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from hubcore._base.hints import Any, Iterator
from hubcore._observe import recorder as _recorder
from hubcore._observe.files import check_path, write
from hubcore._observe.timeline import MARK as _MARK
from hubcore._observe.timeline import REGION as _REGION
from hubcore._observe.timeline import REGION_END as _REGION_END
from hubcore._observe.timeline import read as _read

__all__ = ["FlightRecorder", "is_recording", "mark", "recording", "region", "start", "stop"]

_path: str = ""
_recording: Any = None


def start(path: str | os.PathLike[str], *, max_bytes: int = _recorder.MOST_BYTES) -> None:
    """Record from now on; `stop` writes the recording to `path`. Any thread; never switches.

    Each hub gets `max_bytes` of memory at most, 24 bytes for an event; what comes after that is counted and dropped.
    RuntimeError if a recording runs already, ValueError for another suffix, FileNotFoundError if the folder of `path`
    does not exist.
    """
    global _path, _recording
    checked = check_path(path)
    new = _recorder.Recording(max_bytes)
    new.start()
    _path, _recording = checked, new


def stop() -> None:
    """Stop the recording that `start` began, and write its file, readable by this user only. Blocks the thread.

    RuntimeError if none runs.
    """
    global _recording
    current, _recording = _recording, None
    if current is None or current.pid != os.getpid():  # in a forked child it is the parent's
        raise RuntimeError("no recording runs; start() begins one")
    current.stop()
    write(_read(current.dump()), _path)


def is_recording() -> bool:
    """Return whether a recording that `start` began runs."""
    return _recording is not None and _recording.pid == os.getpid()


@contextmanager
def recording(path: str | os.PathLike[str], *, max_bytes: int = _recorder.MOST_BYTES) -> Iterator[None]:
    """Record while the block runs; see `start`. The file is written also if the block raises."""
    start(path, max_bytes=max_bytes)
    try:
        yield
    finally:
        stop()


def mark(text: str) -> None:
    """Record that the calling greenlet is here. Costs next to nothing while no recording runs; never switches."""
    _recorder.mark(_MARK, _checked(text))


@contextmanager
def region(text: str) -> Iterator[None]:
    """Record the time that the block takes the calling greenlet."""
    _recorder.mark(_REGION, _checked(text))
    try:
        yield
    finally:
        _recorder.mark(_REGION_END, text)


class FlightRecorder:
    """Keeps the latest records only, in `max_bytes` of memory for each hub, until a call of `write` asks for them."""

    def __init__(self, max_bytes: int = 16 << 20) -> None:
        self._recording: Any = None
        self.max_bytes: int = max_bytes
        _recorder.Recording(max_bytes)  # ValueError here, rather than at the start

    def start(self) -> None:
        """Record from now on. RuntimeError if a recording runs already."""
        if self._recording is not None:
            raise RuntimeError("this flight recorder runs already")
        new = _recorder.Recording(self.max_bytes, wraps=True)
        new.start()
        self._recording = new

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write what was recorded until now to `path`, and go on. Blocks. RuntimeError if it does not run."""
        if self._recording is None:
            raise RuntimeError("this flight recorder does not run; start() it first")
        write(_read(self._recording.dump()), check_path(path))

    def stop(self) -> None:
        """Record no more. A second call does nothing."""
        current, self._recording = self._recording, None
        if current is not None:
            current.stop()


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"the text of a mark or region must be a str, not {text!r}")
    return text
