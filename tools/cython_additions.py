"""What Cython lacks for a typed .py with a .pxd; setup.py installs it.

- A base class may have type arguments, for type checkers: `class Queue(SimpleQueue["T"])`. Cython refuses a base that
  is not a plain name. The arguments are dropped here, and so is a base `Generic[...]`, which means nothing at run time.
- A block `if TYPE_CHECKING:` is for type checkers only, such as the `@overload`s of a method. Cython compiles the
  block, and refuses it in an extension type. It is dropped here.
- `inspect.signature` reads the signature of an extension type from its docstring, in the form of CPython's own built-in
  types (Argument Clinic): `Queue(maxsize=None)`, `--`, an empty line. Cython writes that for functions and methods
  (the directive embedsignature) but not for classes, nor for an `__init__` without a docstring, which
  `unittest.mock.create_autospec` reads.
- `from hubcore._base import uncompiled as cython` is the import of Cython's own module, which no program needs to have.
- A docstring ends with `:rtype: Greenlet` if the source says `-> Greenlet[R]`. Editors such as IPython's, which read a
  compiled module and no source, then complete `spawn(f).`, and Sphinx shows it.
"""

import ast
import copy
import functools
import inspect
import re
from typing import Any

#: What plain Python says of every built-in `__init__` without a docstring of its own.
INIT_DOC = "Initialize self.  See help(type(self)) for accurate signature."


def install() -> None:
    """Add these to the Cython of this process."""
    from Cython.Compiler import ExprNodes, Nodes, ParseTreeTransforms
    from Cython.Compiler.StringEncoding import EncodedString

    nodes: Any = Nodes
    first_pass: Any = ParseTreeTransforms.PostParse

    def visit_IfStatNode(self: Any, node: Any) -> Any:
        node.if_clauses = [each for each in node.if_clauses if getattr(each.condition, "name", "") != "TYPE_CHECKING"]
        if not node.if_clauses:
            node = node.else_clause or nodes.StatListNode(node.pos, stats=[])
        self.visitchildren(node)
        return node

    def visit_FromImportStatNode(self: Any, node: Any) -> Any:
        if node.module.module_name.value == "hubcore._base" and [name for name, _ in node.items] == ["uncompiled"]:
            return nodes.CImportStatNode(node.pos, module_name="cython", as_name=None, is_absolute=True)
        self.visitchildren(node)
        return node

    visit_def_as_it_is = first_pass.visit_DefNode

    def visit_DefNode(self: Any, node: Any) -> Any:
        say_what_returns(node, None)
        return visit_def_as_it_is(self, node)

    def say_what_returns(node: Any, cls: str | None) -> None:
        if node.doc is None or node.return_type_annotation is None or ":rtype:" in node.doc:
            return
        kind = returned(node.pos[0].filename, node.return_type_annotation.string.value, cls)
        if kind is not None:
            node.doc = EncodedString(f"{inspect.cleandoc(node.doc)}\n\n:rtype: {kind}")

    # Where a class becomes the extension type of its .pxd.
    as_it_is = nodes.PyClassDefNode.as_cclass

    def as_cclass(self: Any) -> Any:
        if self.bases is not None:
            plain = [base.base if isinstance(base, ExprNodes.IndexNode) else base for base in self.bases.args]
            self.bases.args = [base for base in plain if getattr(base, "name", None) != "Generic"]
        header = header_of(self.pos[0].filename, self.name)
        if header is not None:
            self.doc = EncodedString(f"{header}\n--\n\n{self.doc or ''}")
        for statement in getattr(self.body, "stats", [self.body]):
            if isinstance(statement, nodes.DefNode):
                say_what_returns(statement, self.name)
                if statement.name == "__init__" and statement.doc is None:
                    statement.doc = EncodedString(INIT_DOC)
        return as_it_is(self)

    first_pass.visit_IfStatNode = visit_IfStatNode
    first_pass.visit_FromImportStatNode = visit_FromImportStatNode
    first_pass.visit_DefNode = visit_DefNode
    nodes.PyClassDefNode.as_cclass = as_cclass


def header_of(path: str, name: str) -> str | None:
    """Return how class `name` of the source `path` is called, as `name(a, b=1)`; None if a base decides it."""
    node = classes_of(path).get(name)
    if node is None:
        return None
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return f"{name}({parameters(statement.args)})"
    has_base = any(not isinstance(base, ast.Subscript) or ast.unparse(base.value) != "Generic" for base in node.bases)
    return None if has_base else f"{name}()"


def parameters(arguments: ast.arguments) -> str:
    """Return the source of `arguments` without `self` and without annotations."""
    arguments = copy.deepcopy(arguments)  # the tree is kept
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    for argument in every:
        if argument is not None:
            argument.annotation = None
    del (arguments.posonlyargs or arguments.args)[0]
    return ast.unparse(arguments)


def returned(path: str, annotation: str, cls: str | None) -> str | None:
    """Return the class of hubcore's that `annotation` in the source `path` names: in class `cls`, `Self` is that."""
    found = re.fullmatch(r"(\w+)(\[.*\])?( \| None)?", annotation)
    if found is None or (found[1] == "Self" and cls is None):
        return None
    if found[1] == "Self":
        return cls
    return found[1] if found[1] in names_of(path) else None


@functools.lru_cache
def names_of(path: str) -> set[str]:
    """Return the names of the classes that the source `path` defines or imports from hubcore."""
    found = set(classes_of(path))
    with open(path, encoding="utf-8") as file:
        for node in ast.walk(ast.parse(file.read())):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            if isinstance(node, ast.ImportFrom) and module.startswith("hubcore.") and not module.endswith(".hints"):
                found |= {name.asname or name.name for name in node.names if name.name[0].isupper()}
    return found


@functools.lru_cache
def classes_of(path: str) -> dict[str, ast.ClassDef]:
    """Return the classes at the top of the source `path`, by name."""
    with open(path, encoding="utf-8") as file:
        return {node.name: node for node in ast.parse(file.read()).body if isinstance(node, ast.ClassDef)}
