"""Links: who is told when a greenlet ends, and how.

A Waiter is woken and a DirectLink is told at once, by the greenlet that ends; everything else is called from the hub.
Any thread may link and unlink: a link is added before one looks whether the greenlet has ended, so none is missed.
"""

from __future__ import annotations

import sys

import cython

from hubcore._core.raw_greenlet import RawGreenlet
from hubcore.hub import get_hub

if not cython.compiled:
    from hubcore._capi.fallback import atomic, get_ident
    from hubcore._core.raw_greenlet import FINISHED
    from hubcore._core.waiter import Waiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hubcore._core.raw_greenlet import Host


class DirectLink:
    """A link that is told at once, in the greenlet that finishes, because it only wakes somebody."""

    __slots__ = ()

    def notify(self, source: Any) -> None:
        """`source` has finished. Never switches, never raises."""
        raise NotImplementedError(f"{type(self).__name__} does not say what to do")


# Links are kept in a list, where more than so many are in a table of entries by `key_of`, with how often each is there:
# to find one after the other of 20,000, each of whose greenlets is killed, would be quadratic.
_LONG = 64


def key_of(entry: Any) -> int:
    """By what `entry` is in a table: its identity, or that of the DirectLink that a Waitable keeps in a pair."""
    if isinstance(entry, tuple):
        callback = entry[0]
        if isinstance(callback, DirectLink):
            return id(callback)
    return id(entry)


def with_link(links: Any, entry: Any, pair: Any) -> Any:
    """Add `entry` to `links`, a list or a table; what is to be kept in their place: a table, once a list is long.

    `pair` is [entry, 1], or None if `links` is a list.
    """
    if isinstance(links, list):
        some = links
        some.append(entry)
        return lengthened(some) if len(some) > _LONG else links
    add_to(links, pair)
    return links


def without_link(links: Any, entry: Any) -> None:
    """Take `entry` itself out of a list or a table, once; harmless if it is not there, or `links` is None."""
    if isinstance(links, list):
        some = links
        for i in range(len(some)):  # by identity, which is many times faster than to compare
            if some[i] is entry:
                del some[i]
                return
    elif links is not None:
        drop_from(links, key_of(entry))


def add_to(table: dict[int, list[Any]], pair: list[Any]) -> None:
    """Add to the table, in which it may be already, the entry of which `pair` is a new pair of it and 1.

    Runs nobody else's code.
    """
    key = key_of(pair[0])
    there = table.get(key)
    if there is None:
        table[key] = pair
    else:
        there[1] += 1


def drop_from(table: dict[int, list[Any]], key: int) -> None:
    """Take out once what has that key; harmless if nothing has."""
    there = table.get(key)
    if there is not None:
        if there[1] > 1:
            there[1] -= 1
        else:
            table.pop(key, None)


def entries_of(links: Any) -> list[Any]:
    """A list of the entries of a list, of a table, or of None."""
    if links is None:
        return []
    if isinstance(links, list):
        return links[:]
    found: list[Any] = []
    for entry, times in list(links.values()):
        for _ in range(times):
            found.append(entry)
    return found


def lengthened(links: list[Any]) -> Any:
    """A table of `links`, or, where they were changed while it was made, which may run finalizers, themselves."""
    copy = links[:]
    table: dict[int, list[Any]] = {}
    for entry in copy:
        add_to(table, [entry, 1])
    if len(copy) != len(links):
        return links
    for i in range(len(copy)):
        if copy[i] is not links[i]:
            return links
    return table


