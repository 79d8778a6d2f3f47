"""The chart: a panel per case, a bar per contender, its length how many times better than gevent it is.

Built with ElementTree, so that it is well-formed whatever the texts are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as Xml

from benchmarks.contenders import LIMIT
from benchmarks.model import GEVENT, Case
from benchmarks.report import number

WIDTH, LABELS, FIGURES, MARGIN = 760, 150, 200, 20
BAR, GAP, TITLE, FOOT = 16, 5, 34, 34
COLOURS = {
    "hubcore": "#2f6db5",
    "gevent": "#5a9e6f",
    "asyncio": "#b9a44c",
    "uvloop": "#c9773e",
    "threads": "#8a6bab",
    "limit": "#8d8d8d",
}
PLOT = WIDTH - LABELS - FIGURES - 2 * MARGIN
STYLE = """
text { font: 12px sans-serif; fill: #222 }
.title { font-weight: bold; font-size: 13px }
.foot { fill: #666; font-size: 11px }
"""


def draw(cases: Mapping[str, Case], medians: Mapping[str, Mapping[str, float]], foot: str) -> Xml.Element:
    """Cases without a figure are left out; where gevent has none, the bars compare with the first contender."""
    panels = [(case, medians[key]) for key, case in cases.items() if medians.get(key)]
    height = sum(_height(len(values)) for _, values in panels) + FOOT + MARGIN
    svg = Xml.Element(
        "svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {height}", width=str(WIDTH), height=str(height)
    )
    svg.set("role", "img")
    Xml.SubElement(svg, "title").text = "hubcore benchmarks"
    Xml.SubElement(svg, "style").text = STYLE
    Xml.SubElement(svg, "rect", width=str(WIDTH), height=str(height), fill="#ffffff")  # readable on dark pages too
    top = MARGIN
    for case, values in panels:
        _panel(svg, case, values, top)
        top += _height(len(values))
    _text(svg, MARGIN, top + 14, foot, "foot")
    return svg


def _height(bars: int) -> int:
    return TITLE + bars * (BAR + GAP)


def _panel(svg: Xml.Element, case: Case, values: Mapping[str, float], top: int) -> None:
    _text(svg, MARGIN, top + 16, case.title, "title")
    base = values.get(GEVENT, next(iter(values.values())))
    # A difference of two times can come out as nothing or less: no ratio, no bar.
    ratios = {name: case.ratio(value, base) if value > 0 and base > 0 else 0.0 for name, value in values.items()}
    # What no library can reach does not set the scale; its bar is cut off where the scale ends.
    longest = max((ratio for name, ratio in ratios.items() if name != LIMIT), default=0) or 1.0
    for row, (name, value) in enumerate(values.items()):
        y = top + TITLE - 8 + row * (BAR + GAP)
        length = min(PLOT, max(1.0, PLOT * ratios[name] / longest))
        colour = COLOURS.get(name.partition("-")[0], "#444444")
        _text(svg, MARGIN, y + 12, name)
        Xml.SubElement(
            svg, "rect", x=str(MARGIN + LABELS), y=str(y), width=f"{length:.1f}", height=str(BAR), fill=colour
        )
        if ratios[name] > longest:
            Xml.SubElement(
                svg, "rect", x=str(MARGIN + LABELS + PLOT - 12), y=str(y), width="4", height=str(BAR), fill="#fff"
            )
        ratio = f" ({ratios[name]:.2f}x)" if ratios[name] else ""
        _text(svg, MARGIN + LABELS + length + 6, y + 12, f"{number(value)} {case.unit}{ratio}")


def _text(svg: Xml.Element, x: float, y: float, text: str, style: str = "") -> None:
    element = Xml.SubElement(svg, "text", x=f"{x:.1f}", y=f"{y:.1f}")
    element.text = text
    if style:
        element.set("class", style)


def write(path: Path, svg: Xml.Element) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Xml.indent(svg)
    path.write_text(Xml.tostring(svg, encoding="unicode") + "\n")
