"""What hubcore publishes: its modules, every callable in them, and the source of each."""

import ast
import functools
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import hubcore

#: The command line's modules and the tests of backends are run, not called.
RUN = ("hubcore.cli", "hubcore.testing.conformance", "hubcore.__main__")


class Callable(NamedTuple):
    """A public callable; `owner` is the class that defines a method, `raw` what stands in that class."""

    name: str
    thing: object
    owner: type | None = None
    raw: object = None


# These need another library, or to be compiled.
OPTIONAL = ("hubcore.backends.lib", "hubcore.resolver.", "hubcore.testing.sim", "hubcore.celery", "hubcore.gunicorn")


def modules() -> Iterator[ModuleType]:
    yield hubcore
    for found in pkgutil.walk_packages(hubcore.__path__, "hubcore."):
        if not found.name.startswith(RUN) and not any(part.startswith("_") for part in found.name.split(".")[1:]):
            try:
                yield importlib.import_module(found.name)
            except ImportError:
                if not found.name.startswith(OPTIONAL):
                    raise


def callables() -> Iterator[Callable]:
    """Every function and class of the public modules that is hubcore's own, and their public methods; each once."""
    seen: set[int] = set()
    for module in modules():
        names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
        for name in names:
            try:
                thing = getattr(module, name)
            except ImportError as error:
                if "is not built" not in str(error) and "exists only compiled" not in str(error):
                    raise
                continue  # an uncompiled run has no simulation
            own = str(getattr(thing, "__module__", "")).startswith("hubcore")
            if not callable(thing) or not own or id(thing) in seen:
                continue
            seen.add(id(thing))
            yield Callable(f"{module.__name__}.{name}", thing)
            if isinstance(thing, type):
                for method in methods(thing, f"{module.__name__}.{name}"):
                    if id(method.raw) not in seen:
                        seen.add(id(method.raw))
                        yield method


def methods(cls: type, path: str) -> Iterator[Callable]:
    for name in dir(cls):
        owner = next((base for base in cls.__mro__ if name in vars(base)), None)
        if name.startswith("_") or owner is None or defined_in(owner) is None:
            continue
        raw = vars(owner)[name]
        if callable(getattr(cls, name)) and not isinstance(raw, type):
            yield Callable(f"{path}.{name}", getattr(cls, name), owner, raw)


def defined_in(thing: object) -> ModuleType | None:
    """The module whose source has the `class` or `def` of `thing`, which may say that another one defines it."""
    name = getattr(thing, "__name__", "")
    for module in [each for key, each in sys.modules.items() if key.startswith("hubcore")]:
        if vars(module).get(name) is thing and name in definitions(source_of(module)):
            return module
    return None


def source_of(module: ModuleType) -> Path:
    file = Path(module.__file__ or "")
    return file.with_name(file.name.partition(".")[0] + ".py")


@functools.lru_cache
def definitions(path: Path) -> dict[str, ast.ClassDef | ast.FunctionDef]:
    return definitions_of(ast.parse(path.read_text())) if path.exists() else {}


def definitions_of(node: ast.AST) -> dict[str, ast.ClassDef | ast.FunctionDef]:
    """The classes and functions in the body of `node` at run time, by name; the last of several."""
    found: dict[str, ast.ClassDef | ast.FunctionDef] = {}
    for each in ast.iter_child_nodes(node):
        if isinstance(each, (ast.ClassDef, ast.FunctionDef)):
            found[each.name] = each
        elif isinstance(each, ast.If) and ast.unparse(each.test) == "TYPE_CHECKING":
            for other in each.orelse:
                found |= definitions_of(ast.Module([other], []))
        elif isinstance(each, (ast.If, ast.Try)):
            found |= definitions_of(each)
    return found


def written(public: Callable) -> list[inspect.Parameter] | None:
    """The parameters that the source of `public` has, without `self`; None if it is not written as a `def`."""
    thing, owner = public.thing, public.owner
    if isinstance(thing, type):
        return written_of_class(thing)
    module = defined_in(thing if owner is None else owner)
    if module is None:
        return None
    if owner is None:
        node = definitions(source_of(module))[thing.__name__]  # type: ignore[attr-defined]
        return parameters(node, module) if isinstance(node, ast.FunctionDef) else None
    node = definitions(source_of(module))[owner.__name__]
    method = definitions_of(node).get(public.name.rpartition(".")[2])
    if not isinstance(method, ast.FunctionDef):
        return None
    static = any(ast.unparse(each) == "staticmethod" for each in method.decorator_list)
    return parameters(method, module, owner)[0 if static else 1 :]


def written_of_class(cls: type) -> list[inspect.Parameter] | None:
    for base in cls.__mro__:
        module = defined_in(base)
        if module is None:
            return [] if base is object else None  # the parameters of an outside class
        body = definitions_of(definitions(source_of(module))[base.__name__])
        for name in ("__new__", "__init__"):
            method = body.get(name)
            if isinstance(method, ast.FunctionDef):
                return parameters(method, module, base)[1:]
    return None


def parameters(node: ast.FunctionDef, module: ModuleType, cls: type | None = None) -> list[inspect.Parameter]:
    """The parameters of a `def`, with the values of the defaults as the names in `module` give them."""
    arguments = ast.parse(ast.unparse(node)).body[0].args  # type: ignore[attr-defined]  # a copy
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    for argument in every:
        if argument is not None:
            argument.annotation = None
    namespace = {**vars(module), **(vars(cls) if cls is not None else {})}
    function = eval(f"lambda {ast.unparse(arguments)}: None", namespace)
    return list(inspect.signature(function).parameters.values())
