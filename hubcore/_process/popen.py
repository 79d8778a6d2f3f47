"""Popen: the standard library's class with cooperative waits.

Everything up to the exec is the standard library's own. It forks in C (usually by vfork). No Python code runs in the
child, not even at-fork handlers, unless there is a `preexec_fn`. The thread is blocked only until the exec.
"""

from __future__ import annotations

import os
import subprocess as _stdlib
from math import inf
from select import POLLIN
from signal import SIGKILL
from subprocess import SubprocessError, TimeoutExpired
from time import monotonic

from hubcore._base.hints import Any, Callable
from hubcore._base.originals import allocate_lock, close_fd, set_blocking
from hubcore._base.originals import waitpid as native_waitpid
from hubcore._core.deadlines import as_seconds
from hubcore._io.fd_waits import FdWaits, blocks_for_others
from hubcore._io.native_poll import LONGEST, wait_natively
from hubcore._process.child_wait import wait_for_process
from hubcore._process.communicate import Communication
from hubcore._process.exit_link import ExitLink
from hubcore._process.pipes import Pipe, blocking_again, open_pipe
from hubcore._sync.links import DirectLink
from hubcore._sync.steps import note_try_if_patched
from hubcore._watchers.child import ChildEnd, sleep_until_ended
from hubcore.event import AsyncResult
from hubcore.hub import get_hub_if_any

_NO_PIPES = {"stdin": -1, "stdout": -1, "stderr": -1}


TYPE_CHECKING = False
if TYPE_CHECKING:
    _StdlibPopen = _stdlib.Popen[Any]
else:
    _StdlibPopen = _stdlib.Popen


