"""Finds the imports between the modules of a package in their source, without importing them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support import pxd


@dataclass(frozen=True)
class Import:
    """`importer` needs `imported`: if `deferred`, once a function is called; if `type_only`, for type checkers only."""

    importer: str
    imported: str
    line: int
    deferred: bool = False
    type_only: bool = False


def module_name(path: Path, root: Path) -> str:
    """`hubcore.backends.libev` for hubcore/backends/libev.py; a package has the name of its folder."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read(path: Path, root: Path, modules: set[str]) -> list[Import]:
    """What one .py or .pxd imports of the packages to which `modules` belong, also what is not among `modules`."""
    name = module_name(path, root)
    if path.suffix == ".pxd":
        pairs = pxd.parse(path.read_text()).cimports
        found = [Import(name, target(module, item, modules), 0) for module, item in pairs]
    else:
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        found = list(walk(ast.parse(path.read_text()), name, package, modules))
    packages = {module.partition(".")[0] for module in modules}
    return [one for one in found if one.imported.partition(".")[0] in packages and one.imported != one.importer]


def walk(
    node: ast.AST, name: str, package: str, modules: set[str], deferred: bool = False, type_only: bool = False
) -> Iterator[Import]:
    """Every import under `node`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from walk(ast.Module(child.body, []), name, package, modules, deferred, True)
            yield from walk(ast.Module(child.orelse, []), name, package, modules, deferred, type_only)
            continue
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(name, target(alias.name, "", modules), child.lineno, deferred, type_only)
        elif isinstance(child, ast.ImportFrom):
            module = absolute(child, package)
            for alias in child.names:
                yield Import(name, target(module, alias.name, modules), child.lineno, deferred, type_only)
        elif isinstance(child, ast.Call) and called(child) == "import_module":
            first = child.args[0] if child.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield Import(name, target(first.value, "", modules), child.lineno, True, type_only)
        inner = deferred or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from walk(child, name, package, modules, inner, type_only)


def absolute(node: ast.ImportFrom, package: str) -> str:
    """The full name of the module that `node` imports from, inside `package`."""
    if node.level == 0:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def target(module: str, item: str, modules: set[str]) -> str:
    """The module that `from module import item` needs: `module.item` where that is a module."""
    module = module.removeprefix("cython.cimports.")
    return f"{module}.{item}" if item and f"{module}.{item}" in modules else module


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def cycle(imports: list[Import]) -> list[str]:
    """The modules of one circle of imports, or an empty list. Deferred and type-only imports count."""
    graph: dict[str, set[str]] = {}
    for one in imports:
        if one.imported != one.importer:
            graph.setdefault(one.importer, set()).add(one.imported)
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module not in done:
            for following in sorted(graph.get(module, ())):
                circle = visit(following, [*path, module])
                if circle:
                    return circle
            done.add(module)
        return []

    for module in sorted(graph):
        circle = visit(module, [])
        if circle:
            return circle
    return []
