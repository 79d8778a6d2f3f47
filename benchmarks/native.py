"""Compiles the C programs of this package on first use: the load generator and what C alone can do."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from benchmarks.model import RESULTS, Unavailable

SOURCES = Path(__file__).resolve().parent / "c"
PROGRAMS: dict[str, tuple[str, list[str]]] = {  # source and flags
    "echo_load": ("echo_load", []),
    "tls_echo_load": ("echo_load", ["-DTLS", "-lssl", "-lcrypto"]),
    "socket_load": ("socket_load", []),
    "echo_server": ("echo_server", ["-lev"]),
    "pingpong": ("pingpong", ["-lev"]),
}


def program(name: str) -> str:
    """The path of the compiled program, built if its source, or a header, is newer."""
    stem, flags = PROGRAMS[name]
    source = SOURCES / f"{stem}.c"
    binary = RESULTS / "bin" / name
    newest = max(path.stat().st_mtime for path in (source, *SOURCES.glob("*.h")))
    if binary.exists() and binary.stat().st_mtime >= newest:
        return str(binary)
    binary.parent.mkdir(parents=True, exist_ok=True)
    partial = binary.with_name(f"{name}.{os.getpid()}")  # renamed when whole: two runs may build at once
    command = [*shlex.split(os.environ.get("CC", "cc")), "-O2", "-Wall", "-o", str(partial), str(source)]
    try:
        done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False, timeout=120)
    except FileNotFoundError as error:
        raise Unavailable(f"needs a C compiler: {error.strerror}: {error.filename}") from None
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
        raise Unavailable(f"{source.name} did not compile (Debian: apt-get install gcc libev-dev libssl-dev): {first}")
    partial.replace(binary)
    return str(binary)


def certificate() -> str:
    """The path of a certificate for localhost with its key in one file, made on first use."""
    path = RESULTS / "bin" / "localhost.pem"
    if path.exists():
        return str(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    key, signed = path.with_name(f"key.{os.getpid()}"), path.with_name(f"signed.{os.getpid()}")
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", "/CN=localhost"]
    command = ["openssl", "req", "-x509", *kind, "-keyout", str(key), "-out", str(signed)]
    try:
        subprocess.run(command, capture_output=True, check=True, timeout=60)
    except FileNotFoundError:
        raise Unavailable("needs the openssl command (Debian: apt-get install openssl)") from None
    key.write_text(key.read_text() + signed.read_text())
    signed.unlink()
    key.replace(path)
    return str(path)
