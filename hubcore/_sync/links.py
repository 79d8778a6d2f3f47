"""Links: callbacks for the end of a greenlet, or for an event, a lock or a queue that becomes ready.

The thread that ends the wait wakes a Waiter and notifies a DirectLink at once. The hub calls all other links, each in
its turn among the waiters: what was linked before a wait began was called when that wait returns.
Any thread may link and unlink. A link is added before its caller asks whether the end has come, so none is missed.
"""

from __future__ import annotations

import sys

from hubcore._base import uncompiled as cython
from hubcore._base.hints import Any, Callable
from hubcore._base.package import PACKAGE
from hubcore._core.raw_greenlet import RawGreenlet
from hubcore.hub import get_hub

if not cython.compiled:
    from hubcore._capi.fallback import atomic, get_ident, publish, running_code, running_instruction
    from hubcore._core.raw_greenlet import FINISHED
    from hubcore._core.waiter import Waiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.raw_greenlet import Host


class DirectLink:
    """A link that is notified at once, in the thread that ends the wait, because it only wakes a waiter."""

    __slots__ = ()

    def notify(self, source: Any) -> None:
        """`source` has ended or is ready. Never switches, never raises."""
        raise NotImplementedError(f"{type(self).__name__} does not implement notify()")


class GroupLink(DirectLink):
    """The link of a group to its member, notified in its turn and once more after all other links.

    So what waits for the whole group goes on after the links of its last member.
    """

    __slots__ = ()

    def notify(self, source: Any) -> None:
        """`source` has ended. Never switches, never raises."""

    def notify_last(self, source: Any) -> None:
        """`source` has ended, and its other links have had their turn. Never switches, never raises."""


class HubLink:
    """A link of a Waitable: `callback`, which `hub` calls, or the thread that makes it ready if that is None."""

    __slots__ = ("callback", "hub", "number", "queued")

    def __init__(self, callback: Any, hub: Any, number: int) -> None:
        self.callback = callback
        self.hub = hub
        self.number = number  # how many waiters had come before this link
        self.queued = False  # whether the hub is about to call it


# More links than this stand in a table, by identity: to find one after another of 20,000 links in a list, when each of
# their greenlets is killed, would be quadratic.
_LONG = 64


def key_of(entry: Any) -> int:
    """The key of `entry` in a table: its identity, or that of the DirectLink of a HubLink."""
    if isinstance(entry, HubLink):
        link = entry
        if isinstance(link.callback, DirectLink):
            return id(link.callback)
    return id(entry)


