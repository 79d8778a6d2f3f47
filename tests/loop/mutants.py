"""Backends with one method wrong each, and the conformance test that is to fail on it.

    python -m tests.loop.mutants           run each on its test; a line for each, and status 1 if one passes
    python -m tests.loop.mutants Early     only those whose names begin so

They are in mutant_polls.py and mutant_loops.py: the backend of docs/write-a-backend.md but for what each gets wrong.
"""

import select
import sys

import pytest

from hubcore.watchers import READ, WRITE
from tests.support.example_backend import ExampleLoop

#: By the mutant's name, the class and the conformance test that fails on it.
MUTANTS = {}


def fails(test):
    """The mutant that follows fails `test`, which is "file:name" (without "test_", and "*" for any name's end)."""

    def add(mutant):
        mutant.name = f"{mutant.__module__}:{mutant.__qualname__}"
        MUTANTS[mutant.__name__] = (mutant, test)
        return mutant

    return add


def watched_by(watch_class):
    """A loop whose fds are watched by `watch_class`."""

    class Mutant(ExampleLoop):
        def make_fd_watch(self, fd):
            return watch_class(self, fd)

    return Mutant


def mask_of(mask):
    """epoll's events for hubcore's."""
    return (select.EPOLLIN if mask & READ else 0) | (select.EPOLLOUT if mask & WRITE else 0)


def mask_back(events):
    """hubcore's events for epoll's, without errors."""
    return (READ if events & select.EPOLLIN else 0) | (WRITE if events & select.EPOLLOUT else 0)


def load():
    """All mutants, as MUTANTS has them."""
    from tests.loop import mutant_loops, mutant_polls

    assert {mutant.__module__ for mutant, _ in MUTANTS.values()} == {mutant_loops.__name__, mutant_polls.__name__}
    return MUTANTS


def run(name, hang_after):
    """pytest's status for the mutant `name` on its test."""
    mutant, test = load()[name]
    file, _, function = test.partition(":")
    arguments = ["-q", "-x", "-p", "no:cacheprovider", "-p", "hubcore.testing.plugin", "--no-header", "--tb=line"]
    # hubcore is imported already; and a test that fails leaves things behind.
    arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning", "-p", "no:unraisableexception"]
    arguments += ["--pyargs", f"hubcore.testing.conformance.test_{file}", "-k", f"test_{function.rstrip('*')}"]
    return pytest.main([*arguments, f"--hub-backend={mutant.__module__}:{name}", f"--hub-hang-after={hang_after}"])


def main(begins):
    """Run those mutants whose names begin with `begins`; the names of those that passed."""
    return [name for name in load() if name.startswith(begins) and run(name, 2) != pytest.ExitCode.TESTS_FAILED]


if __name__ == "__main__":
    # By its real name, under which pytest imports it.
    from tests.loop import mutants

    passed = mutants.main(*sys.argv[1:] or [""])
    print(f"{len(mutants.MUTANTS)} mutants; passed: {', '.join(passed) or 'none'}")
    sys.exit(bool(passed))
