"""Processes of runs: one that has patched and imported everything, and forks another for each run.

So no run sees what another has left behind, none begins with an import, and the calling process is never patched.
Jobs and outcomes cross a pair of pipes, each as its length and its pickle.
"""

from __future__ import annotations

import faulthandler
import gc
import io
import os
import pickle
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

from hubcore._base.originals import close_fd, original, read_fd, write_fd
from hubcore.testing.sim import _builtins
from hubcore.testing.sim._inside import install, place_of, simulate
from hubcore.testing.sim._settings import Outcome, Settings

_LENGTH = struct.Struct("!Q")
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_SHOW = signal.SIGUSR2  # has a run show its stack


class Template:
    """Runs `main(sim, *args)` as often as `run` is called, each time in a new process. Close it."""

    def __init__(self, main: Callable[..., object], args: tuple[object, ...]) -> None:
        if _builtins.world is not None:
            raise RuntimeError("a simulation is running already, and cannot be begun within itself")
        to_read, self._jobs = os.pipe()
        self._outcomes, to_write = os.pipe()
        self._stacks = tempfile.TemporaryFile()  # noqa: SIM115  # for as long as this lives
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a fork in a process with threads: the child starts none of them
            self._pid = original("os", "fork")()
        if self._pid == 0:
            close_fd(self._jobs)
            close_fd(self._outcomes)
            _serve(main, args, to_read, to_write, self._stacks.fileno())
        close_fd(to_read)
        close_fd(to_write)

    def run(self, settings: Settings) -> Outcome:
        """One run. Blocks the whole thread. If it is interrupted, the run is killed; a test that hangs shows where."""
        if self._pid == 0:
            raise RuntimeError("the processes of the runs are gone")
        try:
            _send(self._jobs, settings)
            outcome = _receive(self._outcomes)
        except BaseException as error:
            stack = self._stack() if type(error).__name__ == "Hang" else ""
            self.close()
            if stack:
                error.add_note(f"the simulated program was at:\n{stack}")
            raise
        if outcome is None:
            self.close()
            raise RuntimeError("the process from which runs are forked has ended")
        assert isinstance(outcome, Outcome)
        return outcome

    def _stack(self) -> str:
        """The Python stack of the run that is under way."""
        try:
            os.killpg(self._pid, _SHOW)
        except OSError:
            return ""
        original("time", "sleep")(0.3)
        self._stacks.seek(0)
        return self._stacks.read().decode(errors="replace")

    def close(self) -> None:
        """End the processes. Harmless when done before."""
        pid, self._pid = self._pid, 0
        if pid:
            close_fd(self._jobs)
            close_fd(self._outcomes)
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            except PermissionError:
                os.kill(pid, signal.SIGKILL)
            original("os", "waitpid")(pid, 0)
            self._stacks.close()

    def __enter__(self) -> Template:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def _send(fd: int, value: object) -> None:
    _send_bytes(fd, pickle.dumps(value))


def _send_bytes(fd: int, data: bytes) -> None:
    view = memoryview(_LENGTH.pack(len(data)) + data)
    while view:
        view = view[write_fd(fd, view[:65536]) :]


def _receive_bytes(fd: int) -> bytes | None:
    """None at the end of the pipe."""
    wanted, found = _LENGTH.size, b""
    length = None
    while len(found) < wanted:
        data = read_fd(fd, min(wanted - len(found), 1 << 20))
        if not data:
            return None
        found += data
        if length is None and len(found) == _LENGTH.size:
            length = _LENGTH.unpack(found)[0]
            wanted, found = length, b""
    return found


def _receive(fd: int) -> Any:
    data = _receive_bytes(fd)
    return None if data is None else pickle.loads(data)


# In the template.


def _serve(main: Callable[..., object], args: tuple[object, ...], jobs: int, outcomes: int, stacks: int) -> None:
    """Never returns."""
    status = 1
    try:
        os.setpgid(0, 0)  # so that Ctrl-C reaches the caller alone, who then ends this and what it forked
        _die_with_parent()
        for number in (signal.SIGINT, _SHOW):
            signal.signal(number, signal.SIG_IGN)
        _get_ready(main)
        while (data := _receive_bytes(jobs)) is not None:
            _fork_run(main, args, pickle.loads(data), jobs, outcomes, stacks)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _get_ready(main: Callable[..., object]) -> None:
    from hubcore import config
    from hubcore._patching.patch_all import patch_all
    from hubcore.hub import set_hub

    set_hub(None)
    config.monitor_thread = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what runs in the caller: it is not here
        patch_all(rebind=True)
    install()
    # What is imported at the first use is imported here, and not in each run.
    simulate(_warm_up, (), Settings(order="random"))
    # Names that a program's functions import when they run.
    for name in ("encodings.idna", "concurrent.futures.thread", "logging", "selectors", "stringprep"):
        __import__(name)
    gc.collect()
    gc.freeze()  # what is here is not looked at again by the collector, and so stays shared with the runs


