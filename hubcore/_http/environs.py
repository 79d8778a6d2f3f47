"""The environ that a server's requests share, and dictionaries that keep secrets when they are printed."""

from __future__ import annotations

import platform
import socket
from collections.abc import Callable, Iterator
from typing import Any

from hubcore._http.files import FileWrapper
from hubcore._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    _Dict = dict[str, Any]
else:
    _Dict = dict

SOFTWARE = f"hubcore/{__version__} Python/{platform.python_version()}"


def base_environ(errors: Any, secure: bool) -> dict[str, Any]:
    """What every request of a server has in its environ."""
    return {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": SOFTWARE,
        "SCRIPT_NAME": "",
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,  # greenlets share what threads do
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "https" if secure else "http",
        "wsgi.errors": errors,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,  # reading beyond the body gives b""
    }


def name_and_port(address: Any, secure: bool) -> tuple[str, str]:
    """SERVER_NAME and SERVER_PORT of a server that listens on `address`. Never looks a name up."""
    if isinstance(address, tuple) and len(address) >= 2:
        host = address[0].decode() if isinstance(address[0], bytes) else str(address[0])
        if host in ("", "0.0.0.0", "::"):
            host = socket.gethostname() or "localhost"
        return host, str(address[1])
    return "localhost", "443" if secure else "80"


# What each request sets: in the template already, so that a copy of it need not grow.
_SET_BY_REQUESTS = (
    "REQUEST_METHOD", "SERVER_PROTOCOL", "RAW_URI", "REQUEST_URI", "QUERY_STRING", "PATH_INFO", "REMOTE_ADDR",
    "REMOTE_PORT", "wsgi.input", "hubcore.socket", "gunicorn.socket",
)  # fmt: skip


class BaseEnviron(_Dict):
    """What all requests of a server have in their environ. `template` is what they copy, made anew after a change."""

    def __init__(self, given: dict[str, Any], changed: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(given)
        self._changed = changed
        changed(self.template())

    def template(self) -> dict[str, Any]:
        """A dict of this and of the keys that each request sets."""
        return {**self, **dict.fromkeys(_SET_BY_REQUESTS)}


def _noting(name: str) -> Callable[..., Any]:
    method = getattr(dict, name)

    def change(self: BaseEnviron, *args: Any, **kwargs: Any) -> Any:
        result = method(self, *args, **kwargs)
        self._changed(self.template())
        return result

    change.__name__ = name
    change.__doc__ = f"As dict.{name}."
    return change


for _name in ("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(BaseEnviron, _name, _noting(_name))


class Environ(_Dict):
    """A dict, by the name that gevent has for it."""

    def iteritems(self) -> Iterator[tuple[str, Any]]:
        """As items."""
        return iter(self.items())


class SecureEnviron(Environ):
    """An environ that is printed without its values, except those of the keys in `whitelist_keys`.

    With `secure_repr` False it prints as any dict. `print_masked_keys` says whether the other keys are shown.
    """

    default_secure_repr = True
    default_whitelist_keys: tuple[str, ...] = ()
    default_print_masked_keys = True

    __slots__ = ("print_masked_keys", "secure_repr", "whitelist_keys")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.secure_repr: bool = self.default_secure_repr
        self.whitelist_keys: tuple[str, ...] = self.default_whitelist_keys
        self.print_masked_keys: bool = self.default_print_masked_keys

    def _shown(self) -> dict[str, Any]:
        shown = {key: self[key] for key in self if key in self.whitelist_keys}
        if self.print_masked_keys:
            shown |= {key: "<MASKED>" for key in self if key not in shown}
        return shown

    def __repr__(self) -> str:
        if not self.secure_repr:
            return super().__repr__()
        return f"{self._shown()!r} (hidden keys: {len(self) - len(self._shown())})" if self else "{}"

    __str__ = __repr__

    def copy(self) -> SecureEnviron:
        """Another one with the same content and settings."""
        new = type(self)(self)
        new.secure_repr = self.secure_repr
        new.whitelist_keys = self.whitelist_keys
        new.print_masked_keys = self.print_masked_keys
        return new


class WSGISecureEnviron(SecureEnviron):
    """A SecureEnviron that shows what is no secret of a request: method, path and so on."""

    default_whitelist_keys: tuple[str, ...] = ("REMOTE_ADDR", "REMOTE_PORT", "HTTP_HOST")
    default_print_masked_keys = False
