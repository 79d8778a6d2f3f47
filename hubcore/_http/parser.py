"""The seam to the HTTP parser, httptools: nothing else imports it.

Facts about httptools (0.9, on llhttp 9.4): it takes a header of any length; it runs on into the next request of what it
is fed, and does not say where one ended; it never delivers the body of a request that asks for an upgrade; it accepts
HTTP/2.0 and 0.9. Consequence: it is fed one complete head at a time, of checked size, and gives the head's parts. Where
heads and bodies end is found in `request` and `body`.

Another parser is another class with `feed` and `reset`.
"""

from __future__ import annotations

try:
    from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser
except ImportError:
    raise ImportError(
        "hubcore.pywsgi needs the HTTP parser httptools; get it by: pip install 'hubcore[http]'", name="httptools"
    ) from None

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Sink(Protocol):
        """What takes the parts of a head."""

        def on_url(self, target: bytes) -> None: ...
        def on_header(self, name: bytes, value: bytes) -> None: ...
        def on_headers_complete(self) -> None: ...


class Malformed(Exception):
    """What was fed is no request's head; the text says why."""


class UnknownMethod(Malformed):
    """The parser has a list of methods, which every one that IANA has registered is on; this one is not."""


class Parser:
    """Gives `sink` the parts of a head: `on_url`, `on_header` for each field, then `on_headers_complete`."""

    __slots__ = ("_parser", "_sink")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._parser: Any = None
        self.reset()

    def feed(self, head: bytes) -> bytes:
        """Parse one whole head; its method. Malformed where it is none; the sink may have parts by then."""
        try:
            self._parser.feed_data(head)
        except HttpParserUpgrade:
            pass  # that is the application's to decide
        except HttpParserError as error:
            text = str(error)
            # RTSP's methods are known, and refused later.
            unknown = isinstance(error, HttpParserInvalidMethodError) or text.startswith("Invalid method")
            raise UnknownMethod(text) if unknown else Malformed(text)  # noqa: B904
        method: bytes = self._parser.get_method()
        return method

    def reset(self) -> None:
        """Forget the last head: it announced a body, an upgrade or the end of the connection, or was none."""
        self._parser = HttpRequestParser(self._sink)
