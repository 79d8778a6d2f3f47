"""The standard library's ssl module, cooperatively: what would block waits in the hub instead.

`SSLContext` and `SSLSocket` are subclasses of the standard library's, so they are accepted wherever those are.
Everything that is not here, the constants among it, is the standard library's own. TLS is OpenSSL's, by way of
memory buffers (MemoryBIO) between it and the socket.
"""

from __future__ import annotations

import ssl as _stdlib
from types import FunctionType

from hubcore._sslcontext import SSLContext
from hubcore._sslsocket import SSLSocket as SSLSocket
from hubcore.socket import create_connection
from hubcore.socket import socket as socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_names: dict[str, Any] = {**vars(_stdlib), "SSLContext": SSLContext, "create_connection": create_connection}


def _with_our_context(name: str) -> Any:
    """The standard library's function, as this version of Python has it, where SSLContext is ours."""
    function: Any = getattr(_stdlib, name)
    ours = FunctionType(function.__code__, _names, name, function.__defaults__, function.__closure__)
    ours.__kwdefaults__ = function.__kwdefaults__
    ours.__doc__ = function.__doc__
    ours.__module__ = __name__
    return ours


create_default_context = _with_our_context("create_default_context")
_create_unverified_context = _with_our_context("_create_unverified_context")
_create_default_https_context = create_default_context
_create_stdlib_context = _names["_create_stdlib_context"] = _create_unverified_context
get_server_certificate = _with_our_context("get_server_certificate")
if hasattr(_stdlib, "wrap_socket"):  # Python 3.12 has dropped it
    wrap_socket = _with_our_context("wrap_socket")


def __getattr__(name: str) -> Any:
    # Not copied, so that what the standard library has is there, whatever the version, and stays its own.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


#: What `hubcore.monkey` replaces in the standard library's module, whose functions are made of these.
__implements__ = ["SSLContext", "SSLSocket", "create_connection", "socket"]


def _hubcore_did_monkey_patch(target: object, items: list[str], warn: object) -> None:
    if "SSLContext" in items:
        from hubcore._sslstale import adapt_contexts

        adapt_contexts()


# The standard library's module has no list of its own: all that does not begin with an underscore is public.
__all__ = sorted(name for name in vars(_stdlib) if not name.startswith("_"))
