"""The module object `gevent`: its dictionary holds the names, and writes to it reach hubcore.

uWSGI reads the dictionary from C, so the names cannot be left to a `__getattr__`. Tracers replace `gevent.spawn` and
set marks on the package; hubcore's own name then changes, too.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

import hubcore
from hubcore._gevent import differences, names
from hubcore._gevent.config import Config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What `from gevent import *` gives: gevent's names, not hubcore's own beside them.
_EXPORTED = """
    Greenlet GreenletExit Timeout config fork get_hub getcurrent getswitchinterval idle iwait joinall kill killall
    reinit setswitchinterval signal_handler sleep spawn spawn_later spawn_raw wait with_timeout
"""


class Package(ModuleType):
    """The module `gevent`."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if _is_shared(name):
            setattr(hubcore, name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if _is_shared(name) and name in vars(hubcore):
            delattr(hubcore, name)

    def __getattr__(self, name: str) -> Any:
        # Only for what is not in the dictionary: modules that are not imported yet, and what hubcore imports late.
        if name in names.MODULES:
            return import_module(f"{names.NAME}.{name}")
        if name in hubcore.__all__:
            return getattr(hubcore, name)
        raise AttributeError(f"module {names.NAME!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *(name for name in names.MODULES if "." not in name)})

    def __repr__(self) -> str:
        return f"<module {names.NAME!r}: hubcore {hubcore.__version__} in its place>"


#: The one object: a program that removes `gevent` from sys.modules and imports it again finds it again.
package = Package(names.NAME)


def fill(package: ModuleType) -> None:
    """Put gevent's names into the dictionary of `package`. A second call, as at a reload, puts them there again."""
    differences.add()
    for name in names.BOUND:
        sys.modules[f"{names.NAME}.{name}"] = import_module(f"hubcore.{name}")
    # What hubcore itself imports only at the first use stays so, but for gevent's own names.
    present = {*_EXPORTED.split(), *(name for name in hubcore.__all__ if name in vars(hubcore)), *names.BOUND}
    found: dict[str, Any] = {name: getattr(hubcore, name) for name in present}
    found |= {
        "__all__": _EXPORTED.split(),
        "__doc__": f"gevent's names; hubcore {hubcore.__version__} does the work. See docs/gevent.md of hubcore.",
        "__version__": names.version,
        "config": vars(package).get("config") or Config(),
        "version_info": names.version_info(),
    }
    # Not by setattr, which would write to hubcore.
    package.__dict__.update(found)


def _is_shared(name: str) -> bool:
    """Whether a write of `name` concerns hubcore, too; the dunder names of a module are its own."""
    return name not in names.OWN and not (name.startswith("__") and name.endswith("__"))
