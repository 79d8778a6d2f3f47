"""`hubcore run`: a program as python runs it."""

from __future__ import annotations

import os
import sys
from importlib.machinery import BYTECODE_SUFFIXES, ModuleSpec, PathFinder, SourceFileLoader, SourcelessFileLoader
from importlib.util import find_spec
from types import ModuleType

from hubcore.cli._output import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType
    from typing import Any


class NotThere(Exception):
    """There is no such program; the text says what is missing."""


def main(
    program: list[str],
    *,
    module: bool = False,
    backend: str | None = None,
    patch: Callable[[], object] | None = None,
    begin: Callable[[], object] | None = None,
) -> int:
    """Run `program`, a script or a module and its arguments, and return its exit status.

    SystemExit passes through, and so does KeyboardInterrupt, which is reported before.

    `patch` is called before anything of the program is imported, `begin` once it is found. What is wrong with the
    environment, and what `patch` raises of StaleReferences, ImportError and ValueError, is said, with the status 2.
    """
    from hubcore import _environment
    from hubcore.exceptions import StaleReferences

    try:
        _environment.check(backend)
    except (ImportError, ValueError, TypeError) as error:
        complain(" ".join(str(error).split()))
        return 2
    if backend is not None:
        # The variable rather than hubcore.config: the program's own processes inherit it.
        os.environ["HUB_BACKEND"] = backend
    try:
        if patch is not None:
            patch()
    except (StaleReferences, ImportError, ValueError) as error:
        complain(str(error))
        return 2
    if program[0] == "--" and len(program) > 1 and not module:
        program = program[1:]
    sys.argv[:] = program
    try:
        code, attributes = find_module(program[0]) if module else find_script(program[0])
        fresh = ModuleType("__main__")
        fresh.__dict__.update(attributes, __builtins__=sys.modules["builtins"])
        if sys.version_info < (3, 14):
            fresh.__annotations__  # noqa: B018  # asked for, it is made, as the interpreter makes its __main__'s
        # For good: threads and exit handlers of the program may outlive its last line.
        sys.modules["__main__"] = fresh
        if begin is not None:
            begin()
        exec(code, fresh.__dict__)
    except NotThere as error:
        complain(str(error))
        return 2
    except SystemExit:
        raise
    except BaseException as error:
        trace = _of_the_program(error.__traceback__)
        _report(error.with_traceback(trace))
        if isinstance(error, KeyboardInterrupt):
            _leave_unsaid(error)
            raise  # so that the interpreter ends, in its own way, by SIGINT: a shell's loop stops then
        return 1
    return 0


def find_script(name: str) -> tuple[CodeType, dict[str, Any]]:
    """The code of a file, or of the __main__ in a folder or archive, and what its module knows of itself.

    `-` is what comes on stdin, as with python.
    """
    if name == "-":
        _set_first_path("")
        return compile(sys.stdin.buffer.read(), "<stdin>", "exec", dont_inherit=True), {"__file__": "<stdin>"}
    try:
        os.stat(name)
    except (OSError, ValueError) as error:
        raise NotThere(f"cannot run {name!r}: {getattr(error, 'strerror', None) or error}") from None
    path = os.path.join(os.getcwd(), name)
    spec = PathFinder.find_spec("__main__", [path])
    if spec is not None:
        _set_first_path(path)
        return _of_spec(spec)
    if os.path.isdir(path):
        raise NotThere(f"cannot run {name!r}: the folder has no __main__.py")
    if sys.path_importer_cache.get(path) is not None:
        raise NotThere(f"cannot run {name!r}: the archive has no __main__.py")
    _set_first_path(os.path.dirname(os.path.realpath(path)))
    loader: SourceFileLoader | SourcelessFileLoader
    if path.endswith(tuple(BYTECODE_SUFFIXES)):
        loader = SourcelessFileLoader("__main__", path)
        code = loader.get_code("__main__")
    else:
        loader = SourceFileLoader("__main__", path)
        try:
            source = loader.get_data(path)
        except OSError as error:
            raise NotThere(f"cannot run {name!r}: {error.strerror}") from None
        code = loader.source_to_code(source, path)
    if code is None:
        raise NotThere(f"cannot run {name!r}: there is no code in it")
    return code, {"__file__": path, "__loader__": loader, "__package__": None, "__spec__": None, "__cached__": None}


def find_module(name: str) -> tuple[CodeType, dict[str, Any]]:
    """The code of a module, or of the __main__ of a package, and what it knows of itself; argv[0] becomes its file."""
    _set_first_path(os.getcwd())
    spec = _spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = _spec(f"{name}.__main__")
        if spec is None:
            raise NotThere(f"cannot run the package {name!r}: it has no module __main__")
    if spec is None:
        raise NotThere(f"there is no module {name!r}")
    found = _of_spec(spec)
    sys.argv[0] = spec.origin or name
    return found


def _spec(name: str) -> ModuleSpec | None:
    """None if there is no such module. Imports the packages that it is in, which may raise whatever they raise."""
    try:
        return find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, and what it needs is not
        return None
    except (ValueError, ImportError) as error:
        raise NotThere(f"cannot run the module {name!r}: {error}") from None


def _of_spec(spec: ModuleSpec) -> tuple[CodeType, dict[str, Any]]:
    get_code = getattr(spec.loader, "get_code", None)
    code = get_code(spec.name) if get_code is not None else None
    if code is None:
        raise NotThere(f"cannot run the module {spec.name!r}: there is no Python code of it")
    return code, {
        "__file__": spec.origin,
        "__loader__": spec.loader,
        "__package__": spec.parent,
        "__spec__": spec,
        "__cached__": spec.cached,
    }


def _set_first_path(path: str) -> None:
    """Replace the command's own folder, or the current one, at the head of sys.path."""
    if not sys.flags.safe_path:
        sys.path[0] = path


def _report(error: BaseException) -> None:
    """Have sys.excepthook report `error`; what that raises itself is reported as the interpreter does."""
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except SystemExit:
        raise
    except BaseException as another:
        another.__context__ = None
        for heading, each in (("Error in sys.excepthook:", another), ("\nOriginal exception was:", error)):
            print(heading, file=sys.stderr)
            trace = _of_the_program(each.__traceback__)
            sys.__excepthook__(type(each), each.with_traceback(trace), trace)


def _leave_unsaid(error: BaseException) -> None:
    """Have the interpreter not report `error` again, with hubcore's frames."""
    hook = sys.excepthook

    def of_others(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
        if value is not error:
            hook(kind, value, trace)

    sys.excepthook = of_others


def _of_the_program(trace: TracebackType | None) -> TracebackType | None:
    """`trace` from where the program's own frames begin; None where there are none, as in a syntax error."""
    start = trace
    while start is not None:
        file = start.tb_frame.f_code.co_filename
        if file != __file__ and not file.startswith("<frozen importlib"):
            break
        start = start.tb_next
    return start
