"""Compiles the C programs of this package on first use: the load generator and what C alone can do."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from benchmarks.model import RESULTS, Unavailable

SOURCES = Path(__file__).resolve().parent / "c"
LIBRARIES: dict[str, list[str]] = {"echo_load": [], "echo_server": ["-lev"], "pingpong": ["-lev"]}


def program(name: str) -> str:
    """The path of the compiled program, built if its source is newer."""
    source = SOURCES / f"{name}.c"
    binary = RESULTS / "bin" / name
    if binary.exists() and binary.stat().st_mtime >= source.stat().st_mtime:
        return str(binary)
    binary.parent.mkdir(parents=True, exist_ok=True)
    partial = binary.with_name(f"{name}.{os.getpid()}")  # renamed when whole: two runs may build at once
    command = [*shlex.split(os.environ.get("CC", "cc")), "-O2", "-Wall", "-o", str(partial), str(source)]
    try:
        done = subprocess.run([*command, *LIBRARIES[name]], capture_output=True, text=True, check=False, timeout=120)
    except FileNotFoundError as error:
        raise Unavailable(f"needs a C compiler: {error.strerror}: {error.filename}") from None
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
        raise Unavailable(f"{source.name} did not compile (Debian: apt-get install gcc libev-dev): {first}")
    partial.replace(binary)
    return str(binary)
