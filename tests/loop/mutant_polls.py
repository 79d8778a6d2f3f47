"""Backends that are wrong in how they sleep, wake, tell the time or report events; see mutants.py."""

import ctypes
import os
import select
import time

from hubcore.backends.native import WakePipe, original, read_fd, write_fd
from hubcore.watchers import READ, WRITE
from tests.loop.mutants import fails, mask_back, mask_of, watched_by
from tests.support.example_backend import ExampleFdWatch, ExampleLoop

# Sleeping.


@fails("timers:a_sleep_keeps_its_limit_where_it_is_held_up")
class LosesItsLimit(ExampleLoop):
    """The time is looked at before the sleep, as libuv does with timers before 1.45."""

    def poll(self, timeout):
        due = time.monotonic() + timeout
        time.sleep(0)  # where the thread may lose the processor
        super().poll(-1.0 if timeout > 0 and time.monotonic() > due else timeout)


@fails("timers:a_sleep_is_one_poll")
class NeverSleeps(ExampleLoop):
    def poll(self, timeout):
        super().poll(0.0)


@fails("timers:a_wait_longer_than_the_system_can_count_is_no_error")
class CannotWaitLong(ExampleLoop):
    """As a C library's milliseconds in an int."""

    def poll(self, timeout):
        ctypes.c_int(int(timeout * 1000))
        if timeout * 1000 >= 2**31:
            raise OverflowError(timeout)
        super().poll(timeout)


@fails("rare_watchers:idle_runs_only_when_nothing_else_is_ready_and_keeps_the_loop_awake")
class SleepsWhenItIsOnlyToLook(ExampleLoop):
    def poll(self, timeout):
        super().poll(-1.0 if timeout == 0.0 else timeout)


@fails("callbacks:waking_from_another_thread_ends_a_sleep_every_time")
class KeepsTheGil(ExampleLoop):
    def poll(self, timeout):
        ready = (ctypes.c_int * 3)()
        ready[0] = self.epoll.fileno()
        ready[1] = select.POLLIN
        milliseconds = -1 if timeout < 0 else int(min(timeout, 1000.0) * 1000)
        ctypes.PyDLL(None).poll(ready, 1, milliseconds)
        super().poll(0.0)


# The clock.


@fails("life:the_clock_does_not_go_back*")
class ClockGoesBack(ExampleLoop):
    calls = 0

    def clock(self):
        self.calls += 1
        return time.monotonic() - (self.calls % 7)


@fails("timers:a_timer_counts_from_its_start*")
class ClockOfTheLastPoll(ExampleLoop):
    polled = 0.0

    def clock(self):
        return self.polled

    def poll(self, timeout):
        super().poll(timeout)
        self.polled = time.monotonic()


@fails("timers:a_timer_never_fires_early")
class EarlyTimer(ExampleLoop):
    def run_pass(self, block):
        self.deadlines.fire_due(self.clock() + 0.01)
        super().run_pass(block)


# Waking.


@fails("callbacks:what_another_thread_sends_while_the_loop_sleeps_runs_at_once")
class LosesWakes(ExampleLoop):
    def wake(self):
        pass


@fails("callbacks:a_wake_up_is_not_lost_when_something_new_is_watched_before_the_poll")
class ForgetsWakesBeforeThePoll(ExampleLoop):
    def poll(self, timeout):
        self.wake_pipe.clear()
        super().poll(timeout)


@fails("callbacks:a_hundred_thousand_wake_ups_are_not_as_many_passes")
class WakeBlocks(ExampleLoop):
    def open(self):
        super().open()
        os.set_blocking(self.wake_pipe._write, True)


@fails("callbacks:a_hundred_thousand_wake_ups_are_not_as_many_passes")
class WakesDoNotCoalesce(ExampleLoop):
    def open(self):
        super().open()

        class OneByOne(WakePipe):
            def clear(self):
                read_fd(self.fileno(), 1)

        self.epoll.unregister(self.wake_pipe)
        self.wake_pipe.close()
        self.wake_pipe = OneByOne()
        self.epoll.register(self.wake_pipe, select.EPOLLIN)


@fails("life:other_threads_may_wake_a_closed_loop")
class WakeAfterCloseRaises(ExampleLoop):
    def wake(self):
        if self.closed:
            raise ValueError("closed")
        super().wake()


@fails("life:waking_a_closed_loop_writes_to_nobody")
class WakeAfterCloseWritesToAStranger(ExampleLoop):
    def open(self):
        super().open()
        self.number = self.wake_pipe._write

    def wake(self):
        try:
            write_fd(self.number, b"w")
        except OSError:
            pass


# Events.


@fails("io:a_readable_fd_is_reported_at_every_pass_until_it_is_read")
class EdgeTriggered(
    watched_by(
        type(
            "Watch",
            (ExampleFdWatch,),
            {
                "set_mask": lambda self, mask: (
                    ExampleFdWatch.set_mask(self, mask),
                    self.loop.epoll.modify(self.fd, select.EPOLLET | mask_of(mask)),
                )
            },
        )
    )
):
    pass


class _AllEvents(ExampleFdWatch):
    def on_event(self, events):
        super().on_event(READ | WRITE)


@fails("io:events_come_first_if_asked_for")
class ReportsAllEvents(watched_by(_AllEvents)):
    pass


@fails("io:a_pipe_without_a_reader_is_writable")
class HidesErrors(ExampleLoop):
    def poll(self, timeout):
        for fd, events in self.epoll.poll(None if timeout < 0 else timeout):
            if fd == self.wake_pipe.fileno():
                self.wake_pipe.clear()
            else:
                self.fd_watches[fd].on_event(events & (select.EPOLLIN | select.EPOLLOUT) and mask_back(events))


@fails("io:an_event_ends_a_sleep")
class SleepsThroughEvents(ExampleLoop):
    """It sleeps until it is woken or the limit is reached, and then looks at the fds."""

    def poll(self, timeout):
        if timeout != 0.0:
            poll = original("select", "poll")()
            poll.register(self.wake_pipe, select.POLLIN)
            poll.poll(-1 if timeout < 0 else min(timeout, 3600.0) * 1000)
        super().poll(0.0)


@fails("io:hundreds_of_fds_are_all_reported_in_a_few_passes")
class OneEventEachPoll(ExampleLoop):
    def poll(self, timeout):
        for fd, events in self.epoll.poll(None if timeout < 0 else min(timeout, 3600.0), 1):
            if fd == self.wake_pipe.fileno():
                self.wake_pipe.clear()
            else:
                self.fd_watches[fd].on_event(mask_back(events))


class _CallsAtOnce(ExampleFdWatch):
    def on_event(self, events):
        for io in tuple(self.ios):
            if io.events & events and io.callback is not None:
                io.callback(*(io.args or ()))


@fails("life:user_code_does_not_run_inside_the_poll")
class RunsCallbacksInThePoll(watched_by(_CallsAtOnce)):
    pass
