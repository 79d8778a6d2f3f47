"""The standard library's ssl module, made cooperative: calls that would block wait in the hub.

`SSLContext` and `SSLSocket` are subclasses of the standard library's, so code that checks for those accepts them.
Every other name, constants included, is the standard library's own. OpenSSL does the TLS; memory buffers (MemoryBIO)
stand between it and the socket.
"""

from __future__ import annotations

import ssl as _stdlib
from types import FunctionType

from hubcore._base.hints import Any
from hubcore._base.package import publish_all
from hubcore._tls.ssl_context import SSLContext
from hubcore._tls.ssl_socket import SSLSocket as SSLSocket
from hubcore.socket import create_connection
from hubcore.socket import socket as socket

TYPE_CHECKING = False

_names: dict[str, Any] = {**vars(_stdlib), "SSLContext": SSLContext, "create_connection": create_connection}


def _with_our_context(name: str) -> Any:
    """Return the running Python version's own function, bound to globals in which SSLContext is hubcore's."""
    function: Any = getattr(_stdlib, name)
    ours = FunctionType(function.__code__, _names, name, function.__defaults__, function.__closure__)
    ours.__kwdefaults__ = function.__kwdefaults__
    ours.__doc__ = function.__doc__
    ours.__module__ = __name__
    return ours


if TYPE_CHECKING:

    def create_default_context(
        purpose: _stdlib.Purpose = _stdlib.Purpose.SERVER_AUTH,
        *,
        cafile: str | None = None,
        capath: str | None = None,
        cadata: str | bytes | None = None,
    ) -> SSLContext:
        """Like ssl.create_default_context."""
        raise NotImplementedError

    def get_server_certificate(
        addr: tuple[str, int],
        ssl_version: int = _stdlib.PROTOCOL_TLS_CLIENT,
        ca_certs: str | None = None,
        timeout: float = 0,
    ) -> str:
        """Like ssl.get_server_certificate. Switches."""
        raise NotImplementedError

else:
    create_default_context = _with_our_context("create_default_context")
    get_server_certificate = _with_our_context("get_server_certificate")
    if hasattr(_stdlib, "wrap_socket"):  # Python 3.12 removed it
        wrap_socket = _with_our_context("wrap_socket")
_create_unverified_context = _with_our_context("_create_unverified_context")
_create_default_https_context = create_default_context
_create_stdlib_context = _names["_create_stdlib_context"] = _create_unverified_context


def __getattr__(name: str) -> Any:
    # Looked up, not copied: every name of the running Python version is found, also one that is set later.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


#: The names that `hubcore.monkey` replaces in the standard library's module; its functions call these.
__implements__: list[str] = ["SSLContext", "SSLSocket", "create_connection", "socket"]


def _hubcore_did_monkey_patch(target: object, items: list[str], warn: object) -> None:
    if "SSLContext" in items:
        from hubcore._tls.existing_contexts import adapt_contexts

        adapt_contexts()


# The standard library's module has no __all__: every name without a leading underscore is public.
__all__ = sorted(name for name in vars(_stdlib) if not name.startswith("_"))


publish_all(globals())
