"""Other people's programs, run without blocking the greenlets that they talk to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from hubcore import socket


class Done(NamedTuple):
    """A program that has ended."""

    status: int
    output: bytes  # of stdout and stderr


class Program:
    """A running program with pipes to its standard input and from its output."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.said = b""

    def tell(self, text: bytes) -> None:
        """Write to its input, a little."""
        assert self.process.stdin is not None
        self.process.stdin.write(text)

    def end_input(self) -> None:
        """Let it see the end of its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def hear(self, text: bytes) -> None:
        """Wait until it has written `text`, and forget everything up to there."""
        while text not in self.said:
            assert self._read(), f"{text!r} did not come; it said {self.said!r}"
        self.said = self.said.partition(text)[2]

    def finish(self) -> Done:
        """Wait for its end."""
        while self._read():
            pass
        pidfd = os.pidfd_open(self.process.pid)
        try:
            socket.wait_read(pidfd)
        finally:
            os.close(pidfd)
        return Done(self.process.wait(), self.said)

    def _read(self) -> bytes:
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        socket.wait_read(fd)
        part = os.read(fd, 65536)
        self.said += part
        return part


@contextmanager
def program(*command: str) -> Iterator[Program]:
    """Start a program; at the end it is killed if it still runs."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as process:
        try:
            yield Program(process)
        finally:
            process.kill()


def run(*command: str, input: bytes = b"") -> Done:
    """Run a program to its end. Switches."""
    with program(*command) as running:
        if input:
            running.tell(input)
        running.end_input()
        return running.finish()
