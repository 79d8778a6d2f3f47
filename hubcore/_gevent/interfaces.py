"""`gevent._interfaces`: names that programs use in annotations, and ask whether an object is a loop or a watcher.

In gevent they are zope interfaces; here they are plain classes, with the two questions that need no zope.
"""

from __future__ import annotations

from hubcore._core.ready_queue import Callback
from hubcore.loop import Loop
from hubcore.watchers import Watcher

__all__ = ["ICallback", "ILoop", "IWatcher"]


class _Interface:
    classes: tuple[type, ...] = ()

    @classmethod
    def providedBy(cls, thing: object) -> bool:
        """Return whether `thing` is one."""
        return isinstance(thing, cls.classes)

    @classmethod
    def implementedBy(cls, kind: type) -> bool:
        """Return whether the instances of `kind` are."""
        return issubclass(kind, cls.classes)


class ILoop(_Interface):
    """A loop."""

    classes = (Loop,)


class IWatcher(_Interface):
    """A watcher."""

    classes = (Watcher,)


class ICallback(_Interface):
    """What `loop.run_callback` returns."""

    classes = (Callback,)
