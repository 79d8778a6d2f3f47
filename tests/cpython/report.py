"""The tables of docs/cpython-tests.md and of the terminal, from what is kept of the last runs."""

from collections.abc import Iterable

from tests.cpython.run import ROOT
from tests.cpython.verdict import Verdict

PAGE = ROOT / "docs" / "cpython-tests.md"
BEGIN = "<!-- {} of `python -m tests.cpython --write-docs` -->"
END = "<!-- end -->"


def table(verdicts: Iterable[Verdict]) -> str:
    """A row for each module, a column for each Python and backend: how many pass, and of how many."""
    cells: dict[str, dict[tuple[tuple[int, ...], str, str], str]] = {}
    columns = set()
    for verdict in verdicts:
        python = verdict.job.python
        column = (tuple(map(int, python.version.split("."))), python.version, verdict.job.backend)
        columns.add(column)
        text = f"{verdict.good} of {verdict.of}" if verdict.good < verdict.of else f"{verdict.of}"
        if verdict.good < verdict.of:
            text += f" ({100 * verdict.score:.1f}%)"
        cells.setdefault(verdict.job.name, {})[column] = text
    heads = sorted(columns)
    rows = [["module", *(f"{version} {backend}" for _, version, backend in heads)]]
    rows += [[name, *(cells[name].get(head, "") for head in heads)] for name in cells]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def exceptions(verdicts: Iterable[Verdict]) -> str:
    """Each test that does not pass, with the reason if there is one, and where that is so."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for verdict in verdicts:
        for reason in verdict.explained.values():
            where = found.setdefault((verdict.job.name, reason.pattern, reason.text), set())
            where.add(verdict.job.python.short)
        for test in verdict.wrong:
            where = found.setdefault((verdict.job.name, test, "not explained yet"), set())
            where.add(verdict.job.python.short)
    everywhere = {verdict.job.python.short for verdict in verdicts}
    lines = []
    for (name, pattern, text), where in sorted(found.items()):
        only = "" if where == everywhere else f" ({', '.join(sorted(where))})"
        lines.append(f"- {name}: `{pattern}`{only}: {text}.")
    return "\n".join(lines) or "None."


def write(verdicts: list[Verdict]) -> None:
    """Put the tables into the page, between its marks; those without a verdict stay. Newest Pythons have their own."""
    text = PAGE.read_text()
    for mode in ("replaced", "patched"):
        for newest in (False, True):
            mine = [each for each in verdicts if each.job.mode == mode and _is_newest(each) == newest]
            begin = BEGIN.format(f"{mode}, newest" if newest else mode)
            if not mine or begin not in text:
                continue
            before, _, rest = text.partition(begin)
            after = rest.partition(END)[2]
            new = f"{begin}\n\n{table(mine)}\n\nWhat does not pass, and why:\n\n{exceptions(mine)}\n\n{END}"
            text = before + new + after
    PAGE.write_text(text)


def _is_newest(verdict: Verdict) -> bool:
    return tuple(map(int, verdict.job.python.short.split("."))) >= (3, 14)
