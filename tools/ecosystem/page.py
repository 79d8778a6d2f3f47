"""The page of results, docs/ecosystem.md: a row per project, replaced by each run of that project."""

from __future__ import annotations

import datetime
import platform
from pathlib import Path

from tools.ecosystem.comparing import Comparison
from tools.ecosystem.projects import Project
from tools.ecosystem.setting_up import TREE

PAGE = TREE / "docs" / "ecosystem.md"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"
COLUMNS = ("project", "version", "pass plain", "differ on libev", "differ on libuv", "remark", "run")
HEAD = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def row(project: Project, compared: dict[str, Comparison]) -> str:
    """Return the row of the table."""
    cells = [project.name, project.version, str(next(iter(compared.values())).ran)]
    cells += [_cell(compared[way]) if way in compared else "-" for way in ("libev", "libuv")]
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return f"| {' | '.join([*cells, project.remark, f'{today}, CPython {platform.python_version()}'])} |"


def _cell(result: Comparison) -> str:
    parts = [str(len(result.differing) + len(result.explained))]
    if result.unsteady:
        parts.append(f"{len(result.unsteady)} unsteady")
    if result.skipped:
        parts.append(f"{len(result.skipped)} skipped")
    return ", ".join(parts)


def write(project: Project, text: str, page: Path = PAGE) -> None:
    """Put the row in the table of the page, in place of the project's last one. Rows are in order of names."""
    before, rest = page.read_text().split(BEGIN)
    table, after = rest.split(END)
    rows = {line.split("|")[1].strip(): line for line in table.strip().splitlines()[2:]}
    rows[project.name] = text
    lines = [rows[name] for name in sorted(rows, key=str.lower)]
    page.write_text("\n".join([before.rstrip("\n"), "", BEGIN, HEAD, *lines, END]) + after)
