"""A .pxd and the .py beside it agree: classes, methods and functions with their parameters, attributes, variables.

Cython refuses some of these disagreements; others compile, and then fail or cost speed at run time.
"""

import ast

import pytest

from tests.support import pxd
from tests.support.paths import ROOT

PAIRS = sorted(path for path in (ROOT / "hubcore").rglob("*.pxd") if path.with_suffix(".py").exists())
BY_CYTHON = {"__weakref__", "__dict__"}


def disagreements(declared: pxd.Declarations, tree: ast.Module) -> list[str]:
    """What `declared` says and the source `tree` does not bear out."""
    wrong = []
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for name, cls in declared.classes.items():
        if name not in classes:
            wrong.append(f"class {name} is not in the .py")
            continue
        methods = {node.name: node for node in classes[name].body if isinstance(node, ast.FunctionDef)}
        for method in cls.methods.values():
            if not method.inline or not method.body:
                wrong += compare(f"{name}.{method.name}", method, methods.get(method.name))
        missing = sorted(set(cls.attributes) - attributes(classes[name]) - BY_CYTHON)
        wrong += [f"{name}.{attribute} is never assigned in the class" for attribute in missing]
    for function in declared.functions.values():
        if not function.body:
            wrong += compare(function.name, function, functions.get(function.name))
    bound = module_names(tree)
    return wrong + [f"{name} is not bound in the .py" for name in declared.variables if name not in bound]


def compare(place: str, declared: pxd.Function, node: ast.FunctionDef | None) -> list[str]:
    if node is None:
        return [f"{place} is not in the .py"]
    arguments = node.args
    count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
    optional = len(arguments.defaults) + sum(default is not None for default in arguments.kw_defaults)
    if (declared.required, declared.optional) == (count - optional, optional):
        return []
    return [
        f"{place} takes {declared.required} and {declared.optional} optional parameters in the .pxd, "
        f"{count - optional} and {optional} in the .py"
    ]


def attributes(cls: ast.ClassDef) -> set[str]:
    """What is assigned as `self.X`, or of another name, in the class, or declared in its body or its __slots__."""
    found = set()
    for node in ast.walk(cls):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            found.add(node.attr)
    for statement in cls.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        found.update(names)
        if names == ["__slots__"] and isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            slots = ast.literal_eval(statement.value)
            found.update([slots] if isinstance(slots, str) else slots)
    return found


def module_names(tree: ast.Module) -> set[str]:
    """Every name that the module binds outside functions and classes, also under an `if` or `try`."""
    found = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                found.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
            waiting.append(node)
    return found


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_pxd_agrees_with_the_source(path):
    wrong = disagreements(pxd.parse(path.read_text()), ast.parse(path.with_suffix(".py").read_text()))
    assert not wrong, "\n" + "\n".join(wrong)


def test_there_are_pairs_to_compare():
    assert {"hub", "loop", "greenlet"} <= {path.stem for path in PAIRS}


# -- the comparison itself

DECLARED = """
cimport cython
from hubcore._core.ready_queue cimport Callback, ReadyQueue as Queue
from a.b cimport (
    c,
    d,
)

cdef extern from "ev.h" nogil:
    ctypedef struct ev_timer:
        void* data
    int ev_run(void* loop, int flags)

cdef enum State:
    IDLE

cdef object callbacks, table
cdef inline int twice(int n):
    return n * 2
cdef double later(double now, double after=*) except -1

@cython.final
cdef class Timer(Watcher):
    cdef readonly double after, repeat
    cdef public list entries  # every one
    cdef void* _data
    cdef object __weakref__
    cdef:
        int a
        int b

    @cython.locals(i=int)
    cpdef start(self, callback, double after=*, tuple args=*)
    cdef bint _stop(self) except -1


cdef class Empty:
    pass
"""
SOURCE = """
import weakref
from collections import deque as callbacks

if True:
    table = {}

def later(now, after=0.0):
    return now + after

class Timer(Watcher):
    __slots__ = ("a", "b")
    entries: list

    def __init__(self):
        self.after, self.repeat = 1.0, 2.0
        self._data: object = None

    def start(self, callback, after=0.0, args=()):
        pass

    def _stop(self):
        pass

class Empty:
    pass
"""


def disagree(old="", new=""):
    assert old in SOURCE
    return disagreements(pxd.parse(DECLARED), ast.parse(SOURCE.replace(old, new) if old else SOURCE))


def test_a_pxd_is_read_with_all_its_forms():
    declared = pxd.parse(DECLARED)
    assert declared.cimports == [
        ("cython", ""),
        ("hubcore._core.ready_queue", "Callback"),
        ("hubcore._core.ready_queue", "ReadyQueue"),
        ("a.b", "c"),
        ("a.b", "d"),
    ]
    assert declared.variables == ["callbacks", "table"]
    assert set(declared.functions) == {"twice", "later"}
    assert declared.functions["twice"].body == "    return n * 2"
    timer = declared.classes["Timer"]
    assert timer.base == "Watcher"
    assert timer.attributes == ["after", "repeat", "entries", "_data", "__weakref__", "a", "b"]
    start = timer.methods["start"]
    assert (start.required, start.optional) == (2, 2)
    assert not declared.classes["Empty"].methods


def test_a_line_that_is_not_understood_is_an_error():
    with pytest.raises(ValueError, match="not understood: 'class Timer'"):
        pxd.parse("class Timer\n")
    with pytest.raises(ValueError, match="never closed"):
        pxd.parse("cdef f(int a,\n")


def test_a_pair_that_agrees_is_accepted():
    assert disagree() == []


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("class Empty", "class Other", "class Empty is not in the .py"),
        ("def _stop(self)", "def halt(self)", "Timer._stop is not in the .py"),
        (
            "def start(self, callback, after=0.0, args=())",
            "def start(self, callback, after=0.0)",
            "Timer.start takes 2 and 2 optional parameters in the .pxd, 2 and 1 in the .py",
        ),
        (
            "def later(now, after=0.0)",
            "def later(now, after)",
            "later takes 1 and 1 optional parameters in the .pxd, 2 and 0 in the .py",
        ),
        ("def later", "def sooner", "later is not in the .py"),
        ("self.after, self.repeat", "self.after, other", "Timer.repeat is never assigned in the class"),
        ('("a", "b")', '("a",)', "Timer.b is never assigned in the class"),
        ("    entries: list\n", "", "Timer.entries is never assigned in the class"),
        ("    table = {}", "    pass", "table is not bound in the .py"),
    ],
)
def test_each_disagreement_is_named(old, new, wrong):
    assert disagree(old, new) == [wrong]
