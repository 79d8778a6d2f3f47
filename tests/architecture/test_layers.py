"""The house holds: imports between folders lead one way, and each file is where its name says it is.

The order of the folders, the rules and their reasons stand in docs/architecture.md.
"""

import ast
import statistics
import sys
import sysconfig
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from hubcore._base.compiled_modules import compiled_modules
from tests.support import imports, pxd
from tests.support.imports import Import
from tests.support.paths import ROOT

PACKAGE = ROOT / "hubcore"
FILES = sorted(path for suffix in ("py", "pxd") for path in PACKAGE.rglob(f"*.{suffix}"))
MODULES = {imports.module_name(path, ROOT) for path in FILES}
LONGEST = 500
MOST_IN_THE_HALL = 54
LARGEST_MEDIAN = 10

# Low to high: each module or folder directly in hubcore/ may import itself and those before it.
ORDER_BY_FLOOR = """
    exceptions contextvars _version
    _base
    config events
    _capi
    _core
    watchers local
    _watchers
    loop
    backends
    _diagnostics
    hub
    timeout scopes time from_thread
    _sync
    event lock greenlet
    _queues
    queue channel
    _tasks
    pool
    _debug
    _observe
    instrument trace metrics
    util
    _io
    select selectors fileobject
    _sockets
    socket
    resolver
    _tls
    ssl
    _threads
    threadpool
    _process
    os signal subprocess
    thread threading
    _servers
    baseserver server backdoor
    _http
    pywsgi
    aio
    __init__
    _patching
    _gevent
    dropin
    cli
    monkey _patch_hook
    gunicorn celery
    testing __main__
"""
ORDER = [name for floor in ORDER_BY_FLOOR.splitlines() for name in floor.split()]
PUBLIC_FOLDERS = {"aio", "backends", "cli", "resolver", "testing"}

# Attributes of a hub that are built on hubs. `_core.lazy_attribute` loads them by name, without an import statement.
LAZY = {
    "hubcore.threadpool:pool_for",
    "hubcore.threadpool:pool_class_for",
    "hubcore.resolver:resolver_for",
    "hubcore.resolver:class_for",
    "hubcore.resolver:check",
    "hubcore._observe.answer:answer_for",
    "hubcore._tasks.threadsafe_call:HubCall",
    "hubcore._tasks.gevent_waiter:Waiter",
    "hubcore._process.gevent_signal:signal_handler",
    "hubcore._sync.wait:wait",
    "hubcore._sync.wait:iwait",
    "hubcore._tasks.gevent_waiter:linkproxy",
    "hubcore._base.main_thread:main_thread_ident",
}

# Public names whose types stand above them, for the sake of users' type checkers: what imports, and what for.
TYPES_FROM_ABOVE = {
    ("hubcore.exceptions", "hubcore.hub"): "LoopExit.hub, HubDestroyed.destroyed_hub",
    ("hubcore.exceptions", "hubcore.scopes"): "Cancelled.scope",
    ("hubcore.events", "hubcore._diagnostics.monitor"): "PeriodicMonitorThreadStartedEvent.monitor",
    ("hubcore.events", "hubcore.hub"): "EventLoopBlocked.hub",
    ("hubcore.config", "hubcore.loop"): "config.backend",
}


def unit(module: str) -> str:
    """What stands directly in hubcore/: `_core` for hubcore._core.scheduler, `__init__` for hubcore itself."""
    return [*module.split("."), "__init__"][1]


def upward(found: list[Import]) -> list[str]:
    """The imports of `found` that lead to what stands later in ORDER; type-only and deferred ones count."""
    wrong = []
    for one in found:
        low, high = unit(one.importer), unit(one.imported)
        if low in ORDER and high in ORDER and ORDER.index(high) > ORDER.index(low):
            if not (one.type_only and (one.importer, one.imported) in TYPES_FROM_ABOVE):
                wrong.append(f"{one.importer}:{one.line} ({low}) imports {one.imported} ({high})")
    return wrong


@pytest.fixture(scope="module")
def found():
    return [one for path in FILES for one in imports.read(path, ROOT, MODULES)]


# -- which folder may import which


def test_every_module_and_folder_has_a_place_in_the_order_and_every_place_is_taken():
    present = {unit(module) for module in MODULES}
    assert sorted(present - set(ORDER)) == [], "place it in ORDER"
    assert sorted(set(ORDER) - present) == [], "it is in ORDER and not in hubcore/"
    assert [name for name, count in Counter(ORDER).items() if count > 1] == []


def test_imports_lead_downward_only(found):
    wrong = upward(found)
    assert not wrong, "\n" + "\n".join(wrong)


