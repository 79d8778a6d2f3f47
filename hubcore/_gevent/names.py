"""What `gevent` stands for: which module of hubcore is which of gevent's, and the version that programs see."""

from __future__ import annotations

import os

from hubcore._base.package import PACKAGE

#: The name that the drop-in can take.
NAME = "gevent"

#: Programs compare it: gunicorn asks for 24.10.1 or later, pydevd makes numbers of the parts, uWSGI wants 1 or more.
#: A wheel of `hubcore gevent-wheel --version` brings its own.
version = "26.9.0"

#: The value of `gevent.__file__`.
FILE = os.path.join(PACKAGE, "_gevent", "package.py")
#: The only folder on `gevent.__path__`. There is none of that name: `finder.Listing` answers pkgutil in its place.
FOLDER = os.path.join(PACKAGE, "_gevent", "gevent")

_SAME = """
    backdoor baseserver contextvars event events exceptions fileobject greenlet hub local lock monkey os pool pywsgi
    queue resolver select selectors server signal socket ssl subprocess thread threading threadpool time timeout util
"""

#: Each module of gevent by its name without "gevent.", and the module that it is.
MODULES: dict[str, str] = {name: f"hubcore.{name}" for name in _SAME.split()} | {
    "resolver.ares": "hubcore.resolver.ares",
    "resolver.blocking": "hubcore.resolver.blocking",
    "resolver.cares": "hubcore.resolver.cares",
    "resolver.dnspython": "hubcore.resolver.dnspython",
    "resolver.thread": "hubcore.resolver.thread",
    # Older names of the same.
    "resolver_ares": "hubcore.resolver.ares",
    "resolver_thread": "hubcore.resolver.thread",
    # Stand-ins: hubcore itself has no use for them.
    "core": "hubcore._gevent.core",
    "_interfaces": "hubcore._gevent.interfaces",
    # Private names that tracers import.
    "_imap": "hubcore._tasks.imap",
}

#: The names of the package that never reach hubcore: its own attributes, and modules that hubcore does not have.
OWN = frozenset({"config", "version_info", "core", "_interfaces", "_imap", "resolver_ares", "resolver_thread"})

#: The modules that are bound after `import gevent`, as programs expect.
BOUND = ("event", "exceptions", "greenlet", "hub", "os", "timeout")


def version_info() -> tuple[int, ...]:
    """Return the version as numbers."""
    return tuple(map(int, version.split(".")))