def _warm_up(sim: Any) -> None:
    import socket

    def serve() -> None:
        with socket.create_server(("", 80)) as listener:
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(connection.recv(100))

    host = sim.host("host", serve)
    with socket.create_connection(("host", 80), 5) as sock:
        sock.sendall(b"x")
        sock.recv(10)
    sim.partition("test", "host")
    sim.heal()
    sim.faults("partition", "pause", until=sim.now + 5.0)
    time.sleep(6.0)
    host.kill()


def _fork_run(
    main: Callable[..., object], args: tuple[object, ...], settings: Settings, jobs: int, outcomes: int, stacks: int
) -> None:
    to_read, to_write = os.pipe()
    pid = original("os", "fork")()
    if pid == 0:
        try:
            _die_with_parent()
            close_fd(jobs)
            close_fd(to_read)
            os.lseek(stacks, 0, os.SEEK_SET)
            faulthandler.register(_SHOW, file=stacks, all_threads=False)
            _send_bytes(to_write, packed(simulate(main, args, settings)))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        finally:
            os._exit(0)
    close_fd(to_write)
    data = _receive_bytes(to_read)
    close_fd(to_read)
    status = original("os", "waitpid")(pid, 0)[1]
    if data is None:
        how = os.waitstatus_to_exitcode(status)
        what = f"signal {signal.Signals(-how).name}" if how < 0 else f"status {how}"
        error = RuntimeError(f"the process of the run of seed {settings.seed} ended by {what}, without an outcome")
        data = packed(Outcome(settings.seed, settings.order, error=error, trace=str(error), place=place_of(error)))
    _send_bytes(outcomes, data)


def _die_with_parent() -> None:
    """Be killed when the process that forked this one has ended, also by a signal that it cannot catch."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass  # not Linux: then the end of a pipe says so, once a run has ended


# What crosses the pipe.


class SimulatedError(Exception):
    """Stands for an exception that cannot cross a pipe; the text begins with its type."""


def packed(outcome: Outcome) -> bytes:
    """`outcome` as bytes; what cannot be pickled of it is told instead."""
    error = outcome.error
    if error is None:
        try:
            return _checked_pickle(outcome)
        except Exception as failure:
            text = f"the result of the program cannot be pickled: {_shown(outcome.result)} ({failure})"
            error = TypeError(f"{text}; return something that can be, or give fork=False")
            outcome.trace = str(error)
            outcome.place = place_of(error)
    outcome.result = None
    outcome.error = error
    for attempt in (error, _told(error)):
        outcome.error = attempt
        try:
            return _checked_pickle(outcome)
        except Exception:
            continue
    outcome.error = SimulatedError(f"{type(error).__name__}: it can neither be pickled nor told")
    return pickle.dumps(outcome)


class _Pickler(pickle.Pickler):
    """Takes exceptions apart by their fields, as many have an __init__ that does not take their `args`."""

    def reducer_override(self, value: Any) -> Any:
        # An __init__ in C, as SystemExit has, sets fields that are not in `vars`; pickle's own way calls it.
        kind: Any = type(value)
        own = isinstance(value, BaseException) and isinstance(kind.__init__, FunctionType)
        if own and kind.__reduce__ is BaseException.__reduce__:
            state = {
                name: each for name, each in vars(value).items() if not name.startswith("_") or name == "__notes__"
            }
            return _rebuilt, (type(value), value.args, state)
        return NotImplemented


def _rebuilt(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _pickled(outcome: Outcome) -> bytes:
    file = io.BytesIO()
    _Pickler(file).dump(outcome)
    return file.getvalue()


def _checked_pickle(outcome: Outcome) -> bytes:
    data = _pickled(outcome)
    found = pickle.loads(data)
    if type(found.error) is not type(outcome.error) or str(found.error) != str(outcome.error):
        raise TypeError("it is not what it was")
    return data


def _told(error: BaseException) -> SimulatedError:
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be told)"
    told = SimulatedError(f"{type(error).__module__}.{type(error).__qualname__}: {text}")
    for note in getattr(error, "__notes__", ()):
        told.add_note(note)
    return told


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        return f"a {type(value).__name__}"
    return text if len(text) <= 300 else text[:300] + "..."
