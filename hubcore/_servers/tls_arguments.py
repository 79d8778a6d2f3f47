"""The TLS arguments of a StreamServer."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_OF_CONTEXT = ("certfile", "keyfile", "password", "cert_reqs", "ca_certs", "ciphers", "ssl_version")
_OF_WRAPPING = ("do_handshake_on_connect", "suppress_ragged_eofs", "server_side")


def wrapper(ssl_args: dict[str, Any], alpn: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    """Return a function that wraps an accepted socket in TLS. TypeError if `ssl_args` contradict each other.

    A context that it makes offers the protocols `alpn`.
    """
    context = ssl_args.get("ssl_context")
    given = {name: ssl_args[name] for name in _OF_CONTEXT if ssl_args.get(name) is not None}
    wrapping = {name: ssl_args[name] for name in _OF_WRAPPING if name in ssl_args}
    wrapping.setdefault("server_side", True)
    unknown = set(ssl_args) - {"ssl_context", *_OF_CONTEXT, *_OF_WRAPPING}
    if unknown:
        raise TypeError(f"the server got unexpected arguments: {', '.join(sorted(unknown))}")
    if context is None and "certfile" not in given:
        raise TypeError("a TLS server needs an ssl_context, or a certfile (and keyfile)")
    if context is not None and given:
        raise TypeError(f"set {', '.join(sorted(given))} in the ssl_context instead of passing both")
    from hubcore._tls.ssl_context import SSLContext

    if context is None:
        context = _context(SSLContext, given)
        if alpn:
            context.set_alpn_protocols(list(alpn))
    elif not isinstance(context, SSLContext):
        raise TypeError(f"ssl_context must be a hubcore.ssl.SSLContext, which waits cooperatively, not {context!r}")
    return lambda sock: context.wrap_socket(sock, **wrapping)


def _context(kind: Any, given: dict[str, Any]) -> Any:
    from ssl import PROTOCOL_TLS_SERVER

    context = kind(given.get("ssl_version", PROTOCOL_TLS_SERVER))
    context.load_cert_chain(given["certfile"], given.get("keyfile"), given.get("password"))
    if "ca_certs" in given:
        context.load_verify_locations(given["ca_certs"])
    if "cert_reqs" in given:
        context.verify_mode = given["cert_reqs"]
    if "ciphers" in given:
        context.set_ciphers(given["ciphers"])
    return context
