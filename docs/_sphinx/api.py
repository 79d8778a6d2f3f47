"""A Sphinx extension: signatures with types from hubcore's sources, and docstrings as hubcore writes them.

Compiled code has signatures without annotations. The `.py` beside a module has both, so the extension reads the `def`
there. Docstrings mark code by single backquotes, and examples by indentation.
"""

import ast
import functools
import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.parsing import nested_parse_to_nodes

#: Modules of the standard library have their names here; the page lists only what hubcore defines.
MIRRORS = {"os", "select", "selectors", "signal", "socket", "ssl", "subprocess", "thread", "threading", "time"}


ITEM = re.compile(r"[-*] |\d+\. ")


@functools.cache
def definitions(file: str) -> dict[str, ast.ClassDef | ast.FunctionDef]:
    """The classes, functions and methods of a source file, by their qualified names."""
    found: dict[str, ast.ClassDef | ast.FunctionDef] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                if not any(ast.unparse(each) == "overload" for each in node.decorator_list):
                    found[prefix + node.name] = node
                if isinstance(node, ast.ClassDef):
                    visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                visit(node.orelse, prefix)
            elif isinstance(node, (ast.If, ast.Try)):
                visit(node.body, prefix)

    visit(ast.parse(Path(file).read_text()).body, "")
    return found


def source(module: object) -> str | None:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return None
    path = Path(file)
    path = path.with_name(path.name.partition(".")[0] + ".py")
    return str(path) if path.exists() else None


@functools.cache
def modules_of(name: str) -> list[str]:
    """The sources of the loaded modules of hubcore that have a definition of that qualified name."""
    files = {source(module) for key, module in list(sys.modules.items()) if key.partition(".")[0] == "hubcore"}
    return sorted(file for file in files if file is not None and name in definitions(file))


def definition(full_name: str, thing: object) -> ast.ClassDef | ast.FunctionDef | None:
    """The definition of what autodoc calls `full_name`: `package.module.Class.method`."""
    name = getattr(thing, "__qualname__", "") or getattr(thing, "__name__", "")
    owner, _, method = name.rpartition(".")
    if owner:  # a method may be a base class's, which has its own name
        candidates = modules_of(f"{owner}.{method}")
        name = f"{owner}.{method}"
    else:
        candidates = modules_of(name)
    if not candidates:
        return None
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    for file in candidates:
        for known in sys.modules.values():
            if source(known) == file and getattr(known, "__dict__", {}).get(name.partition(".")[0]) is not None:
                holder: Any = known
                for part in name.split("."):
                    holder = getattr(holder, part, None)
                if holder is thing or known is module:
                    return definitions(file)[name]
    return definitions(candidates[0])[name] if len(candidates) == 1 else None


def written(node: ast.FunctionDef, drop_first: bool) -> tuple[str, str | None]:
    """The parameters of a `def` as text, and what it returns."""
    arguments = ast.parse(ast.unparse(node)).body[0].args  # type: ignore[attr-defined]  # a copy
    if drop_first:
        first = arguments.posonlyargs or arguments.args
        if first:
            del first[0]
    text = ast.unparse(arguments).replace("'", "").replace("cython.Py_ssize_t", "int").replace("cython.int", "int")
    text = text.replace("cython.double", "float").replace("cython.bint", "bool")
    if text.startswith("/"):
        text = text[1:].lstrip(", ")
    returns = ast.unparse(node.returns).strip("'") if node.returns is not None else None
    return f"({text})", returns


def process_signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """Take the signature from the source; else what `inspect.signature` says."""
    if what not in ("function", "method", "class", "exception"):
        return None
    if isinstance(thing, type):
        for base in thing.__mro__:
            if base is object:
                break
            for method in ("__new__", "__init__"):
                found = definition(name, vars(base).get(method))
                if isinstance(found, ast.FunctionDef) and method in vars(base):
                    return written(found, True)[0], None
        return signature, None
    found = definition(name, thing)
    if isinstance(found, ast.FunctionDef):
        static = any(ast.unparse(each) == "staticmethod" for each in found.decorator_list)
        return written(found, what == "method" and not static)
    return signature, returns


