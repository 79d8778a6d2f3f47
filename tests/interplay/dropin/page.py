"""Writes the tables of docs/gevent.md between their marks: what the jobs found, and the modules."""

from __future__ import annotations

import datetime
import platform
from importlib import metadata

from hubcore._gevent import names
from tests.interplay.dropin.run import Outcome, jobs
from tests.interplay.dropin.ways import WAYS
from tests.support import drop_in
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "gevent.md"
#: Jobs that do not pass, with the reason; the page shows it.
KNOWN: dict[str, str] = {}
#: Remarks on jobs that pass.
REMARKS: dict[str, str] = {}
BACKENDS = ("libev", "libuv")


def write(outcomes: list[Outcome]) -> None:
    """Write both tables."""
    text = PAGE.read_text()
    text = replaced(text, "packages", packages(outcomes))
    text = replaced(text, "modules", modules())
    PAGE.write_text(text)


def replaced(text: str, name: str, content: str) -> str:
    """`text` with `content` between the marks of `name`."""
    begin, end = f"<!-- {name}: written by make interplay-gevent -->\n", f"<!-- end of {name} -->\n"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{PAGE.name} has no marks {begin.strip()} and {end.strip()}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def packages(outcomes: list[Outcome]) -> str:
    """The table of packages."""
    by_key = {(each.job, each.way, each.backend): each for each in outcomes}
    today = datetime.date.today().isoformat()
    lines = [
        f"Run on {today} with CPython {platform.python_version()}. Each cell: libev, libuv.",
        "",
        f"| package | version | what is done | {' | '.join(WAYS)} | remark |",
        f"|---|---|---|{'---|' * len(WAYS)}---|",
    ]
    for job in jobs():
        versions = ", ".join(_version(each) for each in job.packages) or "-"
        cells = [_cell([by_key.get((job.name, way, backend)) for backend in BACKENDS]) for way in WAYS]
        package = ", ".join(job.packages) or "gevent's own"
        remark = KNOWN.get(job.name) or REMARKS.get(job.name, "")
        lines.append(f"| {package} | {versions} | {job.does.rstrip('.')} | {' | '.join(cells)} | {remark} |")
    return "\n".join(lines) + "\n"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _cell(found: list[Outcome | None]) -> str:
    texts = ["-" if each is None else "ok" if each.passed else "**fails**" for each in found]
    return texts[0] if len(set(texts)) == 1 else ", ".join(texts)


def modules() -> str:
    """The table of modules: each that gevent publishes, and what it is."""
    published = [name for name in drop_in.load_names() if name != drop_in.PACKAGE]
    lines = ["| module | is |", "|---|---|"]
    for name in sorted({*published, *names.MODULES}):
        own = names.MODULES.get(name)
        what = "absent" if own is None else f"`{own}`" if "._" not in own else "a stand-in"
        if own is not None and own.startswith("hubcore._tasks"):
            what = "private, kept for tracers"
        lines.append(f"| `gevent.{name}` | {what} |")
    return "\n".join(lines) + "\n"
