"""Contexts of TLS that were made before `ssl` was patched: they go on working, and give cooperative sockets.

HTTP libraries make one when they are imported, and keep it.
"""

from __future__ import annotations

import ssl as _stdlib
from types import FunctionType

from hubcore._originals import original
from hubcore._sslsocket import SSLSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def adapt_contexts() -> None:
    """Change the standard library's own class SSLContext in place. Done again, it changes nothing."""
    cls: Any = original("ssl", "SSLContext")
    if cls.sslsocket_class is original("ssl", "SSLSocket"):
        cls.sslsocket_class = SSLSocket
    # Its setters say `super(SSLContext, SSLContext)`, and look that name up in the module when they run. There it is
    # our class by now, whose next one is this class, so they would call themselves without end.
    names = {**vars(_stdlib), "SSLContext": cls}
    for name, value in list(vars(cls).items()):
        if isinstance(value, property) and isinstance(value.fset, FunctionType):
            setter = value.fset
            if "SSLContext" in setter.__code__.co_names and setter.__globals__ is vars(_stdlib):
                ours = FunctionType(setter.__code__, names, setter.__name__, setter.__defaults__, setter.__closure__)
                setattr(cls, name, property(value.fget, ours, value.fdel, value.__doc__))