class LinkTable:
    """The links of one object, in order, until `take` empties it for good.

    Each method is one atomic step, but for the memory that it allocates: an allocation may run finalizers, which link
    and unlink, and may end what the links are to. So a method allocates first, and looks at the links after that.
    """

    __slots__ = ("_entries", "_pairs", "_taken", "all_queued")

    def __init__(self) -> None:
        self._entries: list[Any] | None = []
        self._pairs: dict[int, list[Any]] | None = None  # beyond _LONG links: [entry, how often] by key
        self._taken = False
        self.all_queued = False  # whether the hubs are about to call all of them

    def __len__(self) -> int:
        if self._entries is not None:
            return len(self._entries)
        count = 0
        for pair in list(self._pairs.values()):  # type: ignore[union-attr]
            count += pair[1]
        return count

    def __bool__(self) -> bool:
        return bool(self._entries or self._pairs)

    def entries(self) -> list[Any]:
        """A copy of the links, in order."""
        if self._entries is not None:
            return self._entries[:]
        found: list[Any] = []
        for entry, times in list(self._pairs.values()):  # type: ignore[union-attr]
            for _ in range(times):
                found.append(entry)
        return found

    def add(self, entry: Any) -> bool:
        """Add `entry`, which may be there already; False if the links were taken, so that this has no effect."""
        pair = None if self._pairs is None else [entry, 1]
        if self._taken:
            return False
        self.all_queued = False
        if pair is not None:
            key = key_of(entry)
            there = self._pairs.get(key)  # type: ignore[union-attr]
            if there is None:
                self._pairs[key] = pair  # type: ignore[index]
            else:
                there[1] += 1
            return True
        entries: Any = self._entries
        entries.append(entry)
        if len(entries) > _LONG:
            self._make_pairs()
        return True

    def remove(self, entry: Any) -> bool:
        """Take `entry` itself out, once; return whether it was there."""
        if self._entries is None:
            return self._remove_key(key_of(entry))
        entries = self._entries
        for i in range(len(entries)):  # by identity, which is many times faster than to compare
            if entries[i] is entry:
                del entries[i]
                return True
        return False

    def remove_direct(self, callback: DirectLink) -> bool:
        """Take out the HubLink of `callback`, once; return whether it was there."""
        if self._entries is None:
            return self._remove_key(id(callback))
        entries = self._entries
        for i in range(len(entries)):
            entry = entries[i]
            if entry.callback is callback:
                del entries[i]
                return True
        return False

    def take(self) -> list[Any]:
        """The links, in order. The table is empty from now on, and refuses others."""
        self._taken = True  # first: a finalizer that runs while the links are copied may add another
        found = self.entries()
        self._entries = []
        self._pairs = None
        return found

    def _remove_key(self, key: int) -> bool:
        there = self._pairs.get(key)  # type: ignore[union-attr]
        if there is None:
            return False
        if there[1] > 1:
            there[1] -= 1
        else:
            self._pairs.pop(key, None)  # type: ignore[union-attr]
        return True

    def _make_pairs(self) -> None:
        """Keep the links by key from now on, unless they changed while the table was made."""
        before: Any = self._entries
        copy: list[Any] = before[:]
        pairs: dict[int, list[Any]] = {}
        for entry in copy:
            pair = [entry, 1]
            there = pairs.get(key_of(entry))
            if there is None:
                pairs[key_of(entry)] = pair
            else:
                there[1] += 1
        changed = self._entries is not before
        if changed or len(copy) != len(before):
            return
        for i in range(len(copy)):
            if copy[i] is not before[i]:
                return
        self._pairs = pairs
        self._entries = None


def notified(link: Any, source: Any) -> bool:
    """Wake or notify `link` if it is a Waiter or a DirectLink; False if it is a callback, which the hub calls."""
    if isinstance(link, Waiter):
        waiter = link
        waiter.wake(source)
        return True
    if isinstance(link, DirectLink):
        direct = link
        direct.notify(source)
        return True
    return False


