"""The suite in parts: each test runs in exactly one part, and the closing line counts every failure."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import parts
from tests.support.paths import ROOT

SUITE = """
import os, pathlib, pytest

ran = pathlib.Path(os.environ["RAN"])

@pytest.mark.parametrize("number", range(8))
def test_it(number):
    (ran / f"{number}.{os.getpid()}").touch()
    assert number != 5
    if number == 6:
        pytest.skip("six")

@pytest.mark.together
@pytest.mark.parametrize("number", range(10, 14))
def test_together(number):
    (ran / f"{number}.{os.getpid()}").touch()
"""


def run(tmp_path, source, status):
    """What a run of `source` in parts says, and the processes in which each test ran."""
    ran = tmp_path / "ran"
    ran.mkdir()
    (tmp_path / "test_it.py").write_text(source)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  together: in one part\n")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PARTS": "2", "RAN": str(ran), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "tests.parts", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout, sorted(path.name.split(".") for path in ran.iterdir())


@pytest.mark.hang_after(120)
def test_every_test_runs_in_one_part_and_the_last_line_counts_them_all(tmp_path):
    text, ran = run(tmp_path, SUITE, 1)
    assert text.splitlines()[-1].startswith("1 failed, 10 passed, 1 skipped in ")
    assert "FAILED test_it.py::test_it[5]" in text
    assert [int(number) for number, _ in ran] == sorted([*range(8), *range(10, 14)], key=str)
    assert len({process for _, process in ran}) == 2
    assert len({process for number, process in ran if int(number) >= 10}) == 1


@pytest.mark.hang_after(120)
def test_a_part_that_dies_fails_the_run(tmp_path):
    text, _ = run(tmp_path, SUITE.replace("assert number != 5", "number == 5 and os._exit(0)"), 1)
    assert " ended with status 0 before its time\n" in text
    assert ", 1 error in " in text.splitlines()[-1]


class Config:
    """pytest's, as far as it is used."""

    def __init__(self, part):
        self.part = part
        self.stash = {}

    def getoption(self, name):
        return {"part": self.part}[name]


def item(name, file, together):
    mark = object() if together else None
    return SimpleNamespace(nodeid=name, path=Path(file), get_closest_marker=lambda kind: mark)


def left(part, names):
    """The tests that stay in a part, and what the part says of the collection."""
    items = [item(name, f"{name[0]}.py", name[0] in "xy") for name in names]
    config = Config(part)
    parts.pytest_collection_modifyitems(config, items)
    return {each.nodeid for each in items}, config.stash.get(parts._collected)


def test_each_part_leaves_its_own_and_all_know_that_they_collected_the_same():
    names = [f"{letter}{number}" for letter in "abcxyz" for number in range(5)]
    first, of_first = left((1, 2), names)
    second, of_second = left((2, 2), names)
    assert first | second == set(names)
    assert not first & second
    assert of_first == of_second != left((1, 2), names[1:])[1]
    for letter in "xy":
        assert len({name in first for name in names if name[0] == letter}) == 1
    assert left(None, names) == (set(names), None)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_neighbours_fall_to_different_parts_and_all_get_the_same_of_any_rhythm(count):
    places = [parts.place(index, count) for index in range(count * 300)]
    for first in range(0, len(places), count):
        assert sorted(places[first : first + count]) == list(range(count))
    for rhythm in range(2, 7):
        for first in range(rhythm):
            among = places[first::rhythm]
            for each in range(count):
                assert among.count(each) == pytest.approx(len(among) / count, rel=0.25)


def told(status, **counts):
    return {"status": status, "collected": "the same", "counts": counts}


@pytest.mark.parametrize(
    ("statuses", "reports", "status", "closing"),
    [
        ([0, 0], [told(0, passed=2), told(0, passed=3, skipped=1)], 0, "5 passed, 1 skipped in 3.00s"),
        ([0, 5], [told(0, passed=2), told(5)], 0, "2 passed in 3.00s"),
        ([5, 5], [told(5), told(5)], 5, "no tests ran in 3.00s"),
        ([1, 0], [told(1, failed=1, error=2), told(0, passed=3)], 1, "1 failed, 3 passed, 2 errors in 3.00s"),
        ([0, 2], [told(0, passed=2), told(2, passed=1)], 2, "3 passed in 3.00s"),
        ([0, -11], [told(0, passed=2), told(0, passed=2)], 1, "4 passed, 1 error in 3.00s"),
        ([0, -11], [told(0, passed=2), None], 1, "2 passed, 1 error in 3.00s"),
    ],
)
def test_the_closing_line_and_the_status_are_those_of_all(statuses, reports, status, closing):
    outcome = parts.sum_up(statuses, reports, 3.0)
    assert (outcome.status, outcome.closing.splitlines()[-1]) == (status, closing)


def test_parts_that_collected_different_tests_fail_the_run():
    outcome = parts.sum_up([0, 0], [told(0, passed=1), told(0, passed=1) | {"collected": "others"}], 3.0)
    assert outcome.status == 1
    assert "the parts collected different tests" in outcome.closing
    assert outcome.closing.endswith("2 passed, 1 error in 3.00s")


@pytest.mark.parametrize("wrong", ["0/2", "3/2", "1", "a/b"])
def test_a_part_that_there_is_not(wrong):
    with pytest.raises(ValueError):
        parts.part_named(wrong)
    assert parts.part_named("2/3") == (2, 3)
