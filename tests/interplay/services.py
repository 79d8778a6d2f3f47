"""Real servers for the tests: each started as a child in a folder of its own, on a Unix socket and a free port.

None of them uses the system's own instance or its data. Where the tests run as root the servers run as `nobody`,
because PostgreSQL refuses root.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 30.0  # seconds for a server to start
AS_NOBODY = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}

# Which program each service needs, where else it may be than on PATH, and Debian's package with it.
# The servers that Python modules are, SMTP's and FTP's, need none.
PROGRAMS = {
    "redis": ("redis-server", "", "redis-server"),
    "mariadb": ("mariadbd", "/usr/sbin", "mariadb-server-core"),
    "postgres": ("postgres", "/usr/lib/postgresql/*/bin", "postgresql"),
    "dnsmasq": ("dnsmasq", "/usr/sbin", "dnsmasq-base"),
    "curl": ("curl", "", "curl"),
    "openssl": ("openssl", "", "openssl"),
    "nginx": ("nginx", "/usr/sbin", "nginx-light"),
    "wrk": ("wrk", "", "wrk"),
    "chromium": ("chromium", "", "chromium"),
}


def program(service: str) -> str | None:
    """The path of the program of `service`, or None if it is not installed."""
    name, elsewhere, _ = PROGRAMS[service]
    places = sorted(map(str, Path("/").glob(elsewhere[1:])), reverse=True) if elsewhere else []
    # /usr/local/bin may have a link to postgres, which then does not find its own files; the folder comes first.
    return shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", os.defpath)]))


def missing(service: str) -> str | None:
    """What to install for `service`, or None if it is there."""
    if service not in PROGRAMS or program(service) is not None:
        return None
    name, _, package = PROGRAMS[service]
    return f"needs {name} (Debian: apt-get install {package}; or make interplay)"


def free_port() -> int:
    """A port that nobody has now, and that nobody is given who asks for any (on Linux those from 32768 on)."""
    while True:
        port = random.randrange(20_000, 32_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


class Server:
    """A running server: its folder, its `socket` (a path) and `port`, and its process, which may be killed."""

    def __init__(self, folder: Path, command: list[str], ready: bytes, path: str, port: int) -> None:
        self.folder, self.command, self.ready, self.path, self.port = folder, command, ready, path, port
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it (again), and wait until it says that it is ready."""
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # A Python may lie where only its user may go.
                **({} if self.command[0] == sys.executable else AS_NOBODY),
            )
        end = time.monotonic() + PATIENCE
        while self.ready not in log.read_bytes():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{self.command[0]} did not start; it said:\n{log.read_text(errors='replace')}")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it and its children at once, as a crash does."""
        assert self.process is not None
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def redis(folder: Path) -> Server:
    """A Redis server without persistence; with a certificate it speaks TLS on the port."""
    port, path = free_port(), str(folder / "s")
    pem = str(folder / "server.pem")
    command = [_path("redis"), "--bind", "127.0.0.1", "--unixsocket", path, "--unixsocketperm", "777"]
    command += ["--save", "", "--dir", str(folder)]
    if os.path.exists(pem):
        command += ["--port", "0", "--tls-port", str(port), "--tls-cert-file", pem, "--tls-key-file", pem]
        command += ["--tls-auth-clients", "no"]
    else:
        command += ["--port", str(port)]
    return Server(folder, command, b"Ready to accept connections", path, port)


def mariadb(folder: Path) -> Server:
    """A MariaDB server on an empty folder, without its table of users: everybody may do everything. With TLS."""
    (folder / "data").mkdir()
    _give_away(folder / "data")
    port, path = free_port(), str(folder / "s")
    command = [_path("mariadb"), "--no-defaults", f"--datadir={folder / 'data'}", f"--socket={path}"]
    command += [f"--port={port}", "--bind-address=127.0.0.1", "--skip-grant-tables", "--skip-networking=0"]
    command += ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", "--skip-log-bin"]
    command += [f"--pid-file={folder / 'pid'}"]
    if (folder / "server.pem").exists():
        command += [f"--ssl-cert={folder / 'server.pem'}", f"--ssl-key={folder / 'server.pem'}"]
    return Server(folder, command, b"ready for connections", path, port)


def postgres(folder: Path) -> Server:
    """A PostgreSQL server that trusts everybody, with the user and database `postgres`."""
    binary = _path("postgres")
    data = folder / "data"
    command = [str(Path(binary).with_name("initdb")), "-D", str(data), "-U", "postgres", "-A", "trust"]
    command += ["--no-sync", "-E", "UTF8", "--no-locale"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **AS_NOBODY)
    assert done.returncode == 0, done.stdout + done.stderr
    port = free_port()
    command = [binary, "-D", str(data), "-k", str(folder), "-p", str(port), "-h", "127.0.0.1", "-F"]
    return Server(folder, command, b"ready to accept connections", str(folder), port)


def dnsmasq(folder: Path) -> Server:
    """A name server on UDP and TCP that knows the names under `.test` in its `hosts` and `options` files."""
    port = free_port()
    command = [_path("dnsmasq"), "--keep-in-foreground", "--no-resolv", "--no-hosts", "--log-facility=-"]
    command += [f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--local=/test/", "--no-poll"]
    command += [f"--conf-file={folder / 'options'}", f"--pid-file={folder / 'pid'}"]
    (folder / "options").touch()
    return Server(folder, command, b"started, version", "", port)


def smtp(folder: Path) -> Server:
    """A mail server that keeps what it gets in `folder`/mail, with STARTTLS."""
    port, pem = free_port(), str(folder / "server.pem")
    command = [sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}", "--tlscert", pem, "--tlskey", pem]
    command += ["-d", "--no-requiretls", "-c", "aiosmtpd.handlers.Mailbox", str(folder / "mail")]
    return Server(folder, command, b"Server is listening", "", port)


def ftp(folder: Path) -> Server:
    """A file server for the user `user` with the password `secret`."""
    port = free_port()
    command = [sys.executable, "-m", "pyftpdlib", "-i", "127.0.0.1", "-p", str(port), "-w", "-d", str(folder)]
    return Server(folder, [*command, "-u", "user", "-P", "secret"], b"starting FTP", "", port)


STARTERS: dict[str, Callable[[Path], Server]] = {
    "redis": redis,
    "mariadb": mariadb,
    "postgres": postgres,
    "dnsmasq": dnsmasq,
    "smtp": smtp,
    "ftp": ftp,
}


@contextmanager
def running(service: str, files: dict[str, bytes] | None = None) -> Iterator[Server]:
    """A server of `service`, in a folder that first gets `files`; it is killed and its folder removed at the end."""
    with short_folder() as folder:
        for name, content in (files or {}).items():
            (folder / name).write_bytes(content)
            _give_away(folder / name)
            (folder / name).chmod(0o600)
        server = STARTERS[service](folder)
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def short_folder() -> Iterator[Path]:
    """A new folder for Unix sockets, which may have a path of 107 bytes at most; the servers' user may enter it."""
    folder = Path(tempfile.mkdtemp(prefix="hub-", dir="/tmp"))
    try:
        _give_away(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _path(service: str) -> str:
    path = program(service)
    assert path is not None, missing(service)
    return path


def _give_away(path: Path) -> None:
    """To the user that the servers run as."""
    if AS_NOBODY:
        shutil.chown(path, "nobody", "nogroup")
