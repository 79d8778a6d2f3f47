"""The ways in which a program gets hubcore in gevent's place."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from hubcore._gevent import wheel
from tests.support.paths import ROOT

WAYS = ("run", "HUB_DROPIN", "wheel")
REAL = "real"
JOBS = Path(__file__).parent / "jobs"


@dataclass(frozen=True)
class Start:
    """One way on one backend: how to start a Python program, and with which environment."""

    way: str
    backend: str
    folder: Path  # for files; it holds the unpacked wheel

    def command(self, *arguments: str) -> list[str]:
        """The command for `arguments` of python: a script with its arguments, or -m and a module with its."""
        if self.way == "run":
            return [sys.executable, "-m", "hubcore", "run", "--as-gevent", *arguments]
        return [sys.executable, *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of the program and of its children."""
        env = {name: text for name, text in os.environ.items() if not name.startswith(("HUB", "GEVENT", "JOB_"))}
        path = [str(JOBS), str(ROOT)]
        if self.way == "wheel":
            path.insert(0, str(self.folder / "wheel"))
        if self.way == REAL:
            env["JOB_REAL"] = "1"
            path.pop()
            env["GEVENT_LOOP"] = "libuv-cffi" if self.backend == "libuv" else "libev-cext"
        else:
            env["HUB_BACKEND"] = self.backend
        if self.way in ("run", "HUB_DROPIN"):  # of those that are run, the children get it by the hook
            env["HUB_DROPIN"] = "gevent"
        return env | {"PYTHONPATH": os.pathsep.join(path), "JOB_WAY": self.way, "PYTHONUNBUFFERED": "1"} | more


def prepare(folder: Path) -> None:
    """Unpack the wheel into `folder`, and install the start-up hook in this environment."""
    with zipfile.ZipFile(wheel.write(str(folder), "26.9.0")) as archive:
        archive.extractall(folder / "wheel")
    subprocess.run(
        [sys.executable, "-m", "hubcore", "patch-hook", "install"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
