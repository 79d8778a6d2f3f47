"""A host's disk: the files under `Host.path`, which are slow, full or broken at times, and lose at a crash what was not
synced.

The files are real, in a folder of the run's own; `open` and `os.open` know the folder. What is durable is noted at
fsync: the file's content, and its name, as ext4, XFS and Btrfs do it; a rename is durable once its folder is synced,
or the file is synced again. At a crash each file that has changed since becomes a drawn mixture of what was durable and
what was written, in pieces of 512 bytes.

What takes long stops the whole program, as a read from a disk does, and not only one greenlet.
"""

from __future__ import annotations

import errno
import io
import os
import posix
import stat
from functools import partial
from typing import Any

from hubcore.testing.sim import _mirror
from hubcore.testing.sim._exchange import Exchange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from random import Random

_SECTOR = 512
_TAKES = {"open": (2e-5, 1e-4), "read": (2e-5, 2e-4), "write": (1e-5, 5e-5), "fsync": (1e-3, 1e-2)}  # seconds
_SLOWER = 100.0
FAULTS = ("ENOSPC", "EIO", "slow")
_exchanges: dict[str, Exchange] = {}
_by_root: dict[str, Disk] = {}


class Disk:
    """The disk of one host, in the folder `root`."""

    def __init__(self, root: str, random: Random) -> None:
        self.root = root
        self.fault = ""
        self.debt = 0.0  # seconds that the program has to stand still for what it did
        self._random = random
        self._content: dict[int, bytes] = {}  # that is durable, by inode
        self._names: dict[str, int] = {}  # that are durable, by path below root
        os.makedirs(root)
        _by_root[root] = self

    # While the program runs.

    def check(self, what: str) -> None:
        """`what` is about to be done: let it take its time, or fail."""
        low, high = _TAKES[what]
        took = self._random.uniform(low, high)
        self.debt += took * _SLOWER if self.fault == "slow" else took
        if self.fault == "ENOSPC" and what == "write":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.fault == "EIO" and what != "open" and self._random.random() < 0.5:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def synced(self, fd: int, path: str) -> None:
        """The file, or the folder, `path`, open as `fd`, was synced."""
        status = os.fstat(fd)
        below = os.path.relpath(path, self.root)
        if stat.S_ISDIR(status.st_mode):
            prefix = "" if below == "." else below + os.sep
            names = {name: inode for name, inode in self._present().items() if _is_in(name, prefix)}
            self._names = {name: inode for name, inode in self._names.items() if not _is_in(name, prefix)} | names
        else:
            self._content[status.st_ino] = _contents(path)
            self._names[below] = status.st_ino

    # At a crash.

    def crash(self) -> None:
        """The power is off: what was not synced is lost, or half lost."""
        present = self._present()
        contents = {inode: _contents(os.path.join(self.root, name)) for name, inode in present.items()}
        after: dict[str, bytes] = {}
        for name in sorted(present.keys() | self._names.keys()):
            now, before = present.get(name), self._names.get(name)
            inode = now if now == before or self._random.random() < 0.5 else before
            if inode is not None:
                after[name] = self._left_of(inode, contents)
        for name in present:
            os.unlink(os.path.join(self.root, name))
        self._content.clear()
        self._names.clear()
        for name, data in after.items():
            path = os.path.join(self.root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with io.FileIO(path, "w") as file:
                file.write(data)
            inode = os.stat(path).st_ino
            self._content[inode] = data
            self._names[name] = inode

    def _left_of(self, inode: int, contents: dict[int, bytes]) -> bytes:
        durable = self._content.get(inode, b"")
        written = contents.get(inode, durable)
        if written == durable:
            return durable
        how = self._random.choice(("durable", "written", "beginning", "pieces"))
        if how in ("durable", "written"):
            return durable if how == "durable" else written
        if how == "beginning":
            cut = self._random.randrange(0, len(written) + 1)
            cut = min(-(-cut // _SECTOR) * _SECTOR, len(written))
            return written[:cut] + durable[cut:]
        size = len(written) if self._random.random() < 0.5 else len(durable)
        pieces = []
        for at in range(0, size, _SECTOR):
            source = written if self._random.random() < 0.5 else durable
            pieces.append(source[at : at + _SECTOR].ljust(min(_SECTOR, size - at), b"\0"))
        return b"".join(pieces)

    def _present(self) -> dict[str, int]:
        """The inode of each file there is, by its path below root."""
        found = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode):
                    found[os.path.relpath(path, self.root)] = status.st_ino
        return found


def _is_in(name: str, prefix: str) -> bool:
    """Whether the file is directly in the folder of that prefix."""
    return name.startswith(prefix) and os.sep not in name[len(prefix) :]


def _contents(path: str) -> bytes:
    with io.FileIO(path) as file:
        return file.readall() or b""


class DiskFile(io.FileIO):
    """A raw file on a simulated disk."""

    def __init__(self, disk: Disk, path: Any, mode: str, opener: Any) -> None:
        disk.check("open")
        self._disk = disk
        super().__init__(path, mode, opener=opener)

    def write(self, data: Any) -> int | None:  # type: ignore[override]
        """As FileIO.write."""
        self._disk.check("write")
        return super().write(data)

    def truncate(self, size: int | None = None) -> int:
        """As FileIO.truncate."""
        self._disk.check("write")
        return super().truncate(size)

    def readinto(self, buffer: Any) -> int | None:
        """As FileIO.readinto."""
        self._disk.check("read")
        return super().readinto(buffer)

    def readall(self) -> bytes | None:  # type: ignore[override]
        """As FileIO.readall."""
        self._disk.check("read")
        return super().readall()


def _disk_of(path: Any) -> Disk | None:
    """The disk that the file `path`, or the fd, is on."""
    if not _by_root or isinstance(path, int):
        return None
    try:
        full = os.path.abspath(os.fsdecode(path))
    except (TypeError, ValueError):
        return None
    for root, disk in _by_root.items():
        if full == root or full.startswith(root + os.sep):
            return disk
    return None


def _open(
    file: Any,
    mode: Any = "r",
    buffering: int = -1,
    encoding: Any = None,
    errors: Any = None,
    newline: Any = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    disk = _disk_of(file)
    plain = partial(_exchanges["open"].original, file, mode, buffering, encoding, errors, newline, closefd, opener)
    if disk is None or not isinstance(mode, str) or not closefd:
        return plain()
    binary = "b" in mode
    kind = "".join(letter for letter in mode if letter not in "bt")
    wrong = len(set(mode)) < len(mode) or set(mode) - set("rwxab+t") or sum(letter in "rwxa" for letter in mode) != 1
    if (
        wrong
        or (binary and ("t" in mode or encoding or errors or newline is not None))
        or (buffering == 0 and not binary)
    ):
        return plain()  # which has the right error
    raw = DiskFile(disk, file, kind, opener)
    try:
        if buffering == 0:
            return raw
        size = io.DEFAULT_BUFFER_SIZE if buffering in (-1, 1) else buffering
        buffer: Any
        if "+" in kind:
            buffer = io.BufferedRandom(raw, size)
        elif kind == "r":
            buffer = io.BufferedReader(raw, size)
        else:
            buffer = io.BufferedWriter(raw, size)
        if binary:
            return buffer
        text = io.TextIOWrapper(buffer, io.text_encoding(encoding), errors, newline, buffering == 1)
        text.mode = mode  # type: ignore[misc]
    except BaseException:
        raw.close()
        raise
    return text


def _posix_open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
    disk = _disk_of(path) if dir_fd is None else None
    if disk is not None:
        disk.check("open")
        if disk.fault == "ENOSPC" and flags & os.O_CREAT and not os.path.exists(path):
            disk.check("write")
    fd: int = _exchanges["posix.open"].original(path, flags, mode, dir_fd=dir_fd)
    if disk is not None:
        _mirror.before_write[fd] = partial(disk.check, "write")
    return fd


def _sync(name: str) -> Any:
    def call(fd: Any) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        path = ""
        if _by_root:
            try:
                path = os.readlink(f"/proc/self/fd/{number}")
            except OSError:
                pass
        disk = _disk_of(path) if path else None
        if disk is None:
            _exchanges[name].original(fd)
            return
        # Nothing is gained by the real one: it is the simulated power that fails.
        disk.check("fsync")
        disk.synced(number, path)

    return call


def install() -> None:
    """Have `open` and its like know the disks. For the whole process."""
    table: list[tuple[str, Any, Any]] = [
        ("open", io.open, _open), ("posix.open", posix.open, _posix_open), ("fsync", posix.fsync, _sync("fsync")),
        ("fdatasync", posix.fdatasync, _sync("fdatasync")),
    ]  # fmt: skip
    for name, builtin, replacement in table:
        if name in _exchanges:
            _exchanges[name].make_again()
        else:
            _exchanges[name] = Exchange(builtin, replacement)


def uninstall() -> None:
    """Undo `install`."""
    for exchange in _exchanges.values():
        exchange.take_back()


def forget_all() -> None:
    """The run is over."""
    _by_root.clear()
    _mirror.before_write.clear()
