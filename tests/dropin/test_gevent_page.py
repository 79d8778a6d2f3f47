"""docs/gevent.md and the jobs of `make interplay-gevent` fit each other, the code, and the list of packages."""

import re
import tomllib

import pytest

from hubcore._gevent import settings
from tests.interplay.dropin import page, scan
from tests.interplay.dropin.run import Job, Outcome, jobs
from tests.interplay.dropin.ways import JOBS
from tests.support.paths import ROOT

PAGE = page.PAGE.read_text()


def between(name):
    return PAGE.partition(f"<!-- {name}: written")[2].partition(f"<!-- end of {name} -->")[0]


def test_the_table_of_modules_is_that_of_the_code():
    assert page.replaced(PAGE, "modules", page.modules()) == PAGE


def test_every_job_has_its_program_and_every_program_its_job():
    programs = {path.stem for path in JOBS.glob("*.py")} - {"common"}
    assert {job.name for job in jobs() if job.command is None} == programs
    assert all(job.does for job in jobs())
    assert set(page.KNOWN) | set(page.REMARKS) <= {job.name for job in jobs()}


def test_every_package_of_a_job_is_installed_by_the_group():
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["gevent"]
    names = {re.split(r"[\[<>=]", each)[0].lower() for each in group if isinstance(each, str)}
    # Those that another one brings along.
    wanted = {package.lower() for job in jobs() for package in job.packages} - {"python-engineio"}
    assert wanted <= names


def test_every_job_is_on_the_page():
    table = between("packages")
    assert [job.name for job in jobs() if job.does.rstrip(".") not in table] == []


def test_settings_that_have_an_effect_are_on_the_page():
    text = PAGE.partition("## Settings")[2]
    missing = [name for name, each in settings.SETTINGS.items() if each.own and each.variable not in text]
    assert missing == []


def test_a_table_says_what_failed_and_what_was_not_run(monkeypatch):
    monkeypatch.setattr(
        page, "jobs", lambda: [Job("one", (), "Does it."), Job("two", ("no-such-package",), "Does that.")]
    )
    monkeypatch.setattr(page, "KNOWN", {"two": "the reason"})
    found = [Outcome("one", "run", backend, True, "", 1.0) for backend in ("libev", "libuv")]
    found += [Outcome("two", "run", "libev", True, "", 1.0), Outcome("two", "run", "libuv", False, "why", 1.0)]
    assert page.packages(found).splitlines()[-2:] == [
        "| gevent's own | - | Does it | ok | - | - |  |",
        "| no-such-package | not installed | Does that | ok, **fails** | - | - | the reason |",
    ]


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="has no marks"):
        page.replaced("text", "packages", "table")


def test_the_scan_finds_imports_and_attributes(tmp_path):
    (tmp_path / "one.py").write_text(
        "import gevent.event as e, gevent\nfrom gevent import monkey as m, pool\n"
        "e.Event().set()\nm.patch_all()\ngevent.hub.get_hub()\nother.gevent.no\npool.Pool\n"
    )
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "part.py").write_text("def f():\n    from gevent.nowhere import nothing\n")
    (tmp_path / "gevent").mkdir()
    (tmp_path / "gevent" / "own.py").write_text("import gevent.private\n")
    found = scan.uses(tmp_path)
    assert found["gevent.nowhere.nothing"] == {"two"}
    modules = {"gevent", "gevent.event", "gevent.hub", "gevent.monkey", "gevent.pool"}
    names = {"gevent.event.Event", "gevent.hub.get_hub", "gevent.monkey.patch_all", "gevent.pool.Pool"}
    assert {name for name, users in found.items() if "one" in users} == modules | names
