"""Reads signatures from text, from objects and from the source of compiled classes, and compares two of them."""

import ast
import functools
import inspect
import sys
from pathlib import Path
from typing import NamedTuple

EMPTY = inspect.Parameter.empty
POSITIONAL_ONLY = inspect.Parameter.POSITIONAL_ONLY
POSITIONAL_OR_KEYWORD = inspect.Parameter.POSITIONAL_OR_KEYWORD
KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY
VAR_POSITIONAL = inspect.Parameter.VAR_POSITIONAL
VAR_KEYWORD = inspect.Parameter.VAR_KEYWORD


class Parameter(NamedTuple):
    """One parameter; `default` is the text of its default, or None where it has none."""

    name: str
    kind: object
    default: str | None = None


def split(text: str) -> list[str]:
    """The parts of `text` between its outermost commas."""
    parts, depth, quote, part = [], 0, "", ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{<":
            depth += 1
        elif character in ")]}>":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(part.strip())
            part = ""
            continue
        part += character
    return [*parts, part.strip()] if part.strip() else parts


def parse(text: str) -> list[Parameter]:
    """The parameters of a signature such as "(self, block=True, *, key=<object>)", without a leading `self`."""
    if not (text.startswith("(") and text.endswith(")")):
        raise ValueError(f"not a signature: {text!r}")
    parameters: list[Parameter] = []
    kind: object = POSITIONAL_OR_KEYWORD
    for part in split(text[1:-1]):
        name, equals, default = part.partition("=")
        name = name.partition(":")[0].strip()
        if name == "/":
            parameters = [parameter._replace(kind=POSITIONAL_ONLY) for parameter in parameters]
        elif name == "*":
            kind = KEYWORD_ONLY
        elif name.startswith("**"):
            parameters.append(Parameter(name[2:], VAR_KEYWORD))
        elif name.startswith("*"):
            parameters.append(Parameter(name[1:], VAR_POSITIONAL))
            kind = KEYWORD_ONLY
        else:
            parameters.append(Parameter(name, kind, default.strip() if equals else None))
    return without_self(parameters)


def without_self(parameters: list[Parameter]) -> list[Parameter]:
    return parameters[1:] if parameters and parameters[0].name == "self" else parameters


def of(obj: object) -> list[Parameter] | None:
    """The parameters with which `obj` is called, or None where they cannot be known."""
    try:
        signature = inspect.signature(obj)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        signature = None
    if isinstance(obj, type) and (signature is None or [*signature.parameters] == ["args", "kwargs"]):
        return of_source(obj)
    if signature is None:
        return None
    return without_self(
        [
            Parameter(name, parameter.kind, None if parameter.default is EMPTY else repr(parameter.default))
            for name, parameter in signature.parameters.items()
        ]
    )


def of_source(cls: type) -> list[Parameter] | None:
    """The parameters of `__init__` of a compiled class, which knows none itself, from the .py it was built from."""
    for base in cls.__mro__:
        node = class_node(base)
        if node is not None:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    return without_self(parse(f"({ast.unparse(stripped(method.args))})"))
        elif "__init__" in vars(base):
            return None
    return None


def class_node(cls: type) -> ast.ClassDef | None:
    """The source of `cls`, where its module is a .py or was compiled from the .py beside it."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if file is None:
        return None
    path = Path(file)
    if path.suffix == ".so":
        path = path.with_name(path.name.partition(".")[0] + ".py")
    return classes_in(path).get(cls.__qualname__.rpartition(".")[2]) if path.exists() else None


@functools.lru_cache
def classes_in(path: Path) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)}


def instance_attributes(cls: type) -> set[str]:
    """What the methods of `cls` and its bases assign to `self`, and what they declare in the body of the class."""
    found: set[str] = set()
    for base in cls.__mro__:
        tree = class_node(base) or ast.Module([], [])
        for node in tree.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                if isinstance(node.value, ast.Name) and node.value.id == "self":
                    found.add(node.attr)
    return found


def stripped(arguments: ast.arguments) -> ast.arguments:
    """`arguments` without their annotations."""
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    for argument in every:
        if argument is not None:
            argument.annotation = None
    return arguments


def faults(theirs: list[Parameter], ours: list[Parameter]) -> list[str]:
    """Why a call that is valid for `theirs` may be invalid for `ours`, or mean something else; empty if all is well."""
    if [parameter.kind for parameter in theirs] == [VAR_POSITIONAL, VAR_KEYWORD]:
        return []  # (*args, **kwargs) is a wrapper's signature and says nothing of what is behind it
    positional = [one for one in ours if one.kind in (POSITIONAL_ONLY, POSITIONAL_OR_KEYWORD)]
    by_name = {one.name: one for one in ours if one.kind in (POSITIONAL_OR_KEYWORD, KEYWORD_ONLY)}
    kinds = {one.kind for one in ours}
    wrong: list[str] = []
    met: set[str] = set()
    for index, their in enumerate(theirs):
        if their.kind in (VAR_POSITIONAL, VAR_KEYWORD):
            if their.kind is VAR_POSITIONAL and index < len(positional):
                continue  # handed on, as by a wrapper, to what has the parameters that ours has by name
            if their.kind not in kinds:
                wrong.append(f"takes no {'*' if their.kind is VAR_POSITIONAL else '**'}{their.name}")
            continue
        if their.name.startswith("_"):
            continue  # private, whatever the signature says
        our = by_name.get(their.name)
        if their.kind is not KEYWORD_ONLY:
            if index < len(positional):
                if their.kind is POSITIONAL_OR_KEYWORD and positional[index].name != their.name and our in positional:
                    wrong.append(f"{their.name} is in another place")
                our = our or (positional[index] if their.kind is POSITIONAL_ONLY else None)
            elif VAR_POSITIONAL not in kinds:
                wrong.append(f"{their.name} cannot be given by position")
        if our is None:
            if their.kind is not POSITIONAL_ONLY and VAR_KEYWORD not in kinds:
                wrong.append(f"has no parameter {their.name}")
            continue
        met.add(our.name)
        if their.default is not None and our.default is None:
            wrong.append(f"{their.name} has no default")
        elif their.default is not None and not same_default(their.default, our.default or ""):
            wrong.append(f"the default of {their.name} is {our.default}, not {their.default}")
    handed_on = positional if VAR_POSITIONAL in {one.kind for one in theirs} else []
    may_be_left_out = (VAR_POSITIONAL, VAR_KEYWORD)
    required = [
        one.name for one in ours if one.default is None and one.kind not in may_be_left_out and one not in handed_on
    ]
    private = {one.name for one in theirs}
    wrong += [f"{name} is required" for name in required if name not in met and name not in private]
    return wrong


def same_default(their: str, our: str) -> bool:
    """Defaults shown as <...> are objects of gevent's own; there it is enough that we have a default too."""
    return their.startswith("<") or their == our
