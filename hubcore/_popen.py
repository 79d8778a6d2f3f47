"""Popen: the standard library's, with other waits.

Everything up to the exec is the standard library's own. It forks in C (vfork, mostly), where no Python code runs in
the child, at-fork handlers included, unless there is a `preexec_fn`; only as long as that takes, until the exec, the
thread is blocked.
"""

from __future__ import annotations

import os
import subprocess as _stdlib
from math import inf
from select import POLLIN
from signal import SIGKILL
from subprocess import SubprocessError, TimeoutExpired
from time import monotonic

from hubcore._children import ChildEnd, sleep_until_ended
from hubcore._childwait import wait_for_process
from hubcore._deadlines import as_seconds
from hubcore._endlink import ExitLink
from hubcore._exchange import Communication
from hubcore._links import DirectLink
from hubcore._nativepoll import LONGEST, wait_natively
from hubcore._originals import allocate_lock, close_fd, set_blocking
from hubcore._originals import waitpid as native_waitpid
from hubcore._pipes import Pipe, blocking_again, open_pipe
from hubcore._sockwait import FdWaits, blocks_for_others
from hubcore.hub import get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_NO_PIPES = {"stdin": -1, "stdout": -1, "stderr": -1}


class Popen(_stdlib.Popen):  # type: ignore[type-arg]
    """subprocess.Popen, cooperatively: what would block lets other greenlets run.

    Greenlets of any threads, and threads without a hub, may wait for the same child. It can be waited for by
    `hubcore.wait` and `iwait`, too. A wait that is interrupted, also one in `communicate`, can be made again and has
    lost nothing. `threadpool` is accepted for gevent's sake: no wait takes a thread.
    """

    # What the standard library's class has and its published type does not.
    text_mode: Any
    encoding: str | None
    errors: str | None
    stdin: Any
    stdout: Any
    stderr: Any
    _communication_started: bool
    _child_created: bool
    _handle_exitstatus: Callable[[int], None]
    _check_timeout: Callable[..., None]
    _translate_newlines: Callable[[bytes, Any, Any], str]

    # Until there are any: most children have no pipes, and a list for each of these shows beside what a child costs.
    _reopened: Sequence[int] = ()
    _unopened: Sequence[tuple[str, int]] = ()  # our ends of pipes that no file has yet
    _exchange: Communication | None = None
    _outcome: tuple[Any, Any] | None = None

    def __init__(
        self,
        args: Any,
        bufsize: int = -1,
        executable: Any = None,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        preexec_fn: Callable[[], object] | None = None,
        close_fds: bool = True,
        shell: bool = False,
        cwd: Any = None,
        env: Any = None,
        universal_newlines: bool | None = None,
        startupinfo: Any = None,
        creationflags: int = 0,
        restore_signals: bool = True,
        start_new_session: bool = False,
        pass_fds: Any = (),
        *,
        user: Any = None,
        group: Any = None,
        extra_groups: Any = None,
        encoding: str | None = None,
        errors: str | None = None,
        text: bool | None = None,
        umask: int = -1,
        pipesize: int = -1,
        process_group: int | None = None,
        threadpool: object = None,
    ) -> None:
        self._bufsize = -1 if bufsize is None else bufsize
        self._links: list[ExitLink] = []
        try:
            super().__init__(
                args,
                bufsize,
                executable,
                stdin,
                stdout,
                stderr,
                preexec_fn,
                close_fds,
                shell,
                cwd,
                env,
                universal_newlines,
                startupinfo,
                creationflags,
                restore_signals,
                start_new_session,
                pass_fds,
                user=user,
                group=group,
                extra_groups=extra_groups,
                encoding=encoding,
                errors=errors,
                text=text,
                umask=umask,
                pipesize=pipesize,
                process_group=process_group,
            )
        except BaseException:
            for _, fd in self._unopened:
                close_fd(fd)
            self._unopened = ()
            raise

    # Starting: the standard library's, but for the pipes.

    def _get_handles(self, stdin: Any, stdout: Any, stderr: Any) -> tuple[int, int, int, int, int, int]:
        if stdin is None and stdout is None and stderr is None:
            return -1, -1, -1, -1, -1, -1
        try:
            given = [self._blocking(each) for each in (stdin, stdout, stderr)]
            handles = super()._get_handles(*given)  # type: ignore[misc]
        except BaseException:
            self._close_reopened()
            raise
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite = handles
        ours = {"stdin": p2cwrite, "stdout": c2pread, "stderr": errread}
        self._unopened = [(name, fd) for name, fd in ours.items() if fd >= 0]
        return p2cread, -1, -1, c2pwrite, -1, errwrite  # so that it makes no files of ours

    def _blocking(self, given: Any) -> Any:
        """What to make `given`, one of the child's standard files, from."""
        if given is None or (isinstance(given, int) and given < 0):
            return given
        fd = given if isinstance(given, int) else given.fileno()
        if isinstance(getattr(given, "_fd_waits", None), FdWaits) and hasattr(given, "getpeername"):
            # A socket of ours, without an import of all that sockets need.
            if blocks_for_others(given):
                set_blocking(fd, True)
            return fd
        again = blocking_again(fd)
        if again != fd:
            self._reopened = (*self._reopened, again)
        return again

    def _close_reopened(self) -> None:
        reopened = self._reopened
        self._reopened = ()
        for fd in reopened:
            close_fd(fd)

    def _open_pipes(self) -> dict[str, int]:
        """Make files of our ends of the pipes; their fds by name."""
        ours = dict(_NO_PIPES)
        text = bool(self.text_mode)
        while self._unopened:
            *self._unopened, (name, fd) = self._unopened
            mode = "wb" if name == "stdin" else "rb"
            setattr(self, name, open_pipe(fd, mode, self._bufsize, text, self.encoding, self.errors))
            ours[name] = fd
        return ours

    def _execute_child(
        self,
        args: Any,
        executable: Any,
        preexec_fn: Any,
        close_fds: Any,
        pass_fds: Any,
        cwd: Any,
        env: Any,
        startupinfo: Any,
        creationflags: Any,
        shell: Any,
        p2cread: int,
        p2cwrite: int,
        c2pread: int,
        c2pwrite: int,
        errread: int,
        errwrite: int,
        *more: Any,
    ) -> None:
        # Held for one waitpid that does not wait, so it never keeps a thread; a greenlet's lock could.
        self._waitpid_lock = allocate_lock()
        try:
            ours = self._open_pipes() if self._unopened else _NO_PIPES
            super()._execute_child(  # type: ignore[misc]
                args,
                executable,
                preexec_fn,
                close_fds,
                pass_fds,
                cwd,
                env,
                startupinfo,
                creationflags,
                shell,
                p2cread,
                ours["stdin"],
                ours["stdout"],
                c2pwrite,
                ours["stderr"],
                errwrite,
                *more,
            )
        except (OSError, SubprocessError):
            raise  # why there is no such program; that child has ended, and whose its pid is by now nobody knows
        except BaseException:
            if self._child_created and self.returncode is None:
                self._end_unknown_child()
            raise
        finally:
            if self._reopened:
                self._close_reopened()

    def _end_unknown_child(self) -> None:
        """The wait for the exec, which is cooperative where os.read is patched, was ended: nobody knows the child."""
        try:
            os.kill(self.pid, SIGKILL)
            self._handle_exitstatus(native_waitpid(self.pid, 0)[1])
        except OSError:
            pass  # somebody else has reaped it

    # Waiting for the end.

    def wait(self, timeout: float | None = None) -> int:
        """As subprocess.Popen.wait, cooperatively. Switches unless the child has ended."""
        if timeout is not None:
            as_seconds(timeout, "a timeout")
        return super().wait(timeout)

    def _reap(self) -> int | None:
        """As `poll`, but where another thread is at it, know what that one finds out. Never switches."""
        with self._waitpid_lock:
            if self.returncode is None:
                pid, status = self._try_wait(os.WNOHANG)  # type: ignore[attr-defined]  # which never switches, patched or not
                if pid == self.pid:
                    self._handle_exitstatus(status)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        end = None if timeout is None else monotonic() + timeout
        while self.returncode is None and self._reap() is None:
            left = None if end is None else min(end - monotonic(), LONGEST)
            if left is not None and left <= 0:
                raise TimeoutExpired(self.args, timeout)  # type: ignore[arg-type]
            self._sleep(left)
        return self.returncode

    def _sleep(self, seconds: float | None) -> None:
        """Wait until the child has ended, which does not reap it, at most `seconds`. May return early. Switches."""
        hub = get_hub_if_any()
        if hub is None:
            self._sleep_natively(seconds)
            return
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return  # somebody else has reaped it, which the next look tells
        except (AttributeError, OSError):
            waiter = hub.new_waiter(self)
            with ChildEnd(hub.loop, self.pid) as end:
                end.start(waiter.wake)
                hub.park(waiter, seconds)
            return
        try:
            wait_for_process(hub, fd, self, seconds)
        finally:
            close_fd(fd)

    def _sleep_natively(self, seconds: float | None) -> None:
        if seconds is None:
            sleep_until_ended(self.pid)
            return
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        except (AttributeError, OSError):
            super()._wait(seconds)  # type: ignore[misc]
            return
        try:
            wait_natively(fd, POLLIN, seconds)
        finally:
            close_fd(fd)

    def send_signal(self, sig: int) -> None:
        """As subprocess.Popen.send_signal. It never goes to another process, whoever waits meanwhile."""
        self.poll()
        if self.returncode is not None:
            return
        with self._waitpid_lock:
            # While it is held no thread reaps the child here, so its pid stays its own.
            if self.returncode is None:
                try:
                    os.kill(self.pid, sig)
                except ProcessLookupError:
                    pass

    # Communicating.

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        """As subprocess.Popen.communicate. Switches.

        After a timeout, a kill or an interrupt it can be called again, without `input`, and loses nothing: what was
        read is kept, and what was not written yet is written.
        """
        if timeout is not None:
            as_seconds(timeout, "a timeout")
        elif not self._communication_started:
            files = [each for each in (self.stdin, self.stdout, self.stderr) if each is not None]
            if len(files) == 1 and isinstance(files[0], Pipe) and not files[0].closed:
                timeout = (
                    inf  # else the standard library would read it at one go, and lose it where that is interrupted
                )
        return super().communicate(input, timeout)

    def _communicate(self, input: Any, endtime: float | None, orig_timeout: float | None) -> tuple[Any, Any]:
        if self._outcome is not None:
            return self._outcome
        if self._exchange is None:
            self._exchange = Communication(self.stdin, self._begin_input(input), self.stdout, self.stderr)
        received = self._exchange.received
        parts = [None if each is None else received[each] for each in (self.stdout, self.stderr)]
        if not self._exchange.run(inf if endtime is None else endtime):
            self._check_timeout(endtime, orig_timeout, *parts, skip_check_and_raise=True)
        self.wait(timeout=None if endtime is None or endtime == inf else endtime - monotonic())
        self._outcome = self._finish(self.stdout, parts[0]), self._finish(self.stderr, parts[1])
        self._exchange = None  # with all that it read, in pieces
        return self._outcome

    def _begin_input(self, input: Any) -> memoryview | None:
        """What is to be written to stdin, if anything, after what is in its buffer, which is written now."""
        if self.stdin is None:
            return None
        try:
            self.stdin.flush()
        except BrokenPipeError:
            pass  # as of everything that the child does not want
        if not input:
            try:
                self.stdin.close()
            except BrokenPipeError:
                pass
            return None
        if self.text_mode:
            input = input.encode(self.stdin.encoding, self.stdin.errors)
        return memoryview(input).cast("B")

    def _finish(self, file: Any, parts: list[bytes] | None) -> Any:
        """All that came from `file`, which is closed: bytes or text."""
        if parts is None:
            return None
        data = b"".join(parts)
        if isinstance(file, Pipe) and not file.closed:
            return file.finish(data)
        if self.text_mode:
            return self._translate_newlines(data, file.encoding, file.errors)
        return data

    # Being waited for, together with others.

    def ready(self) -> bool:
        """Whether the child has ended. Never switches."""
        return self._reap() is not None

    def rawlink(self, callback: Callable[[Any], object]) -> None:
        """Have `callback(self)` called once, when the child has ended, in the calling thread's hub, where it must not
        wait. If it has ended already, soon. In a thread without a hub, a thread of its own waits and calls it.
        """
        if not callable(callback):
            raise TypeError(f"a link must be callable, not {callback!r}")
        link = ExitLink(self, callback)
        self._links.append(link)
        link.start()

    def unlink(self, callback: object) -> None:
        """Undo a `rawlink` of `callback`; harmless if there is none or it was called. In the thread that linked."""
        for link in tuple(self._links):
            if link.callback is callback or (not isinstance(callback, DirectLink) and link.callback == callback):
                link.stop()
                return