def test_there_is_no_circle_of_imports_also_where_they_are_deferred_or_for_type_checkers_only(found):
    listed = [one for one in found if not (one.type_only and (one.importer, one.imported) in TYPES_FROM_ABOVE)]
    circle = imports.cycle(listed)
    assert not circle, " -> ".join(circle)


def test_types_from_above_are_those_that_are_listed(found):
    used = {(one.importer, one.imported) for one in found if one.type_only}
    assert set(TYPES_FROM_ABOVE) - used == set()


def test_every_imported_module_exists(found):
    """A mistake in an import inside a function shows only when that function runs."""
    wrong = [f"{one.importer}:{one.line} imports {one.imported}" for one in found if one.imported not in MODULES]
    assert not wrong, "\n" + "\n".join(wrong)


def lazy_targets(source: str) -> set[str]:
    """The targets that `source` hands to `load` and `LazyAttribute`."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = ("load", "LazyAttribute")
    return {ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) in names}


def test_upward_imports_by_name_are_those_of_the_hub_and_lead_somewhere():
    paths = [path for path in FILES if path.suffix == ".py" and path.stem != "lazy_attribute"]
    assert {path.stem: found for path in paths if (found := lazy_targets(path.read_text()))} == {"hub": LAZY}
    for target in LAZY:
        module, _, name = target.partition(":")
        assert callable(getattr(import_module(module), name))


def test_the_source_was_really_read(found):
    assert {(one.importer, one.imported) for one in found} >= {
        ("hubcore._core.waiter", "hubcore._core.deadlines"),  # said by the .py and the .pxd
        ("hubcore.backends.libev", "hubcore.backends._ev"),  # said by a cython.cimports import
        ("hubcore.exceptions", "hubcore.hub"),  # for type checkers only
    }


# -- where a file is, and what its name says


def private_folders() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("_*") if path.is_dir() and path.name != "__pycache__")


def test_a_folder_is_private_by_its_underscore_and_its_files_have_none():
    found = {path.name for path in PACKAGE.iterdir() if path.is_dir() and list(path.glob("*.py"))}
    assert {name for name in found if not name.startswith("_")} == PUBLIC_FOLDERS
    inside = [path for folder in private_folders() for path in folder.glob("*.p*") if path.suffix in (".py", ".pxd")]
    wrong = [path.relative_to(ROOT).as_posix() for path in inside if path.name[0] == "_" and path.stem != "__init__"]
    assert not wrong, f"a file in a private folder has no underscore: {', '.join(wrong)}"


def test_the_init_file_of_a_private_folder_is_a_docstring_and_nothing_else():
    for folder in private_folders():
        if any(folder.glob("*.py")):
            body = ast.parse((folder / "__init__.py").read_text()).body
            assert len(body) == 1, folder
            assert isinstance(body[0], ast.Expr), folder
            assert isinstance(ast.literal_eval(body[0].value), str), folder


def test_what_stands_directly_in_the_package_are_public_names_few_others_and_folders():
    here = [path for path in FILES if path.parent == PACKAGE]
    assert len(here) <= MOST_IN_THE_HALL
    private = {path.name for path in here if path.name.startswith("_")}
    assert private == {"__init__.py", "__main__.py", "_patch_hook.py", "_version.py"}


def test_private_folders_are_small():
    sizes = {path: len([each for each in path.glob("*.py") if each.stem != "__init__"]) for path in private_folders()}
    assert statistics.median(sizes.values()) <= LARGEST_MEDIAN


def test_no_compiled_module_has_the_last_name_of_a_c_extension_of_the_standard_library():
    """Cython emits the module's last name as a C symbol and a struct; CPython's own extensions are looked up alike."""
    libraries = Path(sysconfig.get_config_var("DESTSHARED"))
    taken = {path.name.partition(".")[0] for path in libraries.glob("*.so")} | set(sys.builtin_module_names)
    assert "select" in taken
    compiled = {name.rpartition(".")[2] for name in compiled_modules(PACKAGE)}
    assert "scheduler" in compiled
    assert compiled & taken == set()


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
    reasoned = [name for name in lengths if "\nLong because: " in (ROOT / name).read_text()[:2500]]
    assert len(reasoned) <= 3
    limits = dict.fromkeys(lengths, LONGEST) | dict.fromkeys(reasoned, LONGEST + 80)
    wrong = [f"{name}: {length} lines" for name, length in lengths.items() if length > limits[name]]
    assert not wrong, f"split what is longer than {LONGEST} lines: {'; '.join(wrong)}"
