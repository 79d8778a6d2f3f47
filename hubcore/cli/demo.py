"""`hubcore demo`: fetches pages and looks up names, concurrently and one after another, on each backend."""

from __future__ import annotations

import dataclasses
import json
import socket as stdlib_socket
from collections import Counter
from urllib.parse import urlsplit

from hubcore.backends import available, loop_class
from hubcore.cli._demo_work import Outcome, lines_of_concurrently, work
from hubcore.cli._output import Plain, complain, output
from hubcore.exceptions import BackendUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PAGES = 200
PAGES_OF_URLS = 10  # at least: to fetch one page once shows nothing
ONE_BY_ONE = 20
_MOST_FAILURES = 5
_NEXT = """\
What to try next:
  hubcore demo https://example.org/ HOST ...   your own pages and names
  hubcore run your_program.py                  your program with its blocking calls made cooperative
  hubcore doctor your_program.py               what blocks in it, for how long, and what to do
  hubcore serve module:application             serve a WSGI application
"""


def main(
    targets: Sequence[str] = (), *, pages: int | None = None, backends: str | None = None, as_json: bool = False
) -> int:
    """Run the demo. Return 0 if every page was fetched, 1 if not, 2 if the arguments are wrong."""
    try:
        urls, hosts = sort_out(targets)
        names = choose(backends)
    except (ValueError, BackendUnavailable) as error:
        complain(str(error))
        return 2
    if pages is None:
        pages = max(len(urls), PAGES_OF_URLS) if urls else PAGES
    own_hosts = not hosts  # a machine without a network may fail to resolve its own name; that does not count
    hosts = hosts or ["localhost", "127.0.0.1", stdlib_socket.gethostname()]
    out = output()
    if not as_json:
        out.line(
            f"{pages} page{'s' * (pages > 1)} "
            f"{'of ' + ', '.join(urls) if urls else 'of a local server that answers after 0.1 s'}, "
            f"and the addresses of {', '.join(hosts)}"
        )
    outcomes = [work(name, urls, hosts, pages, min(pages, ONE_BY_ONE), out.progress) for name in names]
    pages_came = all(outcome.fetched == pages and not outcome.page_failures for outcome in outcomes)
    names_came = own_hosts or not any(outcome.name_failures for outcome in outcomes)
    if as_json:
        print(json.dumps([dataclasses.asdict(outcome) for outcome in outcomes], indent=2))
    else:
        show(outcomes, out)
        out.line("\nThe greenlets were started by these lines, where fetch and look_up are blocking functions:\n")
        for line in ("from hubcore.pool import Pool", *lines_of_concurrently()):
            out.line(f"    {line}")
        out.line(f"\n{_NEXT.rstrip()}")
    return 0 if pages_came and names_came else 1


def sort_out(targets: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the URLs and the host names among `targets`; ValueError, with a text for the user, if one is neither."""
    urls, hosts = [], []
    for target in targets:
        scheme, separator, _ = target.partition("://")
        if not separator:
            if not target or any(character.isspace() or character in "/?#@" for character in target):
                raise ValueError(f"{target!r} is neither an http:// or https:// URL nor a host name")
            hosts.append(target)
        elif scheme.lower() not in ("http", "https"):
            raise ValueError(f"{target}: the demo fetches only http:// and https:// URLs")
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
    """Return the backends to run on: all of `backends`, or by default the native ones, or select if there are none.

    BackendUnavailable if a named backend is missing.
    """
    if backends is not None:
        names = [name.strip() for name in backends.split(",") if name.strip()]
        if not names:
            raise ValueError(f"--backend names no backend: {backends!r}; give names such as libev,libuv")
        for name in names:
            loop_class(name)
        return names
    found = []
    reasons = []
    for name in ("libev", "libuv"):
        try:
            loop_class(name)
        except BackendUnavailable:
            reasons.append(f"{name}: {available()[name]}")
        else:
            found.append(name)
    if not found:
        complain(f"no native backend is available, so the demo runs on select, which is slower. {'. '.join(reasons)}")
        return ["select"]
    return found


def show(outcomes: Sequence[Outcome], out: Plain) -> None:
    """Print the table and the failures. Without two pages there is nothing to compare, and only one time is shown."""
    sample = max(outcome.one_by_one for outcome in outcomes)
    total = max(outcome.pages for outcome in outcomes)
    heads = ["backend", "pages", "names", "concurrently", f"{sample} one by one"]
    if total > sample:
        heads.append(f"all {total} one by one")
    if total > 1:
        heads.append("speed-up")
    rows = []
    for outcome in outcomes:
        all_of_them = outcome.seconds_one_by_one / outcome.one_by_one * outcome.pages
        row = [
            outcome.backend,
            f"{outcome.fetched} of {outcome.pages}",
            f"{outcome.resolved} of {outcome.names}",
            f"{outcome.seconds:.2f} s",
            f"{outcome.seconds_one_by_one:.2f} s",
        ]
        if total > sample:
            row.append(f"about {all_of_them:.1f} s")
        if total > 1:
            row.append(f"{all_of_them / outcome.seconds:.1f} x")
        rows.append(row)
    out.table(heads, rows, right=1)
    if total == 1:
        out.line("One page shows no concurrency: --pages 20 fetches it 20 times.")
    for outcome in outcomes:
        for kind, failures in (("page", outcome.page_failures), ("name", outcome.name_failures)):
            counted = list(Counter(failures).items())
            for text, times in counted[:_MOST_FAILURES]:
                often = f" ({times} times)" if times > 1 else ""
                out.line(f"{outcome.backend}: {kind} failed: {text}{often}", "red")
            if len(counted) > _MOST_FAILURES:
                left = sum(times for _, times in counted[_MOST_FAILURES:])
                out.line(f"{outcome.backend}: and {left} more {kind}s failed", "red")
