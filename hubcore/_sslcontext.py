"""SSLContext: the standard library's, whose sockets are ours."""

from __future__ import annotations

import ssl as _stdlib

from hubcore._sslsocket import SSLSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# OpenSSL's context. The standard library's setters find it by `super(SSLContext, SSLContext)`, where the first name is
# looked up when they run: once our class has taken that name in the module, they would find themselves.
_native: Any = _stdlib.SSLContext.__base__


class SSLContext(_stdlib.SSLContext):
    """ssl.SSLContext: the same, but `wrap_socket` gives a cooperative socket."""

    sslsocket_class = SSLSocket

    @property
    def options(self) -> Any:
        """As ssl.SSLContext.options."""
        return super().options

    @options.setter
    def options(self, value: int) -> None:
        _native.options.__set__(self, value)

    @property
    def verify_flags(self) -> Any:
        """As ssl.SSLContext.verify_flags."""
        return super().verify_flags

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        _native.verify_flags.__set__(self, value)

    @property
    def verify_mode(self) -> Any:
        """As ssl.SSLContext.verify_mode."""
        return super().verify_mode

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        _native.verify_mode.__set__(self, value)

    @property
    def minimum_version(self) -> Any:
        """As ssl.SSLContext.minimum_version."""
        return super().minimum_version

    @minimum_version.setter
    def minimum_version(self, value: int) -> None:
        if value == _stdlib.TLSVersion.SSLv3:
            self.options &= ~_stdlib.Options.OP_NO_SSLv3
        _native.minimum_version.__set__(self, value)

    @property
    def maximum_version(self) -> Any:
        """As ssl.SSLContext.maximum_version."""
        return super().maximum_version

    @maximum_version.setter
    def maximum_version(self, value: int) -> None:
        _native.maximum_version.__set__(self, value)

    @property
    def _msg_callback(self) -> Any:
        return super()._msg_callback  # type: ignore[misc]

    @_msg_callback.setter
    def _msg_callback(self, callback: Any) -> None:
        if callback is not None:
            callback = _with_enums(callback)
        _native._msg_callback.__set__(self, callback)


def _with_enums(callback: Any) -> Any:
    """For OpenSSL: calls `callback` with members of the enumerations, where there are any, for numbers."""
    if not callable(callback):
        raise TypeError(f"{callback} is not callable.")
    enums: Any = _stdlib
    by_content = {enums._TLSContentType.HEADER: enums._TLSContentType, enums._TLSContentType.ALERT: enums._TLSAlertType}

    def member(enum: Any, value: int) -> Any:
        try:
            return enum(value)
        except ValueError:
            return value

    def inner(conn: Any, direction: str, version: int, content_type: int, msg_type: int, data: bytes) -> Any:
        content = member(enums._TLSContentType, content_type)
        kind = member(by_content.get(content, enums._TLSMessageType), msg_type)
        return callback(conn, direction, member(_stdlib.TLSVersion, version), content, kind, data)

    inner.user_function = callback  # type: ignore[attr-defined] # what the standard library's getter returns
    return inner
