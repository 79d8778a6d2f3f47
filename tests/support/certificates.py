"""Certificates for the tests of TLS: an authority of this process, and contexts of any ssl module that trust it."""

from __future__ import annotations

import ssl as stdlib
import threading
from functools import cache
from typing import Any

import trustme

# `cache` lets two threads that come at once make one each, and a certificate of the one authority is none of the other.
_lock = threading.RLock()


def authority() -> trustme.CA:
    with _lock:
        return _authority()


def issued(name: str) -> trustme.LeafCert:
    with _lock:
        return _issued(name)


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def _issued(name: str) -> trustme.LeafCert:
    return authority().issue_cert(name)


def server_context(module: Any, name: str = "localhost", **attributes: Any) -> Any:
    """A server's context of `module`, stdlib's or ours, with a certificate for `name`."""
    context = module.SSLContext(module.PROTOCOL_TLS_SERVER)
    issued(name).configure_cert(context)
    return with_attributes(context, attributes)


def client_context(module: Any, **attributes: Any) -> Any:
    """A client's context of `module` that trusts our authority alone and checks host names."""
    context = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
    authority().configure_trust(context)
    return with_attributes(context, attributes)


def with_attributes(context: Any, attributes: dict[str, Any]) -> Any:
    version = attributes.pop("version", None)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


TLS_1_2 = stdlib.TLSVersion.TLSv1_2
TLS_1_3 = stdlib.TLSVersion.TLSv1_3
