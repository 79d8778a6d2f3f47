"""`hubcore demo`: fetches pages and looks up names, concurrently and one after another, on each backend."""

from __future__ import annotations

import socket as stdlib_socket
from urllib.parse import urlsplit

from hubcore.backends import loop_class
from hubcore.cli._demo_work import Outcome, work
from hubcore.cli._output import Plain, complain, output
from hubcore.exceptions import BackendUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PAGES = 200
ONE_BY_ONE = 20
_MOST_FAILURES = 5


def main(targets: Sequence[str] = (), *, pages: int | None = None, backends: str | None = None) -> int:
    """Run the demo. Return 0 if every page was fetched, 1 if not, 2 if the arguments are wrong."""
    try:
        urls, hosts = sort_out(targets)
        names = choose(backends)
    except (ValueError, BackendUnavailable) as error:
        complain(str(error))
        return 2
    if pages is None:
        pages = len(urls) or PAGES
    own_hosts = not hosts  # a machine without a network may fail to resolve its own name; that does not count
    hosts = hosts or ["localhost", "127.0.0.1", stdlib_socket.gethostname()]
    out = output()
    out.line(
        f"{pages} pages {'of ' + ', '.join(urls) if urls else 'of a local server that answers after 0.1 s'}, "
        f"and the addresses of {', '.join(hosts)}"
    )
    outcomes = [work(name, urls, hosts, pages, min(pages, ONE_BY_ONE), out.progress) for name in names]
    show(outcomes, out)
    pages_came = all(outcome.fetched == pages and not outcome.page_failures for outcome in outcomes)
    names_came = own_hosts or not any(outcome.name_failures for outcome in outcomes)
    return 0 if pages_came and names_came else 1


def sort_out(targets: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the URLs and the host names among `targets`; ValueError, with a text for the user, if one is neither."""
    urls, hosts = [], []
    for target in targets:
        scheme, separator, _ = target.partition("://")
        if not separator:
            if not target or any(character.isspace() or character in "/?#@" for character in target):
                raise ValueError(f"{target!r} is neither an http:// URL nor a host name")
            hosts.append(target)
        elif scheme.lower() == "https":
            raise ValueError(f"{target}: the demo does not fetch https:// URLs; give an http:// URL")
        elif scheme.lower() != "http":
            raise ValueError(f"{target}: the demo fetches only http:// URLs")
        else:
            try:
                parts = urlsplit(target)
                if not parts.hostname:
                    raise ValueError("the URL has no host; give one such as http://localhost/")
                parts.port  # noqa: B018  # raises ValueError for an invalid port
            except ValueError as error:
                raise ValueError(f"{target}: {error}") from None
            urls.append(target)
    return urls, hosts


def choose(backends: str | None) -> list[str]:
    """Return the backends to run on: all of `backends`, or by default the native ones that are available.

    BackendUnavailable if a named backend, or every native one, is missing.
    """
    if backends is not None:
        names = [name.strip() for name in backends.split(",") if name.strip()]
        if not names:
            raise ValueError(f"--backend names no backend: {backends!r}; give names such as libev,libuv")
        for name in names:
            loop_class(name)
        return names
    found = []
    for name in ("libev", "libuv"):
        try:
            loop_class(name)
        except BackendUnavailable:
            continue
        found.append(name)
    if not found:
        loop_class("libev,libuv")  # raises, with the reasons
    return found


def show(outcomes: Sequence[Outcome], out: Plain) -> None:
    """Print the table and the failures."""
    sample = max(outcome.one_by_one for outcome in outcomes)
    total = max(outcome.pages for outcome in outcomes)
    heads = ["backend", "pages", "names", "concurrently", f"{sample} one by one", f"all {total} one by one", "speed-up"]
    rows = []
    for outcome in outcomes:
        all_of_them = outcome.seconds_one_by_one / outcome.one_by_one * outcome.pages
        rows.append(
            (
                outcome.backend,
                f"{outcome.fetched} of {outcome.pages}",
                f"{outcome.resolved} of {outcome.names}",
                f"{outcome.seconds:.2f} s",
                f"{outcome.seconds_one_by_one:.2f} s",
                f"{all_of_them:.1f} s" if outcome.one_by_one == outcome.pages else f"about {all_of_them:.1f} s",
                f"{all_of_them / outcome.seconds:.1f} x",
            )
        )
    out.table(heads, rows, right=1)
    for outcome in outcomes:
        for kind, failures in (("page", outcome.page_failures), ("name", outcome.name_failures)):
            for text in failures[:_MOST_FAILURES]:
                out.line(f"{outcome.backend}: {kind} failed: {text}", "red")
            if len(failures) > _MOST_FAILURES:
                out.line(f"{outcome.backend}: and {len(failures) - _MOST_FAILURES} more {kind}s failed", "red")
