"""TLS contexts that were made before `ssl` was patched: they keep working, and make cooperative sockets.

HTTP libraries make such a context when they are imported, and keep it.
"""

from __future__ import annotations

import ssl as _stdlib
from types import FunctionType

from hubcore._base.originals import original
from hubcore._tls.ssl_socket import SSLSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def adapt_contexts() -> None:
    """Change the standard library's own class SSLContext in place. A second call changes nothing."""
    cls: Any = original("ssl", "SSLContext")
    if cls.sslsocket_class is original("ssl", "SSLSocket"):
        cls.sslsocket_class = SSLSocket
    # Its setters call `super(SSLContext, SSLContext)` and look that name up in the module when they run. The name now
    # means hubcore's class, whose base is this class, so the setters would recurse without end.
    names = {**vars(_stdlib), "SSLContext": cls}
    for name, value in list(vars(cls).items()):
        if isinstance(value, property) and isinstance(value.fset, FunctionType):
            setter = value.fset
            if "SSLContext" in setter.__code__.co_names and setter.__globals__ is vars(_stdlib):
                ours = FunctionType(setter.__code__, names, setter.__name__, setter.__defaults__, setter.__closure__)
                setattr(cls, name, property(value.fget, ours, value.fdel, value.__doc__))