class SpawnedLink:
    """Calls `callback(source)` in a new greenlet, where it may wait. It equals its callback, for `unlink(callback)`."""

    __slots__ = ("callback", "site")

    def __init__(self, callback: Callable[[Any], object]) -> None:
        self.callback = callback
        self.site = (running_code(PACKAGE), running_instruction(PACKAGE))

    def __call__(self, source: Any) -> None:
        hub = get_hub()
        new = cython.cast(RawGreenlet, RawGreenlet(hub, self.callback, (source,)))
        new._spawn_code, new._spawn_instruction = self.site  # where it was linked: the hub's stack shows nothing
        hub.run_from_hub(new)

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
    """The part of Greenlet that notifies others of its end."""

    __slots__ = ("_links", "_observers")

    _links: LinkTable | None
    _observers: int  # how many callers will see a failure, so that it need not be reported

    def rawlink(self, callback: Callable[[Any], object]) -> None:
        """Call `callback(greenlet)` in the hub, where it must not wait, once this greenlet has ended."""
        if not callable(callback):
            raise TypeError(f"a link must be callable, not {callback!r}")
        self._add_link(callback)
        if self._phase == FINISHED:
            self._notify_late(callback)

    @cython.binding(True)  # for its signature: the default is no literal
    def link(self, callback: Callable[[Any], object], SpawnedLink: type = SpawnedLink) -> None:
        """Call `callback(greenlet)` in a greenlet of its own once this greenlet has ended."""
        if not callable(callback):
            raise TypeError(f"a link must be callable, not {callback!r}")
        if SpawnedLink is not SuccessSpawnedLink:
            self._observers += 1
        self.rawlink(SpawnedLink(callback))

    @cython.binding(True)  # for its signature: the default is no literal
    def link_value(self, callback: Callable[[Any], object], SpawnedLink: type = SuccessSpawnedLink) -> None:
        """As `link`, but only if the greenlet succeeds."""
        self.link(callback, SpawnedLink)

    @cython.binding(True)  # for its signature: the default is no literal
    def link_exception(self, callback: Callable[[Any], object], SpawnedLink: type = FailureSpawnedLink) -> None:
        """As `link`, but only if the greenlet fails; the failure then counts as observed and is not reported."""
        self.link(callback, SpawnedLink)

    def unlink(self, callback: object) -> None:
        """Undo a link or rawlink of `callback`. No effect if there is none."""
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
        """Undo every link. Greenlets that wait for this one are still woken."""
        for link in entries_of(self._links):
            if not isinstance(link, (Waiter, DirectLink)):
                self.unlink(link)

    def has_links(self) -> bool:
        """Whether a link or a waiter will be notified of the end."""
        return bool(self._links)

    def _move_to(self, hub: Host) -> None:
        """As RawGreenlet._move_to. The links, and the callers that would observe a failure, are the parent's."""
        RawGreenlet._move_to(self, hub)
        self._links = None
        self._observers = 0

    def _add_observer(self) -> None:
        """The caller will see a failure, so that it need not be reported."""
        self._observers += 1

    def _remove_observer(self) -> None:
        """Undo one `_add_observer`."""
        self._observers -= 1

    def _add_link(self, link: object) -> None:
        while True:
            if self._links is None:
                fresh = LinkTable()  # making it may run finalizers, which link, too
                if self._links is None:
                    self._links = fresh
            if self._links.add(link):
                return

    def _drop_link(self, link: object) -> bool:
        """Remove `link`, once; return whether it was there."""
        return self._links is not None and self._links.remove(link)

    def _notify(self) -> None:
        """The greenlet has ended: wake what waits, and have the hub call the links, in the order in which they came."""
        table = self._links
        self._links = None
        if table is None:
            return
        groups: list[GroupLink] | None = None
        for link in table.take():  # a copy: a thread that is woken removes its link at once
            if notified(link, self):
                if isinstance(link, GroupLink):
                    if groups is None:
                        groups = []
                    groups.append(link)
            else:
                self._add_link(link)  # it stays a link until the hub calls it, so that `unlink` still works
                self._queue_link(link)
        if groups is not None:
            for group in groups:
                group.notify_last(self)

    def _notify_late(self, link: object) -> None:
        """As `_notify`, for one link that may have come too late for it."""
        if not isinstance(link, (Waiter, DirectLink)):
            self._queue_link(link)
        elif self._drop_link(link):
            notified(link, self)
            if isinstance(link, GroupLink):
                group = link
                group.notify_last(self)

    def _queue_link(self, link: object) -> None:
        # This may be any thread: killing an unstarted greenlet of another thread's hub finishes it, too.
        hub = self.hub
        if hub.destroyed:
            hub = get_hub()  # a destroyed hub calls no callbacks
        if hub.thread_ident == get_ident():
            hub.loop.run_callback(self._call_link, link)
        else:
            hub.loop.run_callback_threadsafe(self._call_link, link)

    def _call_link(self, link: Any) -> None:
        if not self._drop_link(link):
            return  # it was unlinked, or called
        try:
            link(self)
        except BaseException:
            self.hub.handle_error((link, self), *sys.exc_info())


def entries_of(links: LinkTable | None) -> list[Any]:
    """A copy of the links, in order; an empty list for None."""
    return [] if links is None else links.entries()


publish("hubcore.greenlet", DirectLink)

if not cython.compiled:
    atomic(LinkTable, "add", "remove", "remove_direct", "take")
    atomic(Linkable, "_add_link", "_drop_link")
