"""A program for soaks: greenlets that wait for fds, which are closed, replaced, duplicated and nested at random.

`python -m tests.support.fd_soak SEED STEPS` prints "fine". Every wait ends by its event, by an OSError or by its time
limit; afterwards the loop serves a fresh connection, and it has not polled without end.
"""

import os
import random
import select as native_select
import socket as native_socket
import sys
import threading

from hubcore import Timeout, get_hub, joinall, select, sleep, socket, spawn
from hubcore import os as cooperative
from hubcore.exceptions import LoopExit
from hubcore.socket import wait_read, wait_write

PATIENCE = 20


class Soak:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.fds = []  # numbers that are open, and the program's own: those of a hub are not closed
        self.stale = []  # numbers that were closed; a hub or another thread may have opened them again
        self.tasks = []
        self.outcomes = {}

    def number(self):
        return self.random.choice(self.fds) if self.fds else -1

    def any_number(self):
        return self.random.choice(self.stale or [-1]) if self.random.random() < 0.2 else self.number()

    def close(self, number):
        self.fds.remove(number)
        self.stale.append(number)
        # The first one closes it behind the hub's back.
        self.random.choice([os.close, cooperative.close])(number)

    def open_pair(self):
        if self.random.random() < 0.5:
            a, b = native_socket.socketpair()
            self.fds += [a.detach(), b.detach()]
        else:
            self.fds += os.pipe()

    def open_epoll(self):
        """An epoll that watches numbers, other epolls among them: nested, in a circle, or closed."""
        new = native_select.epoll()
        fd = os.dup(new.fileno())
        for number in self.random.sample(self.fds, min(len(self.fds), 3)):
            try:
                new.register(number, native_select.EPOLLIN)
            except OSError as error:
                self.count(error)
        if self.random.random() < 0.3:
            try:
                new.register(fd, native_select.EPOLLIN)
            except OSError as error:
                self.count(error)
        new.close()
        self.fds.append(fd)

    def count(self, error):
        name = type(error).__name__
        self.outcomes[name] = self.outcomes.get(name, 0) + 1

    def wait(self):
        numbers = [self.any_number() for _ in range(3)]
        how = self.random.randrange(4)
        limit = self.random.choice([0.001, 0.005, 0.02])

        def run():
            try:
                with Timeout(limit * 2, False):
                    if how == 0:
                        wait_read(numbers[0], limit)
                    elif how == 1:
                        wait_write(numbers[0], limit)
                    elif how == 2:
                        select.select(numbers, numbers[:1], [], limit)
                    else:
                        poll = select.poll()
                        for number in numbers:
                            poll.register(max(number, 0), select.POLLIN)
                        poll.poll(limit * 1000)
                self.count(None)
            except (OSError, ValueError) as error:
                self.count(error)

        self.tasks.append(spawn(run))

    def act(self):
        number = self.number()
        what = self.random.randrange(8)
        if number < 0:
            return
        try:
            if what <= 1:
                self.close(number)
            elif what == 2:
                os.dup2(self.number(), number)
            elif what == 3:
                cooperative.dup2(self.number(), number)
            elif what == 4:
                self.fds.append(os.dup(number))
            elif what == 5:
                os.set_blocking(number, False)
                os.write(number, b"x")
            elif what == 6:
                os.set_blocking(number, False)
                os.read(number, 100)
            else:
                self.random.choice(self.tasks or [spawn(int)]).kill(block=False)
        except OSError as error:
            self.count(error)

    def fork(self):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                for _ in range(5):
                    self.wait()
                    self.act()
                sleep(0.002)
                check_service()
                status = 0
            finally:
                os._exit(status)
        status = cooperative.waitpid(pid, 0)[1]
        assert status == 0, f"the child ended with {status}"

    def thread(self):
        """A thread with a hub of its own, which waits for the same numbers and is destroyed while greenlets wait."""

        def run():
            soak = Soak(self.random.random())
            soak.fds = list(self.fds)
            for _ in range(5):
                soak.wait()
            sleep(0)
            if soak.random.random() < 0.5:
                get_hub().destroy()

        thread = threading.Thread(target=run)
        thread.start()
        while thread.is_alive():
            sleep(0.001)

    def run(self, steps):
        steps_of = [self.wait] * 8 + [self.act] * 6 + [self.open_pair] * 3 + [self.open_epoll, self.fork, self.thread]
        self.open_pair()
        for _ in range(steps):
            self.random.choice(steps_of)()
            if self.random.random() < 0.3:
                sleep(self.random.choice([0, 0, 0.001]))
            if len(self.fds) > 60:
                for number in self.fds[:30]:
                    self.close(number)
                del self.stale[:-30]
        joinall(self.tasks, timeout=PATIENCE, raise_error=True)
        assert all(task.ready() for task in self.tasks), "a wait did not end"
        check_service()
        before = get_hub().loop.passes
        sleep(0.05)
        assert get_hub().loop.passes - before < 100, "the loop spins"
        assert self.outcomes


def check_service():
    a, b = socket.socketpair()
    task = spawn(a.recv, 1)
    sleep(0)
    b.send(b"x")
    assert task.get(timeout=PATIENCE) == b"x"
    a.close()
    b.close()


if __name__ == "__main__":
    import faulthandler

    faulthandler.dump_traceback_later(100, exit=True)
    try:
        Soak(int(sys.argv[1])).run(int(sys.argv[2]))
    except LoopExit as error:
        sys.exit(f"LoopExit: {error}")
    print("fine")
