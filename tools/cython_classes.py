"""Two things that Cython does not do for the extension types of a .py with a .pxd; setup.py installs both.

- A base class may have type arguments, for type checkers: `class Queue(SimpleQueue["T"])`. Cython refuses a base that is
  not a plain name. The arguments are dropped here, and so is a base `Generic[...]`, which has no meaning at run time.
- `inspect.signature` reads the signature of an extension type from its docstring, in the form of CPython's own built-in
  types (Argument Clinic): `Queue(maxsize=None)`, `--`, an empty line. Cython writes that for functions and methods
  (the directive embedsignature) but not for classes, nor for an `__init__` without a docstring, which
  `unittest.mock.create_autospec` reads.
"""

import ast
import functools

#: What plain Python says of every `__init__` that has no docstring of its own and is built in.
INIT_DOC = "Initialize self.  See help(type(self)) for accurate signature."


def install() -> None:
    """Change Cython's `PyClassDefNode.as_cclass`, which turns a class of a .py into the extension type of its .pxd."""
    from Cython.Compiler.ExprNodes import IndexNode
    from Cython.Compiler.Nodes import DefNode, PyClassDefNode
    from Cython.Compiler.StringEncoding import EncodedString

    as_it_is = PyClassDefNode.as_cclass

    def as_cclass(self: PyClassDefNode) -> object:
        if self.bases is not None:
            plain = [base.base if isinstance(base, IndexNode) else base for base in self.bases.args]
            self.bases.args = [base for base in plain if getattr(base, "name", None) != "Generic"]
        header = header_of(self.pos[0].filename, self.name)
        if header is not None:
            self.doc = EncodedString(f"{header}\n--\n\n{self.doc or ''}")
        for statement in getattr(self.body, "stats", [self.body]):
            if isinstance(statement, DefNode) and statement.name == "__init__" and statement.doc is None:
                statement.doc = EncodedString(INIT_DOC)
        return as_it_is(self)

    PyClassDefNode.as_cclass = as_cclass


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
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    for argument in every:
        if argument is not None:
            argument.annotation = None
    del (arguments.posonlyargs or arguments.args)[0]
    return ast.unparse(arguments)


@functools.lru_cache
def classes_of(path: str) -> dict[str, ast.ClassDef]:
    with open(path, encoding="utf-8") as file:
        return {node.name: node for node in ast.parse(file.read()).body if isinstance(node, ast.ClassDef)}
