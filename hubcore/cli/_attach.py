"""Asks a running process that uses hubcore, through its mailbox (`hubcore._core.mailbox`). Linux only.

The tool needs the right to debug the process (ptrace): the same user, or root, and a kernel that permits it. It writes
the request into the process's memory, wakes its hub, and is answered on a Unix socket of its own. It runs no code
there.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import tempfile
import time
from contextlib import contextmanager
from struct import Struct

from hubcore.cli._elf import symbol_offset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_MAILBOX = Struct("=8sIiiII108s256s")
_POSTED, _PATH, _REQUEST = 20, 28, 136  # offsets, see mailbox.pxd
_OWN_MAPS = "/proc/self/maps"
_BUSY_AFTER = 2.0  # seconds
_TURN = 5.0
_SILENCE = 15.0

_NO_RIGHT = (
    "no permission to debug process {pid}: run the command as the same user or with sudo; in a container add "
    "--cap-add SYS_PTRACE; where kernel.yama.ptrace_scope is 1 or more, only root or a parent process may"
)


class CannotAsk(Exception):
    """The process cannot be asked; the text says why, and what would be right."""


class Failed(Exception):
    """The process was asked, and did not answer as it should."""


class Busy(Exception):
    """The process does not look into its mailbox; the text says what it does instead."""


class Target:
    """A process that uses hubcore. CannotAsk if it does not, or may not be asked."""

    def __init__(self, pid: int) -> None:
        check_system()
        self.pid = pid
        self.proc = f"/proc/{pid}"
        self._check_process()
        path, base = self._library()
        self.address = base + self._offset(path)
        try:
            self.memory = os.open(f"{self.proc}/mem", os.O_RDWR | os.O_CLOEXEC)
        except PermissionError:
            raise CannotAsk(_NO_RIGHT.format(pid=pid)) from None
        except OSError as error:
            raise CannotAsk(f"cannot read the memory of process {pid}: {error.strerror}") from None
        try:
            self.wake_fd = self._check_mailbox()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the process's memory."""
        os.close(self.memory)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_process(self) -> None:
        if not os.path.isdir(self.proc):
            raise CannotAsk(f"there is no process {self.pid}")
        state = _status(self.pid).get("State", "?")[:1]
        if state in "ZX":
            raise CannotAsk(f"process {self.pid} has ended already (a zombie, which its parent has not waited for)")
        if state in "Tt":
            raise CannotAsk(f"process {self.pid} is stopped; let it go on (kill -CONT {self.pid})")

    def _library(self) -> tuple[str, int]:
        """Return the path of the module with the mailbox, and the address at which it is loaded."""
        try:
            with open(f"{self.proc}/maps") as file:
                lines = file.read().splitlines()
        except PermissionError:
            raise CannotAsk(_NO_RIGHT.format(pid=self.pid)) from None
        except (FileNotFoundError, ProcessLookupError):
            raise CannotAsk(f"there is no process {self.pid}") from None
        for line in lines:
            fields = line.split(None, 5)
            if len(fields) == 6 and "/hubcore/_core/mailbox." in fields[5] and int(fields[2], 16) == 0:
                return fields[5].removesuffix(" (deleted)"), int(fields[0].partition("-")[0], 16)
        what = "a kernel thread" if not lines else "no process that has imported hubcore (compiled)"
        raise CannotAsk(f"process {self.pid} is {what}")

    def _offset(self, path: str) -> int:
        try:
            with open(f"{self.proc}/root{path}", "rb") as file:
                offset = symbol_offset(file.read(), b"hubcore_mailbox")
        except PermissionError:
            raise CannotAsk(_NO_RIGHT.format(pid=self.pid)) from None
        except (OSError, ValueError) as error:
            raise CannotAsk(f"cannot read {path} of process {self.pid}: {error}") from None
        if offset is None:
            raise CannotAsk(f"{path} of process {self.pid} has no mailbox: its hubcore is of another version")
        return offset

    def _check_mailbox(self) -> int:
        try:
            data = os.pread(self.memory, _MAILBOX.size, self.address)
        except PermissionError:
            raise CannotAsk(_NO_RIGHT.format(pid=self.pid)) from None
        except OSError as error:
            raise CannotAsk(f"cannot read the memory of process {self.pid}: {error.strerror}") from None
        if len(data) < _MAILBOX.size:
            raise CannotAsk(f"process {self.pid} has ended")
        magic, version, pid, wake_fd, *_ = _MAILBOX.unpack(data)
        if magic != b"hubcore\0" or version < 1:
            raise CannotAsk(f"process {self.pid} has hubcore of another version, whose mailbox differs")
        inside = int(_status(self.pid).get("NSpid", str(self.pid)).split()[-1])
        if pid == inside and wake_fd == -1:
            raise CannotAsk(
                f"process {self.pid} cannot be asked: the hub of its main thread has ended, or HUBCORE_ATTACH=0 or "
                "PYTHON_DISABLE_REMOTE_DEBUG=1 is set there"
            )
        if pid != inside:
            raise CannotAsk(f"process {self.pid} has no hub in its main thread yet")
        return int(wake_fd)

    def ask(self, request: dict[str, object], wait: float = 0.0) -> Any:
        """Return what the process answers to `request`, which takes it `wait` seconds or more. Busy, Failed."""
        text = json.dumps(request).encode()
        with self._turn(), self._listener() as (listener, path):
            self._post(path, text)
            self._wake()
            listener.settimeout(_BUSY_AFTER)
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                connection = self._ask_otherwise(listener)
            with connection:
                return self._read(connection, wait)

    def _post(self, path: str, text: bytes) -> None:
        inside = path.removeprefix(f"{self.proc}/root").encode()
        posted = int.from_bytes(os.pread(self.memory, 4, self.address + _POSTED), "little")
        os.pwrite(self.memory, inside + b"\0", self.address + _PATH)
        os.pwrite(self.memory, text + b"\0", self.address + _REQUEST)
        number = (posted + 1) & 0xFFFFFFFF
        os.pwrite(self.memory, number.to_bytes(4, "little"), self.address + _POSTED)

    def _wake(self) -> None:
        try:
            fd = os.open(f"{self.proc}/fd/{self.wake_fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError:
            raise CannotAsk(_NO_RIGHT.format(pid=self.pid)) from None
        except OSError as error:
            raise Failed(f"process {self.pid} cannot be woken: {error.strerror}") from None
        try:
            os.write(fd, b"\0")
        except BlockingIOError:
            pass  # full: the hub wakes for that
        finally:
            os.close(fd)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait, 5 seconds at most, until no other tool asks the same process."""
        end = time.monotonic() + _TURN
        while True:
            try:
                fcntl.flock(self.memory, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Failed(f"another tool has been asking process {self.pid} for {_TURN:g} s") from None
                time.sleep(0.02)
        try:
            yield
        finally:
            fcntl.flock(self.memory, fcntl.LOCK_UN)

    @contextmanager
    def _listener(self) -> Iterator[tuple[socket.socket, str]]:
        """A socket in a folder that only the process's user and we can enter, where the process can see it."""
        folder = tempfile.mkdtemp(prefix="hubcore-", dir=f"{self.proc}/root/tmp")
        try:
            path = f"{folder}/s"
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
                listener.listen(1)
                owner = os.stat(self.proc)
                if os.geteuid() == 0 and owner.st_uid != 0:
                    os.chown(path, owner.st_uid, owner.st_gid)
                    os.chown(folder, owner.st_uid, owner.st_gid)
                yield listener, path
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _ask_otherwise(self, listener: socket.socket) -> socket.socket:
        """The hub does not poll. From Python 3.14 on, have the interpreter answer between two byte codes; else Busy."""
        from hubcore.cli._busy import describe, run_remotely

        if run_remotely(self.pid):
            try:
                return listener.accept()[0]
            except TimeoutError:
                pass
        raise Busy(describe(self.pid, _BUSY_AFTER))

    def _read(self, connection: socket.socket, wait: float) -> Any:
        connection.settimeout(_SILENCE + wait)
        parts = []
        try:
            while part := connection.recv(1 << 20):
                parts.append(part)
        except TimeoutError:
            raise Failed(f"process {self.pid} stopped answering") from None
        except ConnectionError:
            pass
        data = b"".join(parts)
        if not data.endswith(b"\n"):
            raise Failed(f"process {self.pid} ended while it answered" if data else f"process {self.pid} has ended")
        found = json.loads(data.splitlines()[-1])
        if isinstance(found, dict) and "error" in found:
            raise Failed(f"process {self.pid} could not answer: {found['error']}")
        return found


def check_system() -> None:
    """CannotAsk where processes cannot be looked into."""
    if not os.path.exists(_OWN_MAPS):
        raise CannotAsk("processes can be looked into on Linux only, where /proc is mounted")


def processes() -> list[int]:
    """Return the processes of this machine that have imported hubcore, as far as this user may see. CannotAsk."""
    check_system()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/maps") as file:
                    if "/hubcore/_core/mailbox." in file.read():
                        found.append(int(name))
            except OSError:
                continue  # another user's, or it has ended
    return sorted(found)


def _status(pid: int) -> dict[str, str]:
    try:
        with open(f"/proc/{pid}/status") as file:
            pairs = [line.partition(":") for line in file]
    except (FileNotFoundError, ProcessLookupError):
        raise CannotAsk(f"there is no process {pid}") from None
    return {name: value.strip() for name, _, value in pairs}
