"""Reads those declarations of a .pxd file that the tests compare with the .py beside it."""

import re
from dataclasses import dataclass, field

from tests.support.signatures import split

CLASS = re.compile(
    r"(?:cdef|ctypedef)\s+(?:public\s+|api\s+)*class\s+([\w.]+)\s*(?:\(([^)]*)\))?\s*(?:\[[^\]]*\])?\s*:(.*)"
)
FUNCTION = re.compile(r"(cdef|cpdef)\s+((?:inline\s+)?)([^()=]*?)\b(\w+)\s*\((.*)\)\s*([^()]*(?:\([^()]*\))?[^()]*)$")
VARIABLE = re.compile(r"cdef\s+(?:(?:readonly|public|inline)\s+)*(.+)$")
CIMPORT = re.compile(r"(?:from\s+([\w.]+)\s+)?cimport\s+(.+)$")
# Blocks whose content is C's, or names of C only: nothing of them has to be in the .py.
FOREIGN = re.compile(
    r"cdef\s+extern\b|(?:cdef|ctypedef|cpdef)\s+(?:packed\s+)?(?:struct|union|enum|fused)\b|ctypedef\b"
)


@dataclass
class Function:
    """A cdef or cpdef function or method; `required` and `optional` count its parameters, `self` included."""

    name: str
    required: int
    optional: int
    inline: bool
    body: str = ""


@dataclass
class Class:
    """A cdef class with what the .pxd declares of it."""

    name: str
    base: str
    attributes: list[str] = field(default_factory=list)
    methods: dict[str, Function] = field(default_factory=dict)


@dataclass
class Declarations:
    """Everything that one .pxd declares or cimports."""

    classes: dict[str, Class] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    variables: list[str] = field(default_factory=list)
    cimports: list[tuple[str, str]] = field(default_factory=list)  # (module, name); name "" for the module itself


def logical_lines(text: str) -> list[str]:
    """The lines of `text` without comments and blank ones; what is open in brackets is joined to one line."""
    # Without verbatim C, in which # and brackets mean other things.
    text = re.sub(r'""".*?"""', '""""""', text, flags=re.DOTALL)
    lines, waiting = [], ""
    for raw in text.splitlines():
        line = raw.partition("#")[0].rstrip()
        if not line.strip():
            continue
        waiting = f"{waiting} {line.strip()}" if waiting else line
        if all(waiting.count(left) <= waiting.count(right) for left, right in ("()", "[]")):
            lines.append(waiting)
            waiting = ""
    if waiting:
        raise ValueError(f"a bracket is never closed: {waiting!r}")
    return lines


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def parse(text: str) -> Declarations:
    """The declarations of the .pxd `text`; raises ValueError at a line that it does not understand."""
    found = Declarations()
    lines = logical_lines(text)
    index = 0
    while index < len(lines):
        line = lines[index]
        end = index + 1
        while end < len(lines) and indent(lines[end]) > indent(line):
            end += 1
        block = lines[index + 1 : end]
        index = end
        stripped = line.strip()
        if match := CLASS.fullmatch(stripped):
            found.classes[match[1]] = read_class(match[1], (match[2] or "").strip(), block)
        elif match := CIMPORT.fullmatch(stripped):
            found.cimports += read_cimport(match)
        elif stripped.startswith("@") or FOREIGN.match(stripped) or is_plain(stripped):
            continue
        elif function := read_function(stripped, block):
            found.functions[function.name] = function
        else:
            found.variables += read_variables(stripped, block)
    return found


def is_plain(line: str) -> bool:
    return line == "pass" or line.startswith(("import ", "from ", '"""', "DEF "))


def read_cimport(match: re.Match[str]) -> list[tuple[str, str]]:
    names = [part.split(" as ")[0].strip() for part in match[2].strip("() ").split(",") if part.strip("() ")]
    return [(match[1], name) for name in names] if match[1] else [(name, "") for name in names]


def read_class(name: str, base: str, block: list[str]) -> Class:
    found = Class(name.rpartition(".")[2], base)
    depth = min((indent(line) for line in block), default=0)
    for position, line in enumerate(block):
        stripped = line.strip()
        if indent(line) > depth or stripped.startswith("@") or is_plain(stripped):
            continue
        nested = []
        for following in block[position + 1 :]:
            if indent(following) <= depth:
                break
            nested.append(following)
        function = read_function(stripped, nested)
        if function:
            found.methods[function.name] = function
        else:
            found.attributes += read_variables(stripped, nested)
    return found


def read_function(line: str, block: list[str]) -> Function | None:
    match = FUNCTION.fullmatch(line)
    if match is None:
        return None
    parameters = [part for part in split(match[5]) if part not in ("*", "/")]
    optional = sum("=" in part for part in parameters)
    return Function(match[4], len(parameters) - optional, optional, bool(match[2]), "\n".join(block))


def read_variables(line: str, block: list[str]) -> list[str]:
    """The names of `cdef int a, *b` or of the block under `cdef:`."""
    if line.rstrip() in ("cdef:", "cdef public:", "cdef readonly:"):
        return [name for inner in block for name in read_variables(f"cdef {inner.strip()}", [])]
    match = VARIABLE.fullmatch(line)
    if match is None:
        raise ValueError(f"not understood: {line!r}")
    return [re.split(r"[\s*]+", part.partition("=")[0].strip())[-1].partition("[")[0] for part in split(match[1])]
