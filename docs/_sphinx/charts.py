"""Draws the charts of docs/benchmarks.md from its tables: `python docs/_sphinx/charts.py` writes docs/_static/*.svg.

Each row of a table becomes a group of bars. A bar is as long as its contender is times better than gevent, so longer is
better in every group. The charts have no background, and their colours are legible on light and on dark pages.
"""

import re
from pathlib import Path
from xml.etree import ElementTree as Xml

DOCS = Path(__file__).resolve().parents[1]
PAGE = DOCS / "benchmarks.md"
WIDTH, LEFT, RIGHT, BAR, GAP, GROUP = 720, 96, 150, 13, 3, 34
COLOURS = {
    "hubcore libev": "#12908e",
    "libuv": "#63b5b0",
    "gevent": "#8a8f98",
    "asyncio": "#c59a3a",
    "uvloop": "#cc7040",
}
TEXT = "#7d838b"
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def tables(text: str) -> dict[str, list[list[str]]]:
    """The tables of the page that follow a line `<!-- chart: NAME -->`, by name: rows of cells, with their head."""
    found = {}
    for name, table in re.findall(r"<!-- chart: ([\w-]+) -->\n((?:\|.*\n)+)", text):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        found[name] = [rows[0], *rows[2:]]
    return found


def draw(rows: list[list[str]]) -> Xml.Element:
    """The chart of one table, whose first column names the case, with `requests/s` where more is better."""
    head, groups = rows[0], []
    for row in rows[1:]:
        more_is_better = "requests/s" in row[0]
        values = {
            column: float(found[0].replace(",", ""))
            for column, cell in zip(head[1:], row[1:], strict=True)
            if column in COLOURS and (found := NUMBER.search(cell))
        }
        base = values["gevent"]
        bars = {
            name: (value / base if more_is_better else base / value, row[head.index(name)].partition(" (")[0])
            for name, value in values.items()
        }
        groups.append((re.sub(r"\s*\([^)]*`[^)]*\)|`", "", row[0]), bars))
    longest = max(ratio for _, bars in groups for ratio, _ in bars.values())
    height = sum(GROUP + len(bars) * (BAR + GAP) for _, bars in groups) + 8
    svg = Xml.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {height}", role="img")
    Xml.SubElement(svg, "title").text = "times better than gevent; longer is better"
    Xml.SubElement(
        svg, "style"
    ).text = f"text {{ font: 12px system-ui, sans-serif; fill: {TEXT} }} .b {{ font-weight: 600 }}"
    y = 0
    for title, bars in groups:
        _text(svg, 0, y + 22, title, "b")
        y += GROUP - 4
        for name, (ratio, figure) in bars.items():
            length = max(1.0, (WIDTH - LEFT - RIGHT) * ratio / longest)
            _text(svg, 0, y + 11, name)
            Xml.SubElement(
                svg, "rect", x=str(LEFT), y=str(y), width=f"{length:.1f}", height=str(BAR), rx="2", fill=COLOURS[name]
            )
            _text(svg, LEFT + length + 6, y + 11, f"{figure} ({ratio:.1f}x)")
            y += BAR + GAP
        y += 4
    return svg


def _text(svg: Xml.Element, x: float, y: float, text: str, kind: str = "") -> None:
    element = Xml.SubElement(svg, "text", x=f"{x:.1f}", y=str(y))
    if kind:
        element.set("class", kind)
    element.text = text


def charts() -> dict[Path, str]:
    """The files and their content."""
    return {
        DOCS / "_static" / f"chart-{name}.svg": Xml.tostring(draw(rows), encoding="unicode") + "\n"
        for name, rows in tables(PAGE.read_text()).items()
    }


if __name__ == "__main__":
    for path, content in charts().items():
        path.write_text(content)
        print(path)
