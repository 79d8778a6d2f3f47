"""Imports within hubcore go downward only, and other rules for its source that no linter knows."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

from tests import imports, pxd
from tests.imports import Import

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(path for suffix in ("py", "pxd") for path in (ROOT / "hubcore").rglob(f"*.{suffix}"))
MODULES = {imports.module_name(path, ROOT) for path in FILES}
LONGEST = 500

# Low to high. A module imports from its own layer and those below; `x.*` stands for what is inside the package x.
LAYERS = {
    "ground": """
        exceptions _checks _version config _pure _ready _deadlines _park _greenlet
        _spawn_site _spawn_stack _stacks _thread_ident _idents _calls _references _uncompiled _workers
        _coverage _coverage_tracer _compiled_modules _package _main_thread _child_exit _wait_errors _registry
        _native events _originals _cpython _plugins _patch_events _import_record
    """,
    "seam": "loop watchers _children _rare_watchers _signals backends backends.*",
    "switching": """
        _above
        hub _waiter _scheduler _interrupts _rawgreenlet _fork _arena _arena_api _describe _loop_exit _statistics _waits
        _deadlocks _inventory _blocking _monitor _running_loop _tracing
    """,
    "tasks": """
        greenlet _links timeout _wait _signal_handler scopes _taskgroup local
        _handlers _hub_call _unread _awaitable event lock _locks _condition _barrier
        _threadlock _thread_end thread threading _native_threads
        queue _store _simple_queue _task_queue _queue_conditions _stdlib_queue _channel
        channel _memory_channel _selection
    """,
    "plain Python": """
        _sslcontext _sslsocket _sslstale _tls _tlscalls _tlswire
        _readahead _nativepoll _fdcalls _fdnow
        _sockio _sockwait _sysio _waitfd _resolver _tree _run_info _assert_switches
        _sockslot _socklayout
        _job _executor _imap _mapping from_thread
        aio _aioloop _aiowrap backdoor baseserver contextvars fileobject pool
        resolver
        resolver.* _childwait os signal time select selectors server socket ssl threadpool util
        _happy_eyeballs _sendfile _sockaddr _listening _tlsserver _console
        _anyfd _kernelqueue _fileposix _filethread
        subprocess _popen _pipes _exchange _endlink
    """,
    "patching": """
        _patching _patch_pieces _patch_all _stale _drivers _environment _patch_hook
        _after_import _holders _existing_locks _existing_executors
        _patch_threading _patch_multiprocessing _patch_psycopg _patch_grpc _patch_pydevd
    """,
    "outside": "(package) monkey cli cli.* testing testing.* __main__",
}


# What a hub offers and is built on hubs. `_core.lazy_attribute` loads it by name, which no import statement shows.
LAZY = {
    "hubcore.threadpool:pool_for",
    "hubcore.threadpool:pool_class_for",
    "hubcore.resolver:resolver_for",
    "hubcore.resolver:class_for",
    "hubcore.resolver:check",
    "hubcore._tasks.threadsafe_call:HubCall",
    "hubcore._tasks.gevent_waiter:Waiter",
    "hubcore._process.gevent_signal:signal_handler",
}


def layer(module: str) -> int | None:
    """The number of the layer of the module `hubcore.x`, or None where the table does not place it."""
    short = module.partition(".")[2] or "(package)"
    packages = {short.rpartition(".")[0] + ".*", short.partition(".")[0] + ".*"} - {".*"}
    for number, names in enumerate(LAYERS.values()):
        if short in names.split() or ("." in short and packages & set(names.split())):
            return number
    return None


def upward(found: list[Import]) -> list[str]:
    """The imports of `found` that lead to a higher layer."""
    names = list(LAYERS)
    wrong = []
    for one in found:
        low, high = layer(one.importer), layer(one.imported)
        if low is not None and high is not None and high > low:
            wrong.append(f"{one.importer}:{one.line} ({names[low]}) imports {one.imported} ({names[high]})")
    return wrong


@pytest.fixture(scope="module")
def found():
    return [one for path in FILES for one in imports.read(path, ROOT, MODULES)]


def test_every_module_has_a_place():
    lost = sorted(module for module in MODULES if layer(module) is None)
    assert not lost, f"place it in LAYERS: {', '.join(lost)}"


def test_every_place_is_taken():
    placed = {name for names in LAYERS.values() for name in names.split()} - {"(package)"}
    present = {module.partition(".")[2] for module in MODULES}
    assert {name for name in placed if name.removesuffix(".*") not in present} == set()


def lazy_targets(source: str) -> set[str]:
    """The targets that `source` hands to `load` and `LazyAttribute`."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {
        ast.literal_eval(call.args[0])
        for call in calls
        if imports.called(call) in ("load", "LazyAttribute") and ast.unparse(call.func) in ("load", "LazyAttribute")
    }


