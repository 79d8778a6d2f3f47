"""The tool that runs other projects' suites: what it reads, compares and writes."""

import pytest

from tools.ecosystem import page, projects
from tools.ecosystem.comparing import compare
from tools.ecosystem.projects import Project
from tools.ecosystem.running import Outcomes, read_report

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_a.TestB" name="test_one[x]" file="tests/test_a.py"/>
<testcase classname="tests.test_a" name="test_two" file="tests/test_a.py"><skipped message="no"/></testcase>
<testcase classname="tests.test_a" name="test_three" file="tests/test_a.py"><failure>f</failure></testcase>
<testcase classname="tests.test_a" name="test_four" file="tests/test_a.py"/>
<testcase classname="tests.test_a" name="test_four" file="tests/test_a.py"><error>teardown</error></testcase>
</testsuite></testsuites>"""


def test_each_project_is_read_with_a_pinned_version():
    found = projects.read()
    assert len(found) > 20
    for project in found.values():
        assert project.requirement == f"{project.name}=={project.version}"
        assert project.tests


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('[a]\nversion = "1"\ntests = []', r"\[a\]: tests is empty"),
        ('[a]\ntests = ["t"]', r"\[a\].*version"),
        ('[a]\nversion = "1"\ntests = ["t"]\ncolour = 1', r"\[a\].*colour"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, text, error):
    file = tmp_path / "projects.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=error):
        projects.read(file)


def test_an_unknown_project_is_refused():
    with pytest.raises(ValueError, match="unknown project nosuch"):
        projects.chosen(["nosuch"])


def test_outcomes_have_the_names_that_pytest_takes(tmp_path):
    report = tmp_path / "r.xml"
    report.write_text(REPORT)
    assert read_report(report) == {
        "tests/test_a.py::TestB::test_one[x]": "passed",
        "tests/test_a.py::test_two": "skipped",
        "tests/test_a.py::test_three": "failed",
        "tests/test_a.py::test_four": "failed",
    }
    assert read_report(tmp_path / "missing.xml") == {}


def test_what_fails_each_time_differs():
    project = Project("a", "1", ("t",), differs={"t::known": "a reason"})
    plain = Outcomes(
        {f"t::{name}": "passed" for name in ("same", "known", "once", "always", "gone", "declines", "both")}
    )
    plain["t::broken"] = "failed"
    patched = Outcomes({**plain, "t::known": "failed", "t::once": "failed", "t::always": "failed", "t::both": "failed"})
    patched["t::declines"] = "skipped"
    del patched["t::gone"]
    asked = []

    def again(tests):
        asked.extend(tests)
        return (
            Outcomes({"t::once": "passed", "t::always": "passed", "t::gone": "passed", "t::both": "failed"}),
            Outcomes({"t::once": "passed", "t::always": "failed", "t::both": "failed"}),
        )

    found = compare(project, plain, patched, again)
    assert sorted(asked) == ["t::always", "t::both", "t::gone", "t::once"]
    assert (found.ran, found.same) == (7, 1)
    assert found.explained == {"t::known": "a reason"}
    assert sorted(found.differing) == ["t::always", "t::gone"]
    assert sorted(found.unsteady) == ["t::both", "t::once"]
    assert found.skipped == ["t::declines"]


def test_a_run_replaces_the_projects_row(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(f"# Title\n\n{page.BEGIN}\n{page.HEAD}\n{page.END}\n\nThe end.\n")
    passed = Outcomes({"t::a": "passed"})
    result = compare(Project("b", "1", ("t",)), passed, passed, lambda tests: (passed, passed))
    for name, version in (("b", "1"), ("a", "1"), ("b", "2")):
        project = Project(name, version, ("t",))
        page.write(project, page.row(project, {"libev": result, "libuv": result}), file)
    text = file.read_text()
    rows = [line for line in text.splitlines() if line.startswith(("| a", "| b"))]
    assert [row.split(" | ")[:5] for row in rows] == [["| a", "1", "1", "0", "0"], ["| b", "2", "1", "0", "0"]]
    assert text.startswith("# Title\n")
    assert text.endswith(f"{page.END}\n\nThe end.\n")