class Popen(_StdlibPopen):
    """subprocess.Popen, made cooperative: calls that would block let other greenlets run.

    Greenlets of any threads, and threads without a hub, may wait for the same child, also by `hubcore.wait` and
    `iwait`. After an interrupted wait, also one in `communicate`, the caller can wait again; no data is lost.
    `threadpool` is accepted for compatibility with gevent and ignored: no wait uses a thread.
    """

    if TYPE_CHECKING:
        # Attributes of the standard library's class that its published type lacks.
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

    # Shared defaults: most children have no pipes, and the cost of one list for each attribute would be measurable.
    _reopened: Any = ()
    _unopened: Any = ()  # this process's ends of pipes that no file object owns yet
    _exchange: Any = None  # a Communication
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
        self._result: AsyncResult[int] | None = None
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

    # The start: the standard library's, except for the pipes.

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
        return p2cread, -1, -1, c2pwrite, -1, errwrite  # so that the base class makes no files of our ends

    def _blocking(self, given: Any) -> Any:
        """Return the file or fd, if possible a blocking one, from which the base class makes the child's `given`."""
        if given is None or (isinstance(given, int) and given < 0):
            return given
        fd = given if isinstance(given, int) else given.fileno()
        if isinstance(getattr(given, "_fd_waits", None), FdWaits) and hasattr(given, "getpeername"):
            # A hubcore socket; an isinstance test would import the whole socket module.
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
        """Make file objects of this process's ends of the pipes. Return their fds by name."""
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
        # A native lock, held only for one non-blocking waitpid: it never blocks a thread, as a greenlet's lock could.
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
            raise  # the exec failed; the base class has reaped that child, so its pid may belong to another process
        except BaseException:
            if self._child_created and self.returncode is None:
                self._end_unknown_child()
            raise
        finally:
            if self._reopened:
                self._close_reopened()

    def _end_unknown_child(self) -> None:
        """Kill and reap a child whose constructor was interrupted during its wait for the exec.

        That wait is cooperative where os.read is patched. The caller has no object for this child.
        """
        try:
            os.kill(self.pid, SIGKILL)
            self._handle_exitstatus(native_waitpid(self.pid, 0)[1])
        except OSError:
            pass  # other code has reaped it

    # Waiting for the end.

    def poll(self) -> int | None:
        """Like subprocess.Popen.poll. Where threads are greenlets, a loop over it lets others run now and then."""
        status = super().poll()
        if status is None:
            note_try_if_patched()
        return status

    def wait(self, timeout: float | None = None) -> int:
        """Like subprocess.Popen.wait, cooperatively. Switches unless the child has ended."""
        if timeout is not None:
            as_seconds(timeout, "a timeout")
        return super().wait(timeout)

    def _reap(self) -> int | None:
        """Like `poll`, but wait for another thread that is in it and return what it found. Never switches."""
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
        """Wait until the child has ended, at most `seconds`; does not reap it. May return early. Switches."""
        hub = get_hub_if_any()
        if hub is None:
            self._sleep_natively(seconds)
            return
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return  # other code has reaped it; the caller's next look finds that out
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
        """Like subprocess.Popen.send_signal. The signal never reaches another process that has got the same pid."""
        self.poll()
        if self.returncode is not None:
            return
        with self._waitpid_lock:
            # While the lock is held, no thread reaps the child through this object, so its pid cannot be reused.
            if self.returncode is None:
                try:
                    os.kill(self.pid, sig)
                except ProcessLookupError:
                    pass

    # Communicating.

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        """Like subprocess.Popen.communicate. Switches.

        After a timeout, a kill or another interrupt, the caller can call it again, without `input`. No data is lost:
        the next call keeps what was read, and writes the rest of the input.
        """
        if timeout is not None:
            as_seconds(timeout, "a timeout")
        elif not self._communication_started:
            files = [each for each in (self.stdin, self.stdout, self.stderr) if each is not None]
            if len(files) == 1 and isinstance(files[0], Pipe) and not files[0].closed:
                # Without a timeout the standard library would read it in one call; an interrupt would lose the data.
                timeout = inf
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
        try:
            self.wait(timeout=None if endtime is None or endtime == inf else endtime - monotonic())
        except TimeoutExpired as error:
            error.timeout = orig_timeout  # type: ignore[assignment] # and not what was left of it
            raise
        self._outcome = self._finish(self.stdout, parts[0]), self._finish(self.stderr, parts[1])
        self._exchange = None  # frees the pieces that it read
        return self._outcome

    def _begin_input(self, input: Any) -> memoryview | None:
        """Flush stdin, and return the data to write to it, if any. Without `input`, close it. May switch."""
        if self.stdin is None:
            return None
        try:
            self.stdin.flush()
        except BrokenPipeError:
            pass  # the child has closed its input: unwanted data is dropped, as everywhere in communicate
        except ValueError:
            if not self.stdin.closed:
                raise
            return None
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
        """Return all data that came from `file`, as bytes or text. Closes a Pipe."""
        if parts is None:
            return None
        data = b"".join(parts)
        if isinstance(file, Pipe) and not file.closed:
            return file.finish(data)
        if self.text_mode:
            return self._translate_newlines(data, file.encoding, file.errors)
        return data

    @property
    def result(self) -> AsyncResult[int]:
        """An AsyncResult that gets the return code when the child has ended. The first use starts to wait for that.

        Never switches.
        """
        if self._result is None:
            self._result = result = AsyncResult()
            if self.returncode is None:
                self.rawlink(lambda child: result.set(child.returncode))
            else:
                result.set(self.returncode)
        return self._result

    # For `hubcore.wait` and `iwait`.

    def ready(self) -> bool:
        """Return whether the child has ended. Reaps it if so. Never switches."""
        return self._reap() is not None

    def rawlink(self, callback: Callable[[Any], object]) -> None:
        """Call `callback(self)` once in the calling thread's hub when the child has ended; soon if it already has.

        The callback must not wait. In a thread without a hub, a new thread waits for the child and calls it. Never
        switches. TypeError if `callback` is not callable.
        """
        if not callable(callback):
            raise TypeError(f"a link must be callable, not {callback!r}")
        link = ExitLink(self, callback)
        self._links.append(link)
        link.start()

    def unlink(self, callback: object) -> None:
        """Undo a `rawlink` of `callback`; do nothing if there is none or it was called. In the linking thread only."""
        for link in tuple(self._links):
            if link.callback is callback or (not isinstance(callback, DirectLink) and link.callback == callback):
                link.stop()
                return
