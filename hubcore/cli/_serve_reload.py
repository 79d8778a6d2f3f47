"""Sees that a file of the application has changed: for `hubcore serve --reload`."""

from __future__ import annotations

import os
import sys
import sysconfig

from hubcore._base.originals import native_sleep, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_EVERY = 0.25  # seconds
_NOT_THESE = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


class Watch:
    """The files that make up the application: those imported from elsewhere than Python's own folders, and `folder`'s.

    The files of `folder` count also before they are imported: the one with the mistake may never have been.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._seen = {path: _stamp(path) for path in self._files()}

    def _files(self) -> set[str]:
        found = set()
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and path.endswith(".py") and not os.path.abspath(path).startswith(_NOT_THESE):
                found.add(os.path.abspath(path))
        for root, folders, names in os.walk(self._folder):
            folders[:] = [name for name in folders if not name.startswith(".") and name not in _SKIPPED]
            found.update(os.path.join(root, name) for name in names if name.endswith(".py"))
            if len(found) > _MOST:
                break
        return found

    def changed(self) -> str | None:
        """A file that has changed, come or gone since the last call; None if none has."""
        now = {path: _stamp(path) for path in self._files()}
        different = [path for path in {*now, *self._seen} if now.get(path) != self._seen.get(path)]
        # A module that has only been imported now was there before.
        different = [path for path in different if path in self._seen or path.startswith(self._folder)]
        self._seen = now
        return min(different) if different else None

    def wait(self) -> str:
        """Wait, blocking this thread, until a file changes; which one."""
        while True:
            native_sleep(_LOOK_EVERY)
            path = self.changed()
            if path is not None:
                return path

    def in_thread(self, call: Callable[[], object]) -> None:
        """Wait in a thread, and then call `call` in it."""

        def watch() -> None:
            path = self.wait()
            print(f"hubcore serve: {os.path.relpath(path)} has changed", file=sys.stderr, flush=True)
            call()

        start_new_thread(watch, ())


_SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages"})
_MOST = 5000  # files


def _stamp(path: str) -> tuple[float, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime, found.st_size