def test_upward_imports_by_name_are_those_of_the_hub_and_lead_somewhere():
    paths = [path for path in FILES if path.suffix == ".py" and path.stem != "_above"]
    assert {path.stem: found for path in paths if (found := lazy_targets(path.read_text()))} == {"hub": LAZY}
    for target in LAZY:
        module, _, name = target.partition(":")
        assert callable(getattr(import_module(module), name))


def test_imports_go_downward_only(found):
    wrong = upward(found)
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_imported_module_exists(found):
    """A mistake in an import inside a function shows only when that function runs."""
    wrong = [f"{one.importer}:{one.line} imports {one.imported}" for one in found if one.imported not in MODULES]
    assert not wrong, "\n" + "\n".join(wrong)


def test_there_is_no_circle_of_imports(found):
    circle = imports.cycle(found)
    assert not circle, " -> ".join(circle)


def test_the_source_was_really_read(found):
    assert {(one.importer, one.imported) for one in found} >= {
        ("hubcore._core.waiter", "hubcore._core.deadlines"),  # said by the .py and the .pxd
        ("hubcore.backends.libev", "hubcore.backends._ev"),  # said by a cython.cimports import
    }


# -- greenlet's C API

API = "hubcore._capi.greenlet"
HARMLESS = {"greenlet", "import_greenlet"}  # the type, and the function that makes the others usable


def cimported(path: Path) -> list[tuple[str, str]]:
    """What a module cimports, by its .py and by its .pxd, as pairs of module and name."""
    pairs = list(pxd.parse(path.with_suffix(".pxd").read_text()).cimports) if path.with_suffix(".pxd").exists() else []
    if path.with_suffix(".py").exists():
        for node in ast.walk(ast.parse(path.with_suffix(".py").read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cython.cimports."):
                module = str(node.module).removeprefix("cython.cimports.")
                pairs += [(module, alias.name) for alias in node.names]
    return pairs


def uses_api(path: Path, root: Path) -> bool:
    """Does the C file of this module contain calls of greenlet's C API, its own or those of inline functions?"""
    for module, name in cimported(path):
        if module == API and name not in HARMLESS:
            return True
        other = root / Path(*module.split(".")).with_suffix(".pxd")
        if module.startswith("hubcore.") and module != API and other.exists():
            function = pxd.parse(other.read_text()).functions.get(name)
            api = {item for origin, item in cimported(other) if origin == API} - HARMLESS
            if function and function.inline and any(item in function.body for item in api):
                return True
    return False


def initialises(source: str) -> bool:
    """Is import_greenlet() called when the module is imported, at its top or under an `if`?"""
    statements = list(ast.parse(source).body)
    for statement in statements:
        if isinstance(statement, ast.If):
            statements += statement.body
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call) and imports.called(call) == "import_greenlet":
            return True
    return False


def test_users_of_the_greenlet_api_initialise_it():
    """Forgotten, the first call goes through a NULL pointer."""
    pairs = [path for path in FILES if path.suffix == ".py" and uses_api(path, ROOT)]
    assert any(path.stem == "hub" for path in pairs)
    wrong = [path.relative_to(ROOT).as_posix() for path in pairs if not initialises(path.read_text())]
    assert not wrong, f"these use greenlet's C API without calling import_greenlet() at import: {', '.join(wrong)}"


# -- rules for each file


def forbidden(source: str) -> list[str]:
    """`import *`, and writes to what locals(), globals() or vars() return."""
    wrong = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            wrong.append(f"line {node.lineno}: import *")
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load) and is_namespace(node.value):
            wrong.append(f"line {node.lineno}: a write to {ast.unparse(node.value)}")
        if isinstance(node, ast.Attribute) and is_namespace(node.value):
            if node.attr in ("update", "clear", "pop", "popitem", "setdefault", "__setitem__", "__delitem__"):
                wrong.append(f"line {node.lineno}: a write to {ast.unparse(node.value)}")
    return wrong


def is_namespace(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and not node.args and imports.called(node) in ("locals", "globals", "vars")


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.suffix == ".py"], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_no_file_imports_a_star_or_writes_to_a_namespace(path):
    assert forbidden(path.read_text()) == []


def test_no_file_is_longer_than_a_reader_can_keep_in_mind():
    folders = [ROOT / name for name in ("hubcore", "tests", "tools", "benchmarks", "docs")]
    paths = [*ROOT.glob("*.py"), *(path for folder in folders for path in folder.rglob("*"))]
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines())
        for path in paths
        if path.suffix in (".py", ".pxd", ".sh")
    }
    assert lengths
    wrong = [f"{name}: {length} lines" for name, length in lengths.items() if length > LONGEST]
    assert not wrong, f"split what is longer than {LONGEST} lines: {'; '.join(wrong)}"
