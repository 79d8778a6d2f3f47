"""`hubcore run`: runs a program as python runs it."""

from __future__ import annotations

import os
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    BuiltinImporter,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import find_spec
from types import ModuleType

from hubcore._base.hints import Any, CodeType
from hubcore.cli._output import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from hubcore.cli._program import Program


class NotThere(Exception):
    """The program does not exist or cannot be run; the text names it and the reason. `status` is python's for that."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


def main(
    program: Program,
    *,
    backend: str | None = None,
    patch: Callable[[], object] | None = None,
    begin: Callable[[], object] | None = None,
) -> int:
    """Run `program`. Return its exit status, which is python's, also if there is no such program.

    SystemExit passes through; so does KeyboardInterrupt, after its report. run calls `patch` before it imports anything
    of the program, and `begin` once it has found the program. For an error in the environment, or a StaleReferences,
    ImportError or ValueError from `patch`, it prints the error and returns 2.
    """
    from hubcore._patching import environment as _environment
    from hubcore.exceptions import StaleReferences

    try:
        _environment.check(backend)
    except (ImportError, ValueError, TypeError) as error:
        complain(" ".join(str(error).split()))
        return 2
    if backend is not None:
        # The environment variable rather than hubcore.config: the program's child processes inherit it.
        os.environ["HUB_BACKEND"] = backend
    try:
        if patch is not None:
            patch()
    except (StaleReferences, ImportError, ValueError) as error:
        complain(str(error))
        return 2
    name = program.words[0]
    sys.argv[:] = program.words
    find = {"script": find_script, "module": find_module, "code": compile_code}[program.kind]
    try:
        code, attributes = find(name)
        if sys.version_info >= (3, 15):
            attributes.pop("__cached__", None)  # which modules do not have any more
        fresh = ModuleType("__main__")
        fresh.__dict__.update(attributes, __builtins__=sys.modules["builtins"])
        if sys.version_info < (3, 14):
            fresh.__annotations__  # noqa: B018  # reading the attribute creates it, as it exists in the interpreter's own __main__
        # Never restored: threads and exit handlers of the program may run after its last line.
        sys.modules["__main__"] = fresh
        if begin is not None:
            begin()
        exec(code, fresh.__dict__)
    except NotThere as error:
        complain(str(error))
        return error.status
    except SystemExit:
        raise
    except BaseException as error:
        trace = _of_the_program(error.__traceback__)
        _report(error.with_traceback(trace))
        if isinstance(error, KeyboardInterrupt):
            _leave_unsaid(error)
            raise  # the interpreter then ends itself by SIGINT, and a shell's loop stops
        return 1
    return 0


def find_script(name: str) -> tuple[CodeType, dict[str, Any]]:
    """Return the code of a file, or of __main__ in a folder or archive, and the attributes of its module.

    `-` reads the program from stdin, as python does.
    """
    if name == "-":
        _set_first_path("")
        return compile(sys.stdin.buffer.read(), "<stdin>", "exec", dont_inherit=True), {"__file__": "<stdin>"}
    try:
        os.stat(name)
    except (OSError, ValueError) as error:
        raise NotThere(f"cannot run {name!r}: {getattr(error, 'strerror', None) or error}", 2) from None
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
            raise NotThere(f"cannot run {name!r}: {error.strerror}", 2) from None
        code = loader.source_to_code(source, path)
    if code is None:
        raise NotThere(f"cannot run {name!r}: the file has no code in it")
    return code, {"__file__": path, "__loader__": loader, "__package__": None, "__spec__": None, "__cached__": None}


def compile_code(text: str) -> tuple[CodeType, dict[str, Any]]:
    """Return the code of `text`, as python -c runs it, and the attributes of its module; set argv[0] to `-c`."""
    sys.argv[0] = "-c"
    _set_first_path("")
    source = f"{text}\n"
    if sys.version_info >= (3, 14):
        import textwrap

        source = textwrap.dedent(source)
    if sys.version_info >= (3, 13):  # whose tracebacks show the lines of the code
        import linecache

        linecache.cache["<string>"] = (len(source), None, source.splitlines(True), "<string>")
    return compile(source, "<string>", "exec", dont_inherit=True), {"__loader__": BuiltinImporter}


def find_module(name: str) -> tuple[CodeType, dict[str, Any]]:
    """Return the code of a module, or of __main__ in a package, and its attributes; set argv[0] to its file."""
    _set_first_path(os.getcwd())
    spec = _spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = _spec(f"{name}.__main__")
        if spec is None:
            raise NotThere(f"cannot run the package {name!r}: it has no module __main__")
    if spec is None:
        raise NotThere(f"cannot run the module {name!r}: no module has that name")
    found = _of_spec(spec)
    sys.argv[0] = spec.origin or name
    return found


def _spec(name: str) -> ModuleSpec | None:
    """Return the spec, or None if the module does not exist. Imports its parent packages, which may raise anything."""
    try:
        return find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module exists, and a module that it needs does not
        return None
    except (ValueError, ImportError) as error:
        raise NotThere(f"cannot run the module {name!r}: {error}") from None


def _of_spec(spec: ModuleSpec) -> tuple[CodeType, dict[str, Any]]:
    get_code = getattr(spec.loader, "get_code", None)
    code = get_code(spec.name) if get_code is not None else None
    if code is None:
        raise NotThere(f"cannot run the module {spec.name!r}: it has no Python code")
    return code, {
        "__file__": spec.origin,
        "__loader__": spec.loader,
        "__package__": spec.parent,
        "__spec__": spec,
        "__cached__": spec.cached,
    }


def _set_first_path(path: str) -> None:
    """Replace the first item of sys.path, which is the command's own folder or the current one, by `path`."""
    if not sys.flags.safe_path:
        sys.path[0] = path


def _report(error: BaseException) -> None:
    """Pass `error` to sys.excepthook. If the hook raises, report both errors as the interpreter does."""
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
    """Keep the interpreter from reporting `error` a second time, with hubcore's frames."""
    hook = sys.excepthook

    def of_others(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
        if value is not error:
            hook(kind, value, trace)

    sys.excepthook = of_others


def _of_the_program(trace: TracebackType | None) -> TracebackType | None:
    """Return `trace` from the program's first frame on; None if it has no frame, as for a syntax error."""
    start = trace
    while start is not None:
        file = start.tb_frame.f_code.co_filename
        if file != __file__ and not file.startswith("<frozen importlib"):
            break
        start = start.tb_next
    return start
