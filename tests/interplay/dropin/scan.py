"""Which names of gevent do the installed packages use, and does the drop-in have them? Reads imports and attributes."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT

# gevent itself, and what is no user of it.
NOT_READ = {"gevent", "pip", "setuptools", "hubcore", "Cython", "zope", "_pytest", "pytest", "hypothesis"}
#: Names that hubcore does not have, and why that is right.
ABSENT: dict[str, str] = {
    "gevent.__datadog_patch": "a mark, which ddtrace itself sets",
    "gevent.core.read_event": "of gevent 0.13; zerorpc and pyzmq look for it in a try",
}


def uses(folder: Path) -> dict[str, set[str]]:
    """Each dotted name of gevent that a file below `folder` uses, with the packages that do."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        package = path.relative_to(folder).parts[0]
        if package in NOT_READ:
            continue
        text = path.read_text(errors="replace")
        if "gevent" not in text:
            continue
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue  # for another version of Python
        for name in _names(tree):
            found.setdefault(name, set()).add(package.removesuffix(".py"))
    return found


def _names(tree: ast.Module) -> Iterator[str]:
    """The dotted names below gevent that a module imports, or reaches by attributes of what it has imported."""
    local: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "gevent":
                    local[alias.asname or "gevent"] = alias.name if alias.asname else "gevent"
                    yield alias.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").partition(".")[0] == "gevent":
            for alias in node.names:
                if alias.name != "*":
                    local[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                    yield f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        chain = _chain(node)
        if chain and chain[0] in local:
            yield ".".join([local[chain[0]], *chain[1:]])


def _chain(node: ast.AST) -> list[str]:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return [node.id, *parts] if parts and isinstance(node, ast.Name) else []


def resolve(name: str) -> bool:
    """Whether `name` leads somewhere. Attributes of what is no module or class are not looked at."""
    parts = name.split(".")
    thing: object = importlib.import_module(parts[0])
    path = parts[0]
    for part in parts[1:]:
        path = f"{path}.{part}"
        if not isinstance(thing, type(sys)) and not isinstance(thing, type):
            return True
        try:
            thing = getattr(thing, part)
        except AttributeError:
            try:
                thing = importlib.import_module(path)
            except ImportError:
                return False
    return True


def missing() -> list[str]:
    """What is wrong: names that are used, absent and not listed, and listed ones that are there or are not used."""
    found = uses(Path(sysconfig.get_path("purelib")))
    ask = (
        "import json, sys; from hubcore.dropin import install; install()\n"
        "from tests.interplay.dropin.scan import resolve\n"
        "print(json.dumps([name for name in json.load(sys.stdin) if not resolve(name)]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ask],
        cwd=ROOT, input=json.dumps(sorted(found)), capture_output=True, text=True, check=True,
    )  # fmt: skip
    absent = set(json.loads(done.stdout))
    wrong = [f"{name}, used by {', '.join(sorted(found[name]))}, is absent" for name in sorted(absent - set(ABSENT))]
    return wrong + [f"{name} is listed as absent, and is not" for name in sorted(set(ABSENT) - absent)]
