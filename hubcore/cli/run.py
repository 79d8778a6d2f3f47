"""`hubcore run`: a program as python runs it."""

from __future__ import annotations

import os
import runpy
import sys
from importlib.util import find_spec

from hubcore.cli import INTERRUPTED
from hubcore.cli._output import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


def main(program: list[str], *, module: bool = False, backend: str | None = None) -> int:
    """Run `program`, a script or a module and its arguments, and return its exit status; SystemExit passes through."""
    if backend is not None:
        from hubcore.backends import loop_class
        from hubcore.exceptions import BackendUnavailable

        try:
            loop_class(backend)
        except BackendUnavailable as error:
            complain(str(error))
            return 2
        # The variable rather than hubcore.config: the program's own processes inherit it.
        os.environ["HUB_BACKEND"] = backend
    name = program[0]
    sys.argv[:] = program
    if not sys.flags.safe_path:
        # What was there belongs to the command: its own folder, or the current one.
        sys.path[0] = os.getcwd() if module else os.path.dirname(os.path.realpath(name))
    try:
        problem = _module_problem(name) if module else _script_problem(name)
        if problem:
            complain(problem)
            return 2
        if module:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(name, run_name="__main__")
    except SystemExit:
        raise
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:
        trace = _of_the_program(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return 1
    return 0


def _script_problem(path: str) -> str | None:
    try:
        os.stat(path)
    except (OSError, ValueError) as error:
        return f"cannot run {path!r}: {getattr(error, 'strerror', None) or error}"
    if os.path.isdir(path) and not os.path.exists(os.path.join(path, "__main__.py")):
        return f"cannot run {path!r}: the folder has no __main__.py"
    return None


def _module_problem(name: str) -> str | None:
    """Why there is no such module to run; importing the packages that it is in may raise whatever these raise."""
    try:
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            if find_spec(f"{name}.__main__") is None:
                return f"cannot run the package {name!r}: it has no module __main__"
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, and what it needs is not
        spec = None
    except (ValueError, ImportError) as error:
        return f"cannot run the module {name!r}: {error}"
    return None if spec is not None else f"there is no module {name!r}"


def _of_the_program(trace: TracebackType | None) -> TracebackType | None:
    """`trace` from where the program's own frames begin; all of it where there is none of these."""
    ours = {__file__, runpy.__file__, "<frozen runpy>"}
    start = trace
    while start is not None and start.tb_frame.f_code.co_filename in ours:
        start = start.tb_next
    return start if start is not None else trace