def process_docstring(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Turn hubcore's docstrings into reStructuredText: examples are literal blocks, code is in double backquotes."""
    if what == "module":
        del lines[_notes_for_contributors(lines) :]
    if what in ("property", "attribute") and (kind := property_type(name, thing)) is not None:
        lines += ["", f"Type: `{kind}`"]
    if lines and re.match(r"[\w.]+\(.*\)( -> .*)?$", lines[0]) and len(lines) > 1 and lines[1].strip() in ("--", ""):
        del lines[:2]  # the signature in front of a compiled class's text
    out: list[str] = []
    literal = in_list = False
    for line in lines:
        if line.startswith("    ") and (literal or not in_list):
            if not literal:
                out += ["", "::", ""]
            literal = True
        elif line.strip():
            if literal:
                out.append("")
            elif ITEM.match(line) and not in_list and out and out[-1].strip():
                out.append("")  # a list begins
            literal = False
            in_list = bool(ITEM.match(line)) or (in_list and line.startswith(" "))
        out.append(line if literal else line.replace("\\", "\\\\"))
    text = re.sub(r"(?<!`)`([^`]+)`(?!`)(?=(\w?))", _literal, "\n".join(out))
    out = text.split("\n")
    lines[:] = [*out, ""]


def _literal(each: re.Match[str]) -> str:
    """Code in double backquotes; a letter right behind it, as in "`start`ed", needs a separator."""
    return f"``{' '.join(each[1].split())}``" + ("\\ " if each[2] else "")


def _notes_for_contributors(lines: list[str]) -> int:
    """Where a module's text begins to speak to contributors: a paragraph on the length of the file."""
    return next((at for at, line in enumerate(lines) if line.startswith("Long because")), len(lines))


def property_type(full_name: str, thing: object) -> str | None:
    """The type that the source gives a property; a compiled one is a descriptor without annotations."""
    attribute = full_name.rpartition(".")[2]
    owner = getattr(thing, "__objclass__", None) or getattr(getattr(thing, "fget", None), "__objclass__", None)
    name = f"{getattr(owner, '__name__', full_name.split('.')[-2])}.{attribute}"
    for file in modules_of(name):
        node = definitions(file)[name]
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            return ast.unparse(node.returns).strip("'")
    return None


#: Public for other modules of hubcore, and of no use to programs.
INTERNAL = {"DirectLink", "Expiry"}


def skip_member(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what hubcore does not define: the names of the standard library in modules that stand for its own."""
    if name.startswith("_"):
        return None
    if name in INTERNAL:
        return True
    if isinstance(thing, classmethod):  # `class_getitem`, which classes have as `__class_getitem__`
        return True
    module = getattr(thing, "__module__", None)
    if isinstance(thing, (type, *FUNCTIONS)) and isinstance(module, str) and not module.startswith("hubcore"):
        return True
    return None


FUNCTIONS = (type(len), type(skip_member))


class PublicNames(SphinxDirective):
    """`{public-names} hubcore`: the names that a module publishes, each with the first sentence of its docstring."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module = importlib.import_module(self.arguments[0])
        table = ["| name | what it is |", "|---|---|"]
        for name in module.__all__:
            thing = getattr(module, name)
            home = getattr(thing, "__module__", None) or ""
            if inspect.ismodule(thing) or not callable(thing) or not home.startswith("hubcore"):
                continue
            text = " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split()).replace("|", "\\|")
            table.append(f"| {{py:obj}}`{name} <{home}.{name}>` | {text} |")
        return nested_parse_to_nodes(self.state, StringList(table, "public-names"))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-signature", process_signature)
    app.connect("autodoc-process-docstring", process_docstring)
    app.connect("autodoc-skip-member", skip_member)
    app.add_directive("public-names", PublicNames)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
