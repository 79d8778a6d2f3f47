"""The runner of CPython's own tests: the modules that it replaces, and how it judges results."""

import json
import subprocess
import sys
import textwrap

import pytest

from tests.cpython import report, run
from tests.cpython.run import ROOT, Job, Outcome, Python
from tests.cpython.verdict import expected, judge, reasons

pytest.importorskip("test.test_ssl", reason="needs CPython's own tests (Debian: apt-get install libpython3-testsuite)")

TABLES = {
    "test_x": {
        "Class.test_known": "because",
        "Old.*": {"reason": "as it was", "pythons": ["3.11"]},
        "Class.test_now_and_then": {"reason": "by chance", "sometimes": True},
    },
    "patched": {"test_x": {"Class.test_one": "patched"}},
}


def job(version="3.11.7", mode="replaced", name="test_x"):
    return Job(name, Python("python", version), mode, "libev")


@pytest.mark.parametrize(
    ("passed", "failed", "baseline", "at", "wrong", "stale"),
    [
        (["Class.test_one"], {}, ["Class.test_one"], job(), {}, ()),
        ([], {"Class.test_known": "..."}, ["Class.test_known"], job(), {}, ()),
        ([], {"Class.test_one": "..."}, [], job(), {}, ()),
        ([], {"Class.test_one": "Traceback"}, ["Class.test_one"], job(), {"Class.test_one": "Traceback"}, ()),
        ([], {}, ["Class.test_one"], job(), {"Class.test_one": "not run"}, ()),
        (["Class.test_known"], {}, ["Class.test_known"], job(), {}, ("Class.test_known",)),
        (["Class.test_now_and_then"], {}, ["Class.test_now_and_then"], job(), {}, ()),
        ([], {"Old.test_two": "..."}, ["Old.test_two"], job(), {}, ()),
        ([], {"Old.test_two": "Error"}, ["Old.test_two"], job("3.12.1"), {"Old.test_two": "Error"}, ()),
        (["Old.test_two"], {}, ["Old.test_two"], job("3.12.1"), {}, ()),
        ([], {"Class.test_one": "..."}, ["Class.test_one"], job(mode="patched"), {}, ()),
    ],
)
def test_what_a_result_comes_to(passed, failed, baseline, at, wrong, stale):
    verdict = judge(at, Outcome(passed, failed), Outcome(baseline), reasons(TABLES, at.mode, at.name))
    assert (verdict.wrong, verdict.stale) == (wrong, stale)
    assert verdict.score == len(set(passed) & set(baseline)) / max(len(baseline), 1) or not baseline


def test_a_module_of_a_package_has_the_packages_reasons_too():
    tables = {"test_p": {"Any.test": "all of it"}, "test_p.test_q": {"Class.test": "this one"}}
    assert {reason.text for reason in reasons(tables, "replaced", "test_p.test_q")} == {"all of it", "this one"}


def test_every_expected_failure_has_a_reason():
    tables = expected()
    patched = tables.pop("patched", {})
    for mode, named in (("replaced", tables), ("patched", {**patched})):
        for name in named:
            assert all(reason.text for reason in reasons({**tables, "patched": patched}, mode, name))


def test_the_table_has_a_row_for_a_module_and_a_column_for_python_and_backend():
    verdicts = [
        judge(job("3.13.0"), Outcome(["A.a"]), Outcome(["A.a"]), []),
        judge(job("3.11.7"), Outcome(["A.a"], {"A.b": "..."}), Outcome(["A.a", "A.b"]), []),
    ]
    assert report.table(verdicts).splitlines() == [
        "| module | 3.11.7 libev   | 3.13.0 libev |",
        "|--------|----------------|--------------|",
        "| test_x | 1 of 2 (50.0%) | 1            |",
    ]


def test_what_has_no_reason_is_told_as_well():
    known = reasons(TABLES, "replaced", "test_x")
    outcome = Outcome([], {"Class.test_known": "...", "Class.test_new": "..."})
    verdict = judge(job(), outcome, Outcome(["Class.test_known", "Class.test_new"]), known)
    assert report.exceptions([verdict]).splitlines() == [
        "- test_x: `Class.test_known`: because.",
        "- test_x: `Class.test_new`: not explained yet.",
    ]


SUITE = """
    import os, time, unittest

    class Case(unittest.TestCase):
        def test_a_passes(self): pass
        def test_b_fails(self):
            with self.subTest(1): self.fail("one")
            with self.subTest(2): pass
        def test_c_hangs(self): time.sleep(100)
        def test_d_crashes(self): os.abort()
        def test_e_is_skipped(self): self.skipTest("no")
        def test_f_passes(self): pass

    class Broken(unittest.TestCase):
        @classmethod
        def setUpClass(cls): raise OSError("no setup")
        def test_never(self): pass
"""


def test_a_test_that_hangs_or_crashes_costs_itself_only(tmp_path, monkeypatch):
    package = tmp_path / "test"
    package.mkdir()
    package.joinpath("__init__.py").write_text("")
    package.joinpath("support.py").write_text("")
    package.joinpath("test_made_up.py").write_text(textwrap.dedent(SUITE))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = run.run(Job("test_made_up", Python(sys.executable, "3.x"), "stdlib"), ["*"], 2.0)
    assert outcome.passed == ["Case.test_a_passes", "Case.test_f_passes"]
    assert outcome.skipped == ["Case.test_e_is_skipped"]
    assert sorted(outcome.failed) == [
        "Broken.setUpClass", "Case.test_b_fails", "Case.test_c_hangs", "Case.test_d_crashes",
    ]  # fmt: skip
    assert (
        "time.sleep(100)" in outcome.failed["Case.test_c_hangs"]
        or "test_c_hangs" in outcome.failed["Case.test_c_hangs"]
    )
    assert "no setup" in outcome.failed["Broken.setUpClass"]
    assert outcome.broken == ""


def test_the_modules_are_replaced():
    code = (
        "from tests.cpython.child import REPLACED, replace; replace(REPLACED)\n"
        "import ssl, socket, http.client\n"
        "print(ssl.__name__, socket.__name__, http.client.socket.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["hubcore.ssl", "hubcore.socket", "hubcore.socket"]


@pytest.mark.slow
def test_some_of_cpythons_tests_of_ssl_pass():
    command = [sys.executable, "-m", "tests.cpython.child", "test_ssl", "--only", "SimpleBackgroundTests.*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found[-1] == {"end": True}, done.stderr[-3000:]
    assert len(found) > 20
    assert [each for each in found if each.get("outcome") == "failed"] == []
