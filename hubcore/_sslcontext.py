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

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        """As ssl.SSLContext.load_cert_chain; an error names the file that is not there or cannot be read."""
        try:
            super().load_cert_chain(certfile, keyfile, password)
        except OSError as error:
            raise _named(error, certfile, keyfile) from None

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """As ssl.SSLContext.load_verify_locations; an error names the file."""
        try:
            super().load_verify_locations(cafile, capath, cadata)
        except OSError as error:
            raise _named(error, cafile, capath) from None

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


def _named(error: OSError, *paths: Any) -> OSError:
    """`error`, which OpenSSL raised when it was to read one of `paths`, with the name of that."""
    given = [path for path in paths if path is not None]
    if isinstance(error, _stdlib.SSLError):
        error.add_note("in " + " or ".join(repr(path) for path in given))  # its text is only its reason
    elif error.filename is None:
        for path in given:
            try:
                open(path, "rb").close()
            except OSError as reason:
                if reason.errno == error.errno:
                    error.filename = path
                    break
    return error


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
