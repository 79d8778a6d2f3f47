"""A backend as a third party might write one, on the stdlib's selectors: all that the Loop protocol requires."""

import os
import selectors

from hubcore.loop import Loop
from hubcore.watchers import READ, WRITE, FdWatch


class ExampleFdWatch(FdWatch):
    """One fd in the loop's selector."""

    def _set_mask(self, mask):
        os.fstat(self.fd)  # EBADF for a closed one
        self._release()
        try:
            # selectors numbers its events as hubcore does: 1 and 2.
            self.loop.selector.register(self.fd, mask, self)
        except PermissionError:
            self.loop.always_ready.add(self)  # a regular file

    def _release(self):
        self.loop.always_ready.discard(self)
        try:
            self.loop.selector.unregister(self.fd)
        except KeyError:
            pass


class ExampleLoop(Loop):
    """A loop on whatever selectors thinks best."""

    name = "example"

    def __init__(self, flags=None, default=None):
        super().__init__(flags, default)
        self.always_ready = set()
        self._open()

    def _open(self):
        self.selector = selectors.DefaultSelector()
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_read, False)
        os.set_blocking(self.wake_write, False)
        self.selector.register(self.wake_read, selectors.EVENT_READ)

    def poll(self, timeout):
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        if self.always_ready:
            timeout = 0.0
        for key, events in self.selector.select(None if timeout < 0 else min(timeout, 86400.0)):
            if key.fd == self.wake_read:
                os.read(self.wake_read, 65536)
            elif key.data is not None:
                key.data.on_event(events & (READ | WRITE))
        for watch in tuple(self.always_ready):
            watch.on_event(watch.mask)

    def wake(self):
        try:
            os.write(self.wake_write, b"w")
        except OSError:
            pass  # full, which wakes as well; or closed meanwhile

    def _make_fd_watch(self, fd):
        return ExampleFdWatch(self, fd)

    def reinit(self):
        # The child's selector is closed first: what is unregistered from it would be so in the parent, too.
        self._release()
        self._open()
        for fd in list(self.fd_watches):
            self.closing_fd(fd)

    def _release(self):
        self.selector.close()
        os.close(self.wake_read)
        os.close(self.wake_write)