class SpawnedLink:
    """Calls `callback(source)` in a new greenlet, where it may wait. It equals its callback: `unlink(callback)`."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[Any], object]) -> None:
        self.callback = callback

    def __call__(self, source: Any) -> None:
        hub = get_hub()
        hub.schedule(RawGreenlet(hub, self.callback, (source,)))

    def __hash__(self) -> int:
        return hash(self.callback)

    def __eq__(self, other: object) -> bool:
        return bool(self.callback == getattr(other, "callback", other))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.callback!r}>"


class SuccessSpawnedLink(SpawnedLink):
    """Only if `source` was successful."""

    __slots__ = ()

    def __call__(self, source: Any) -> None:
        if source.successful():
            super().__call__(source)


class FailureSpawnedLink(SpawnedLink):
    """Only if `source` failed."""

    __slots__ = ()

    def __call__(self, source: Any) -> None:
        if not source.successful():
            super().__call__(source)


class Linkable(RawGreenlet):
    """The half of Greenlet that tells others of its end."""

    __slots__ = ("_links", "_observers")

    _links: Any  # None, a list, or a table
    _observers: int  # how many will see a failure, so that it need not be reported

    def rawlink(self, callback: Callable[[Any], object]) -> None:
        """Have `callback(greenlet)` called in the hub, where it must not wait, once this has ended."""
        if not callable(callback):
            raise TypeError(f"a link must be callable, not {callback!r}")
        self._add_link(callback)
        if self._phase == FINISHED:
            self._notify()

    def link(self, callback: Callable[[Any], object], SpawnedLink: type = SpawnedLink) -> None:
        """Have `callback(greenlet)` called in a greenlet of its own once this has ended."""
        if not callable(callback):
            raise TypeError(f"a link must be callable, not {callback!r}")
        if SpawnedLink is not SuccessSpawnedLink:
            self._observers += 1
        self.rawlink(SpawnedLink(callback))

    def link_value(self, callback: Callable[[Any], object], SpawnedLink: type = SuccessSpawnedLink) -> None:
        """As `link`, only if it ends successfully."""
        self.link(callback, SpawnedLink)

    def link_exception(self, callback: Callable[[Any], object], SpawnedLink: type = FailureSpawnedLink) -> None:
        """As `link`, only if it fails; the failure then counts as looked at."""
        self.link(callback, SpawnedLink)

    def unlink(self, callback: object) -> None:
        """Undo a link or rawlink of `callback`; harmless if there is none."""
        if isinstance(callback, (Waiter, DirectLink)):
            self._drop_link(callback)
            return
        for link in entries_of(self._links):  # a copy: comparing may run code that links and unlinks
            if link == callback:
                self._drop_link(link)
                if isinstance(link, SpawnedLink) and not isinstance(link, SuccessSpawnedLink):
                    self._observers -= 1
                return

    def unlink_all(self) -> None:
        """Undo every link; greenlets that wait for this one still are woken."""
        for link in entries_of(self._links):
            if not isinstance(link, (Waiter, DirectLink)):
                self.unlink(link)

    def has_links(self) -> bool:
        """Whether anybody is to be told when it ends."""
        return bool(self._links)

    def _move_to(self, hub: Host) -> None:
        """As RawGreenlet._move_to. Who is to be told of the end, and would look at a failure, is in the parent."""
        RawGreenlet._move_to(self, hub)
        self._links = None
        self._observers = 0

    def _add_observer(self) -> None:
        """Say that a failure will be seen by the caller, so that it need not be reported."""
        self._observers += 1

    def _remove_observer(self) -> None:
        """Undo one `_add_observer`."""
        self._observers -= 1

    def _add_link(self, link: object) -> None:
        if self._links is None:
            fresh: list[Any] = []  # making it may run finalizers, which link, too
            if self._links is None:
                self._links = fresh
        # Made before the look at what it is added to: making it may run finalizers, which link, unlink, and take the
        # links away, because they end what it is to.
        pair = None if isinstance(self._links, list) else [link, 1]
        links = self._links
        if links is None or (pair is None and not isinstance(links, list)):
            self._add_link(link)  # it is of another kind by now
            return
        kept = with_link(links, link, pair)
        if kept is not links and self._links is links:
            self._links = kept

    def _drop_link(self, link: object) -> None:
        without_link(self._links, link)

    def _notify(self) -> None:
        """It has ended: tell those that can be told at once, and have the hub call the others."""
        if self._links is None:
            return
        # Taken first: a finalizer that runs while they are copied may link another, which notifies, too. And copied,
        # whatever they are: a thread that is woken takes its link out at once.
        taken = self._links
        self._links = None
        links = entries_of(taken)
        others = None
        for link in links:
            if isinstance(link, Waiter):
                waiter = link
                waiter.wake(self)
            elif isinstance(link, DirectLink):
                direct = link
                direct.notify(self)
            elif others is None:
                others = [link]
            else:
                others.append(link)
        if others is None:
            return
        if self._links is not None:
            others.extend(entries_of(self._links))
        self._links = others
        # From whichever thread: killing an unstarted greenlet of another thread's hub finishes it, too.
        hub = self.hub
        if hub.destroyed:
            hub = get_hub()  # its own calls nobody any more
        if hub.thread_ident == get_ident():
            hub.loop.run_callback(self._notify_others)
        else:
            hub.loop.run_callback_threadsafe(self._notify_others)

    def _notify_others(self) -> None:
        taken = self._links
        self._links = None
        for link in entries_of(taken):
            try:
                link(self)
            except BaseException:
                self.hub.handle_error((link, self), *sys.exc_info())


if not cython.compiled:
    atomic(Linkable, "_add_link", "_drop_link")
