"""The standard library's subprocess module, made cooperative: calls that would block wait in the hub.

`Popen` is a subclass of the standard library's; the functions here use it. Every other name, constants and errors
included, is the standard library's own.
"""

from __future__ import annotations

import subprocess as _stdlib
from subprocess import (
    DEVNULL,
    PIPE,
    STDOUT,
    CalledProcessError,
    CompletedProcess,
    SubprocessError,
    TimeoutExpired,
)

from hubcore._base.hints import Any
from hubcore._base.package import publish_all
from hubcore._process.popen import Popen
from hubcore.hub import get_hub_if_any
from hubcore.scopes import CancelScope

# The names that patching sets in the standard library's module. Its functions use its `Popen`, so this one suffices.
__implements__: list[str] = ["Popen"]


def call(*popenargs: Any, timeout: float | None = None, **kwargs: Any) -> int:
    """Like subprocess.call. Switches."""
    with Popen(*popenargs, **kwargs) as process:
        try:
            return process.wait(timeout=timeout)
        except BaseException as error:
            _put_down(process, error)
            raise


def check_call(*popenargs: Any, **kwargs: Any) -> int:
    """Like subprocess.check_call. Switches."""
    status = call(*popenargs, **kwargs)
    if status:
        raise CalledProcessError(status, _command(popenargs, kwargs))
    return 0


def check_output(*popenargs: Any, timeout: float | None = None, **kwargs: Any) -> Any:
    """Like subprocess.check_output. Switches."""
    for name in ("stdout", "check"):
        if name in kwargs:
            raise ValueError(f"{name} argument not allowed, it will be overridden.")
    if "input" in kwargs and kwargs["input"] is None:
        # input=None means empty input; the child does not inherit this process's standard input.
        text = any(kwargs.get(name) for name in ("universal_newlines", "text", "encoding", "errors"))
        kwargs["input"] = "" if text else b""
    return run(*popenargs, stdout=PIPE, timeout=timeout, check=True, **kwargs).stdout


def run(
    *popenargs: Any,
    input: Any = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **kwargs: Any,
) -> CompletedProcess[Any]:
    """Like subprocess.run. Switches. If the caller is killed or cancelled meanwhile, it kills and reaps the child."""
    if input is not None:
        if kwargs.get("stdin") is not None:
            raise ValueError("stdin and input arguments may not both be used.")
        kwargs["stdin"] = PIPE
    if capture_output:
        if kwargs.get("stdout") is not None or kwargs.get("stderr") is not None:
            raise ValueError("stdout and stderr arguments may not be used with capture_output.")
        kwargs["stdout"] = kwargs["stderr"] = PIPE
    with Popen(*popenargs, **kwargs) as process:
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except BaseException as error:
            _put_down(process, error)
            raise
        status = process.poll()
        if check and status:
            raise CalledProcessError(status, process.args, output=stdout, stderr=stderr)
    return CompletedProcess(process.args, status, stdout, stderr)  # type: ignore[arg-type]


def getstatusoutput(cmd: Any, *, encoding: str | None = None, errors: str | None = None) -> tuple[int, str]:
    """Like subprocess.getstatusoutput. Switches."""
    try:
        output = check_output(cmd, shell=True, text=True, stderr=STDOUT, encoding=encoding, errors=errors)
        status = 0
    except CalledProcessError as error:
        output = error.output
        status = error.returncode
    return status, output[:-1] if output[-1:] == "\n" else output


def getoutput(cmd: Any, *, encoding: str | None = None, errors: str | None = None) -> str:
    """Like subprocess.getoutput. Switches."""
    return getstatusoutput(cmd, encoding=encoding, errors=errors)[1]


def _command(popenargs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    command = kwargs.get("args")
    return popenargs[0] if command is None else command


def _put_down(process: Popen, error: BaseException) -> None:
    """Kill the child because of `error`, and reap it, also inside a cancelled scope, where every other wait raises.

    After a Ctrl-C, which the child received as well, the program does not wait for the child.
    """
    process.kill()
    if isinstance(error, KeyboardInterrupt):
        return
    if get_hub_if_any() is None:
        process.wait()
        return
    with CancelScope(shield=True):
        process.wait()


def __getattr__(name: str) -> Any:
    if name == "FileObject":  # gevent has it here
        from hubcore.fileobject import FileObject

        return FileObject
    # Looked up, not copied: every name of the running Python version is found, also one that is set later.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


__all__ = [
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "CalledProcessError",
    "CompletedProcess",
    "Popen",
    "SubprocessError",
    "TimeoutExpired",
    "call",
    "check_call",
    "check_output",
    "getoutput",
    "getstatusoutput",
    "run",
]


publish_all(globals())
