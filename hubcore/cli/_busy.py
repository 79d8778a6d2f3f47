"""A process whose hub does not poll: what it does instead, as far as that can be seen from outside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time

_SCRIPT = "from hubcore._observe.answer import answer_now\nanswer_now()\n"


def run_remotely(pid: int) -> bool:
    """Have the interpreter of process `pid` answer, by sys.remote_exec (Python 3.14); False where it cannot.

    Fact: both processes must run the same version, and the other runs the script between two byte codes of its main
    thread, so not while that sleeps in C. Consequence: the caller still waits with a time limit.
    """
    remote_exec = getattr(sys, "remote_exec", None)
    if remote_exec is None:
        return False
    with tempfile.NamedTemporaryFile("w", suffix=".py", prefix="hubcore-", delete=False) as file:
        file.write(_SCRIPT)
    os.chmod(file.name, 0o644)
    try:
        remote_exec(pid, file.name)
        time.sleep(0.5)  # it opens the file when it gets to it
    except (OSError, RuntimeError, PermissionError):
        return False
    finally:
        os.unlink(file.name)
    return True


def describe(pid: int, seconds: float) -> str:
    """Say what the main thread of process `pid` does, which has not polled for `seconds` seconds."""
    before = _main_thread(pid)
    time.sleep(0.2)
    after = _main_thread(pid)
    if before is None or after is None:
        return f"process {pid} has ended"
    share = (after[1] - before[1]) / os.sysconf("SC_CLK_TCK") / 0.2
    does = f"uses {min(1.0, share):.0%} of a processor" if share > 0.05 else "sleeps in the kernel or waits for a lock"
    text = f"process {pid} is busy: the hub of its main thread has not polled for {seconds:g} s, and the thread {does}"
    stack = _stack(pid)
    hint = (
        "" if stack else "\n(with py-spy installed, this shows the stack of the greenlet that runs: pip install py-spy)"
    )
    return f"{text}{stack}{hint}"


def _main_thread(pid: int) -> tuple[str, int] | None:
    try:
        with open(f"/proc/{pid}/task/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[11]) + int(fields[12])


def _stack(pid: int) -> str:
    """The stacks that py-spy sees, if it is installed; that of the running greenlet is among them."""
    command = shutil.which("py-spy") or shutil.which("py-spy", path=os.path.dirname(sys.executable))
    if command is None:
        return ""
    try:
        done = subprocess.run(
            [command, "dump", "--nonblocking", "--pid", str(pid)],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return f"\n{done.stdout}" if done.returncode == 0 else ""
