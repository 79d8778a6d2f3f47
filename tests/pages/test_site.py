"""The site: every page is on it, every public module is in the reference, the charts are those of the tables."""

import re
import subprocess
import sys
from fnmatch import fnmatch

import pytest

import hubcore
from tests.support import public
from tests.support.pages import pages
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
# The settings have a page of their own.
ELSEWHERE = {"hubcore.config"}


def test_every_public_module_is_in_the_reference():
    text = "".join(path.read_text() for path in [*(DOCS / "reference").glob("*.md"), DOCS / "exceptions.md"])
    shown = re.findall(r"^\.\. automodule:: (\S+)$", text, re.MULTILINE)
    assert len(shown) == len(set(shown))
    assert {module.__name__ for module in public.modules()} - ELSEWHERE <= set(shown)
    for name in set(shown):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__init__.py").exists(), name


def test_what_the_package_itself_defines_is_in_the_reference():
    page = (DOCS / "reference" / "greenlets.md").read_text()
    (members,) = re.findall(r"^\.\. automodule:: hubcore\n   :members: (.*)$", page, re.MULTILINE)
    own = {name for name in hubcore.__all__ if getattr(getattr(hubcore, name), "__module__", None) == "hubcore"}
    assert set(members.split(", ")) == own


def test_every_page_is_in_the_contents():
    contents = "".join((DOCS / name).read_text() for name in ("index.md", "reference/index.md"))
    named = set()
    for block in re.findall(r"```\{toctree\}\n(.*?)```", contents, re.DOTALL):
        named |= {line for line in block.splitlines() if line and not line.startswith(":")}
    named |= {f"reference/{name}" for name in named if (DOCS / "reference" / f"{name}.md").exists()}
    there = {path.relative_to(DOCS).with_suffix("").as_posix() for path in pages() if DOCS in path.parents}
    lost = [page for page in there - {"index"} if not any(fnmatch(page, pattern) for pattern in named)]
    assert lost == []


def test_the_charts_are_those_of_the_tables(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_sphinx"))
    import charts

    drawn = charts.charts()
    assert len(drawn) == 3
    for path, content in drawn.items():
        assert path.read_text() == content, f"run python docs/_sphinx/charts.py: {path.name} is not of the table"


@pytest.mark.slow
@pytest.mark.hang_after(280)
def test_the_site_builds_without_a_warning_and_needs_no_network(tmp_path):
    for module in ("sphinx", "furo", "myst_parser", "sphinx_copybutton", "celery", "gunicorn", "httptools", "pycares"):
        pytest.importorskip(module, reason=f"{module} is not installed; `make docs` installs the group docs")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-E",
        "-b",
        "html",
        "-d",
        str(tmp_path / "d"),
    ]
    done = subprocess.run([*command, str(DOCS), str(tmp_path / "html")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "html" / "reference" / "greenlets.html").read_text()
    text = re.sub(r"<[^>]+>|\s", "", html)
    assert "get(block:bool=True,timeout:float|None=None)" in text  # of a compiled class, with its types
    index = (tmp_path / "html" / "searchindex.js").read_text()
    assert "greenlet" in index
    for page in (tmp_path / "html").rglob("*.html"):
        loaded = re.findall(r'<(?:script|link|img)[^>]*?(?:src|href)="(https?:[^"]+)"', page.read_text())
        assert loaded == [], page
