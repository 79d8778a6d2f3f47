"""Backends that are wrong in what they watch, how they begin and end, or after a fork or a signal; see mutants.py."""

import os
import select
import time

from hubcore.backends.native import WakePipe, check_open, original
from tests.loop.mutants import fails, mask_of, watched_by
from tests.support.example_backend import ExampleFdWatch, ExampleLoop

# Watching.


class _Unchecked(ExampleFdWatch):
    def set_mask(self, mask):
        try:
            super().set_mask(mask)
        except OSError:
            pass


@fails("closed_fds:an_fd_that_is_not_open_is_refused_at_start")
class AcceptsClosedFds(watched_by(_Unchecked)):
    pass


class _AsksOnce(ExampleFdWatch):
    told = None

    def set_mask(self, mask):
        check_open(self.fd)
        if self.told != mask:
            super().set_mask(mask)
            self.told = mask


@fails("closed_fds:a_number_that_another_socket_got_is_watched_anew")
class AsksTheKernelOnce(watched_by(_AsksOnce)):
    pass


class _FirstMask(ExampleFdWatch):
    first = 0

    def set_mask(self, mask):
        self.first = self.first or mask
        super().set_mask(self.first)


@fails("io:all_watchers_of_an_fd_are_called_for_what_they_watch")
class KeepsTheFirstMask(watched_by(_FirstMask)):
    pass


class _StaysRegistered(ExampleFdWatch):
    def release(self):
        pass

    def set_mask(self, mask):
        ExampleFdWatch.release(self)
        super().set_mask(mask)


@fails("io:a_stopped_watcher_lets_the_loop_sleep")
class NeverUnregisters(watched_by(_StaysRegistered)):
    def register_all_anew(self):
        pass


@fails("closed_fds:a_file_that_outlives_its_number_lets_the_loop_sleep")
class TurnsForAFileThatOutlivesItsNumber(ExampleLoop):
    """As `selectors`, which keeps events to itself that are for no fd it knows."""

    def register_all_anew(self):
        pass


class _NonBlocking(ExampleFdWatch):
    def set_mask(self, mask):
        super().set_mask(mask)
        os.set_blocking(self.fd, False)


@fails("io:watching_leaves_the_fd_blocking_or_not_as_it_was")
class MakesFdsNonBlocking(watched_by(_NonBlocking)):
    pass


class _NoFiles(ExampleFdWatch):
    def set_mask(self, mask):
        check_open(self.fd)
        self.release()
        self.loop.epoll.register(self.fd, mask_of(mask))


@fails("io:a_regular_file_is_always_ready")
class RefusesRegularFiles(watched_by(_NoFiles)):
    pass


@fails("io:a_regular_file_is_always_ready")
class SleepsBesideARegularFile(ExampleLoop):
    def poll(self, timeout):
        files, self.always_ready = self.always_ready, set()
        super().poll(timeout)
        self.always_ready = files
        for watch in tuple(files):
            watch.on_event(watch.mask)


@fails("closed_fds:a_closed_fd_is_not_reported_once_only")
class ReportsAClosedFdOnce(ExampleLoop):
    """It registers fds in the poll, and reports one that was closed before that by a single event."""

    def __init__(self, flags=None, default=None):
        self.new = []
        super().__init__(flags, default)

    def make_fd_watch(self, fd):
        loop = self

        class Watch(ExampleFdWatch):
            def set_mask(self, mask):
                check_open(self.fd)
                loop.new.append((self, mask))

        return Watch(self, fd)

    def poll(self, timeout):
        while self.new:
            watch, mask = self.new.pop()
            try:
                ExampleFdWatch.set_mask(watch, mask)
            except OSError:
                watch.on_event(mask)
        super().poll(timeout)


# A loop's beginning and end.


@fails("life:a_closed_loop_says_that_it_is_closed")
class PollsWhenClosed(ExampleLoop):
    def poll(self, timeout):
        if not self.closed:
            super().poll(timeout)


@fails("life:many_loops_can_be_made_and_closed")
class LosesFds(ExampleLoop):
    lost = []

    def release(self):
        self.lost.append(os.dup(0))
        super().release()


@fails("life:a_closed_loop_is_forgotten")
class IsKeptAlive(ExampleLoop):
    made = []

    def __init__(self, flags=None, default=None):
        super().__init__(flags, default)
        self.made.append(self)


_shared = original("select", "epoll")()


@fails("life:two_loops_in_one_thread_do_not_disturb_each_other")
class SharesItsState(ExampleLoop):
    def open(self):
        super().open()
        self.epoll.close()
        self.epoll = select.epoll.fromfd(os.dup(_shared.fileno()))
        self.epoll.register(self.wake_pipe, select.EPOLLIN)


@fails("life:a_loop_that_gets_no_fds_is_an_oserror")
class RaisesAnErrorOfItsOwn(ExampleLoop):
    def open(self):
        try:
            super().open()
        except OSError:
            raise RuntimeError("the library could not make a loop") from None


@fails("life:a_loop_that_gets_no_fds_is_an_oserror")
class LosesFdsWhereItFails(ExampleLoop):
    def open(self):
        self.epoll = original("select", "epoll")()
        self.wake_pipe = WakePipe()
        self.epoll.register(self.wake_pipe, select.EPOLLIN)


@fails("life:a_backend_is_a_loop_with_a_name")
class HasAnothersName(ExampleLoop):
    pass


HasAnothersName.name = "select"


@fails("life:a_patched_process_uses_the_backend")
class WaitsInTheHub(ExampleLoop):
    def open(self):
        super().open()
        self.epoll.close()
        self.epoll = select.epoll()
        self.epoll.register(self.wake_pipe, select.EPOLLIN)


# Fork.


@fails("processes:reinit_makes_a_bare_loop_usable_in_the_child")
class KeepsItsWatchesAfterFork(ExampleLoop):
    def reinit(self):
        self.release()
        self.open()


@fails("processes:reinit_makes_a_bare_loop_usable_in_the_child")
class TouchesTheParentsKernelObject(ExampleLoop):
    def reinit(self):
        for fd in list(self.fd_watches):
            self.closing_fd(fd)
        self.release()
        self.open()


@fails("processes:reinit_makes_a_bare_loop_usable_in_the_child")
class SharesItsWakePipeAfterFork(ExampleLoop):
    def reinit(self):
        pipe = self.wake_pipe
        self.epoll.close()
        self.open()
        self.epoll.unregister(self.wake_pipe)
        self.wake_pipe.close()
        self.wake_pipe = pipe
        for fd in list(self.fd_watches):
            self.closing_fd(fd)


@fails("processes:a_forked_child_has_a_fresh_hub_and_the_parents_is_not_disturbed")
class CannotBeTakenApartAfterFork(ExampleLoop):
    def reinit(self):
        raise OSError("not after a fork")


# Signals.


@fails("processes:control_c_ends_a_sleeping_hub")
class SwallowsCtrlC(ExampleLoop):
    def poll(self, timeout):
        end = time.monotonic() + timeout if timeout > 0 else None
        while True:
            try:
                for fd, _ in self.epoll.poll(0.01 if timeout else 0.0):
                    if fd == self.wake_pipe.fileno():
                        self.wake_pipe.clear()
                        return
            except KeyboardInterrupt:
                continue
            if timeout == 0.0 or (end is not None and time.monotonic() > end):
                return
