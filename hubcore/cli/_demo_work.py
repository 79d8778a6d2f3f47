"""The work of the demo: a server, a client and name look-ups, written as a program would write them with hubcore."""

from __future__ import annotations

import ast
import functools
import http.client
import http.server
import inspect
import itertools
import ssl as stdlib_ssl
from dataclasses import dataclass, field
from time import perf_counter
from urllib.parse import urlsplit

import hubcore
from hubcore import socket, ssl
from hubcore.hub import Hub, get_hub_if_any
from hubcore.pool import Pool
from hubcore.server import StreamServer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    Function = Callable[[str], object]
    Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]

ANSWER_AFTER = 0.1
_PATIENCE = 10.0  # seconds before a page counts as failed
_FDS_OF_OUR_OWN = 64


@dataclass
class Outcome:
    """The results of the work on one backend."""

    backend: str
    pages: int
    names: int
    one_by_one: int  # the number of pages to fetch one after another
    fetched: int = 0
    resolved: int = 0
    seconds: float = 0.0
    seconds_one_by_one: float = 0.0
    page_failures: list[str] = field(default_factory=list)
    name_failures: list[str] = field(default_factory=list)


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        hubcore.sleep(ANSWER_AFTER)
        body = b"<p>Only the greenlet that requested this page waited for it.</p>\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log no requests."""


def _answer(connection: Any, address: Any) -> None:
    _Page(connection, address, None)  # type: ignore[arg-type]  # the handler only stores its server


class _Connection(http.client.HTTPConnection):
    secure: stdlib_ssl.SSLContext | None = None

    def connect(self) -> None:
        self.sock = socket.create_connection((self.host, self.port), self.timeout)
        if self.secure is not None:
            self.sock = self.secure.wrap_socket(self.sock, server_hostname=self.host)


def concurrently(fetch: Function, urls: Sequence[str], look_up: Function, names: Sequence[str], at_once: int) -> None:
    """Call `fetch` for each URL and `look_up` for each name, each in a greenlet of its own. Switches."""
    pool = Pool(at_once)  # so many greenlets at most; the limit of file descriptors decides
    for name in names:
        pool.spawn(look_up, name)
    for url in urls:
        pool.spawn(fetch, url)  # waits only while the pool is full
    pool.join(raise_error=True)


def lines_of_concurrently() -> list[str]:
    """Return the source of `concurrently` as a program would write it: without annotations and docstring."""
    node = ast.parse(inspect.getsource(concurrently)).body[0]
    assert isinstance(node, ast.FunctionDef)
    lines = inspect.getsource(concurrently).splitlines()
    start = node.body[1].lineno
    return [f"def {node.name}({', '.join(each.arg for each in node.args.args)}):", *lines[start - 1 :]]


def fetch(url: str) -> str | None:
    """Fetch one page. Return the failure as text, or None. Switches."""
    parts = urlsplit(url)
    secure = parts.scheme.lower() == "https"
    connection = _Connection(parts.hostname or "", parts.port or (443 if secure else 80), timeout=_PATIENCE)
    try:
        connection.secure = _trusting() if secure else None
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
        return f"{url}: {error or type(error).__name__}"
    finally:
        connection.close()
    return None if response.status < 400 else f"{url}: {response.status} {response.reason}"


@functools.cache
def _trusting() -> stdlib_ssl.SSLContext:
    return ssl.create_default_context()


def resolve(name: str) -> str | None:
    """Look up one name. Return the failure as text, or None. Switches."""
    try:
        socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return f"{name}: {error}"
    return None


def work(backend: str, urls: list[str], names: list[str], pages: int, one_by_one: int, progress: Progress) -> Outcome:
    """Do all the work on a new hub on `backend`. Without `urls`, fetch pages of a local server. Switches."""
    existing = get_hub_if_any()
    if existing is not None:
        existing.destroy()
    outcome = Outcome(backend, pages, len(names), one_by_one)
    room = _room()
    hub = Hub(backend=backend)
    server = None
    try:
        if not urls:
            server = StreamServer(("127.0.0.1", 0), _answer, backlog=min(pages, room, 4096))
            server.start()
            urls = [f"http://127.0.0.1:{server.server_port}/"]
        wanted = list(itertools.islice(itertools.cycle(urls), pages))
        with progress(f"{backend}: {pages} pages concurrently", pages + len(names)) as advance:
            _concurrently(outcome, wanted, names, room, advance)
        with progress(f"{backend}: {one_by_one} pages one after another", one_by_one) as advance:
            began = perf_counter()
            for url in wanted[:one_by_one]:
                failure = fetch(url)
                if failure is not None:
                    outcome.page_failures.append(failure)
                advance()
            outcome.seconds_one_by_one = perf_counter() - began
    finally:
        if server is not None:
            server.stop(timeout=0)
        hub.destroy()
    return outcome


def _concurrently(outcome: Outcome, urls: list[str], names: list[str], room: int, advance: Callable[[], None]) -> None:
    def fetch_one(url: str) -> None:
        failure = fetch(url)
        if failure is None:
            outcome.fetched += 1
        else:
            outcome.page_failures.append(failure)
        advance()

    def look_up(name: str) -> None:
        failure = resolve(name)
        if failure is None:
            outcome.resolved += 1
        else:
            outcome.name_failures.append(failure)
        advance()

    began = perf_counter()
    concurrently(fetch_one, urls, look_up, names, room)
    outcome.seconds = perf_counter() - began


def _room() -> int:
    """Return how many pages can be fetched at once: each takes a file descriptor at both ends."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 65536:
        wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):
            pass
    if soft == resource.RLIM_INFINITY:
        soft = 65536
    return max(1, min(10000, (soft - _FDS_OF_OUR_OWN) // 2))
