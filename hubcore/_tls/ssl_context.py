"""SSLContext: the standard library's class, with hubcore's sockets."""

from __future__ import annotations

import ssl as _stdlib

from hubcore._base.hints import Any
from hubcore._tls.ssl_socket import SSLSocket

# OpenSSL's context. The standard library's setters reach it by `super(SSLContext, SSLContext)` and look that name up
# when they run. After patching, the name means the class below, so the setters would call themselves.
_native: Any = _stdlib.SSLContext.__base__


class SSLContext(_stdlib.SSLContext):
    """ssl.SSLContext, but `wrap_socket` returns a cooperative socket."""

    sslsocket_class: type[SSLSocket] = SSLSocket

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        """Like ssl.SSLContext.load_cert_chain; an error names the file that is missing or unreadable."""
        try:
            super().load_cert_chain(certfile, keyfile, password)
        except OSError as error:
            raise _named(error, certfile, keyfile) from None

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """Like ssl.SSLContext.load_verify_locations; an error names the file."""
        try:
            super().load_verify_locations(cafile, capath, cadata)
        except OSError as error:
            raise _named(error, cafile, capath) from None

    @property
    def options(self) -> Any:
        """Like ssl.SSLContext.options."""
        return super().options

    @options.setter
    def options(self, value: int) -> None:
        _native.options.__set__(self, value)

    @property
    def verify_flags(self) -> Any:
        """Like ssl.SSLContext.verify_flags."""
        return super().verify_flags

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        _native.verify_flags.__set__(self, value)

    @property
    def verify_mode(self) -> Any:
        """Like ssl.SSLContext.verify_mode."""
        return super().verify_mode

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        _native.verify_mode.__set__(self, value)

    @property
    def minimum_version(self) -> Any:
        """Like ssl.SSLContext.minimum_version."""
        return super().minimum_version

    @minimum_version.setter
    def minimum_version(self, value: int) -> None:
        if value == _stdlib.TLSVersion.SSLv3:
            self.options &= ~_stdlib.Options.OP_NO_SSLv3
        _native.minimum_version.__set__(self, value)

    @property
    def maximum_version(self) -> Any:
        """Like ssl.SSLContext.maximum_version."""
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
    """Return `error`, which OpenSSL raised while it read one of `paths`, with the file's name added."""
    given = [path for path in paths if path is not None]
    if isinstance(error, _stdlib.SSLError):
        error.add_note("in " + " or ".join(repr(path) for path in given))  # the text itself holds only the reason
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
    """Return a function for OpenSSL that calls `callback` with enum members in place of numbers, where they exist."""
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
