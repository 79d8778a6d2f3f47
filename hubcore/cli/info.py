"""`hubcore info`: shows versions, the backends (with the reason if one is missing) and the compiled modules."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import hubcore
from hubcore import backends, config, dropin
from hubcore._base.compiled_modules import compiled_modules
from hubcore.cli._output import Plain, output
from hubcore.exceptions import BackendUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore.loop import Loop

#: The backends that are slower than libev and libuv, and the remedy.
SLOW = {
    "select": "it asks the kernel about every file descriptor at each turn, and runs in Python. Use libev or libuv.",
}


def main(as_json: bool = False) -> int:
    """Print the information. Return 0, or 1 if no backend can be used."""
    found = collect()
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        show(found, output())
    return 1 if "error" in found["chosen"] else 0


def collect() -> dict[str, Any]:
    """Return all information as a dict that JSON can represent."""
    compiled, uncompiled = modules()
    return {
        "hubcore": hubcore.__version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "greenlet": metadata.version("greenlet"),
        "chosen": chosen(),
        "backends": [describe(name, loop) for name, loop in backends.available().items()],
        "dropin": drop_in(),
        "arena_cache": arena_cache(),
        "compiled": compiled,
        "uncompiled": uncompiled,
    }


def chosen() -> dict[str, str]:
    """Return the backend that new hubs use, and the setting that chose it."""
    if config.backend:
        by, choice = "hubcore.config.backend", str(config.backend)
    elif os.environ.get("HUB_BACKEND", "").strip():
        by, choice = "HUB_BACKEND", os.environ["HUB_BACKEND"]
    else:
        by, choice = "default", backends.DEFAULT
    try:
        loop = backends.loop_class()
    except BackendUnavailable as error:
        return {"by": by, "choice": choice, "error": str(error)}
    return {"by": by, "choice": choice, "backend": loop.name, "class": f"{loop.__module__}:{loop.__qualname__}"}


def describe(name: str, loop: type[Loop] | ImportError) -> dict[str, Any]:
    """Describe one backend, or the reason why it is not available."""
    if isinstance(loop, ImportError):
        return {"name": name, "available": False, "error": str(loop)}
    module = sys.modules[loop.__module__]
    found: dict[str, Any] = {
        "name": name,
        "available": True,
        "class": f"{loop.__module__}:{loop.__qualname__}",
        "header_version": getattr(module, "header_version", None),
        "library_version": getattr(module, "library_version", None),
        "interface": None,
    }
    try:
        made = loop()
    except Exception as error:  # a third party's backend may raise anything; or no file descriptors are left
        return found | {"available": False, "error": f"it cannot be used: {error}"}
    try:
        found["interface"] = str(getattr(made, "backend", "")) or None
    finally:
        made.close()
    return found


def drop_in() -> dict[str, str]:
    """Return what `import gevent` gives in this environment, and who asked for it."""
    by = dropin.installed_by()
    if not by:
        found = find_spec("gevent")
        if found is None or found.origin is None:
            return {"gevent": "absent", "by": ""}
        with open(found.origin, encoding="utf-8", errors="replace") as file:
            if "hubcore.dropin" not in file.read():
                return {"gevent": found.origin, "by": ""}
        by = f"the wheel of `hubcore gevent-wheel`, {found.origin}"
    return {"gevent": "hubcore", "by": by}


def arena_cache() -> dict[str, Any]:
    """Return whether frame chunks of ended greenlets are kept for new ones, and the greatest number kept."""
    arena = sys.modules.get("hubcore._core.frame_arena")
    most = arena.statistics()["most"] if arena is not None else 0
    return {"on": most > 0, "most": most}


def modules() -> tuple[list[str], list[str]]:
    """Return the modules that a build compiles: those compiled here, and those that run from source or not at all."""
    every = compiled_modules(Path(hubcore.__file__).parent)
    names = [name for name in every if not name.startswith("backends.")]
    compiled = [name for name in names if _is_compiled(f"hubcore.{name}")]
    return compiled, [name for name in names if name not in compiled]


def _is_compiled(module: str) -> bool:
    loaded = sys.modules.get(module)
    origin = loaded.__file__ if loaded is not None else getattr(find_spec(module), "origin", None)
    return origin is not None and not origin.endswith(".py")


def show(found: dict[str, Any], out: Plain) -> None:
    """Print the result of `collect` as text."""
    out.line(f"hubcore {found['hubcore']}", "bold")
    out.line(f"{found['implementation']} {found['python']}, greenlet {found['greenlet']}, {found['platform']}")
    out.line("")
    rows = []
    for each in found["backends"]:
        versions = each.get("library_version") or "-"
        if each.get("header_version") not in (None, each.get("library_version")):
            versions += f" (compiled with {each['header_version']})"
        rows.append((each["name"], "yes" if each["available"] else "no", versions, each.get("interface") or "-"))
    out.table(("backend", "available", "library", "kernel interface"), rows, right=4)
    out.line("")
    for each in found["backends"]:
        if not each["available"]:
            out.line(f"{each['name']} is not available: {each['error']}", "yellow")
    chosen = found["chosen"]
    if "error" in chosen:
        out.line(f"no backend can be used: {chosen['error']}", "red")
    else:
        out.line(f"chosen: {chosen['backend']}, by {chosen['by']} ({chosen['choice']})", "green")
        if chosen["backend"] in SLOW:
            out.line(f"{chosen['backend']} is in use, which is slow: {SLOW[chosen['backend']]}", "yellow")
    gevent = found["dropin"]
    if gevent["gevent"] == "hubcore":
        out.line(f"import gevent: gives hubcore, by {gevent['by']}", "green")
    elif gevent["gevent"] != "absent":
        out.line(f"import gevent: gives {gevent['gevent']}; HUB_DROPIN=gevent and the hook would make it hubcore")
    else:
        out.line("import gevent: fails, it is not installed; HUB_DROPIN=gevent and the hook would make it hubcore")
    cache = found["arena_cache"]
    out.line(f"arena cache: on, up to {cache['most']} chunks" if cache["on"] else "arena cache: off")
    count = len(found["compiled"])
    if found["uncompiled"]:
        out.line(f"compiled: {count} modules; not compiled: {', '.join(found['uncompiled'])}", "yellow")
    else:
        out.line(f"compiled: all {count} modules that a build compiles")
