"""hubcore under gevent's name: after `install()`, `import gevent` gives hubcore, in programs and their libraries.

    import hubcore.dropin

    hubcore.dropin.install()
    import gevent

`hubcore run --as-gevent program.py` does it before the program begins, and HUB_DROPIN=gevent for every Python of an
environment in which `hubcore patch-hook install` was run. `hubcore gevent-wheel` writes a package that does it.
"""

from __future__ import annotations

import os
import sys

from hubcore import config
from hubcore._base.entry_points import read_also
from hubcore._base.hints import ModuleType
from hubcore._base.originals import RLock
from hubcore._base.package import publish_all
from hubcore._gevent import names
from hubcore._gevent.config import from_environment
from hubcore._gevent.finder import Finder

__all__ = ["VARIABLE", "check", "install", "installed_by", "replace_wheel"]

#: The environment variable that the start-up hook reads.
VARIABLE = "HUB_DROPIN"

_lock = RLock()
_finder = Finder()
_installed_by = ""


def install(name: str = names.NAME, *, by: str = "hubcore.dropin.install()") -> None:
    """Have `import gevent` and the imports of its modules give hubcore, from now on. A second call has no effect.

    `by` says who asked, for `hubcore info`. It imports no gevent, socket, threading or select, never switches, and may
    be called in any thread. It takes the GEVENT_* variables for hubcore's settings.

    RuntimeError if a real gevent was imported already; ValueError if `name` is not "gevent" or a GEVENT_* variable is
    wrong. Nothing is changed then.
    """
    global _installed_by
    check(name)
    with _lock:
        if _finder in sys.meta_path:
            return
        _refuse_what_is_there()
        if not _installed_by:
            for setting, value in from_environment().items():
                setattr(config, setting, value)
        _installed_by = _installed_by or by
        read_also(f"{name}.plugins.")
        sys.meta_path.insert(0, _finder)


def check(name: str) -> None:
    """Raise TypeError or ValueError if `name` is not a name that hubcore can stand in for: only "gevent" is."""
    if not isinstance(name, str):
        raise TypeError(f"the name to stand in for is a string, {names.NAME!r}, not {name!r}")
    if name != names.NAME:
        raise ValueError(f"hubcore cannot stand in for {name!r}; it can for {names.NAME!r} only")


def installed_by() -> str:
    """Return who asked for the drop-in, such as "HUB_DROPIN"; "" if it is not installed."""
    return _installed_by if _finder in sys.meta_path else ""


def replace_wheel(module: ModuleType, version: str) -> None:
    """For the package that `hubcore gevent-wheel` writes: take the place of `module`, which is that package.

    `version` is what `gevent.__version__` is then.
    """
    from hubcore._gevent.package import fill, package

    with _lock:
        names.version = version
        if sys.modules.get(names.NAME) is module:
            del sys.modules[names.NAME]
        install(by="the wheel of `hubcore gevent-wheel`")
        spec = _finder.find_spec(names.NAME)
        vars(package).update(
            __spec__=spec,
            __loader__=spec and spec.loader,
            __package__=names.NAME,
            __file__=names.FILE,
            __path__=[names.FOLDER],
        )
        fill(package)
        sys.modules[names.NAME] = package


def _refuse_what_is_there() -> None:
    """Raise RuntimeError if a gevent that is not ours is in `sys.modules`."""
    from hubcore._gevent.package import package

    there = {
        name: module
        for name, module in list(sys.modules.items())
        if (name == names.NAME or name.startswith(f"{names.NAME}."))
        and module is not package
        and not str(getattr(module, "__name__", "")).startswith("hubcore.")
    }
    if not there:
        return
    from hubcore._patching.import_origins import chain

    first = min(there)
    if there[first] is None:
        raise RuntimeError(f"sys.modules[{first!r}] is None, which forbids its import; remove it before install()")
    where = getattr(there[first], "__file__", None) or "an unknown place"
    importer = chain(first) or "the importer is not known"
    raise RuntimeError(
        f"{first} was imported before hubcore could take its place: from {where}, {importer}. Call install() before "
        f"that import, or start the program by `hubcore run --as-gevent` or with {VARIABLE}={names.NAME}"
    )


def install_as_asked() -> None:
    """Install what HUB_DROPIN asks for, if it is set; for the start-up hook. Raises what `install` raises."""
    wanted = os.environ.get(VARIABLE, "").strip()
    if not wanted:
        return
    if wanted != names.NAME:
        raise ValueError(f"{VARIABLE} is {wanted!r}; it takes {names.NAME!r}")
    install(by=VARIABLE)


publish_all(globals())
