"""hubcore has gevent's names, and calls to them stay valid; tests/data/expected_gaps.txt lists the gaps."""

import sys
from types import ModuleType

import pytest

from tests.support import drop_in, signatures


def test_the_gaps_are_exactly_the_listed_ones():
    names = drop_in.load_names()
    wrong = drop_in.judge(drop_in.all_gaps(names), drop_in.read_gaps())
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_published_names_are_read_whole():
    names = drop_in.load_names()
    assert names["socket"]["AF_INET"] == "constant"
    assert names[drop_in.PACKAGE]["sleep"] == "(seconds=0, ref=True)"
    for entries in names.values():
        for published in entries.values():
            texts = (
                [published] if not isinstance(published, dict) else [published["class"], *published["members"].values()]
            )
            for text in texts:
                if isinstance(text, str) and text.startswith("("):
                    signatures.parse(text)


# -- the comparer itself, on small made-up modules

PUBLISHED = {
    "run": "(job, timeout=None)",
    "LIMIT": "constant",
    "Stopped": {"class": None, "exception": True, "members": {}},
    "Worker": {
        "class": "(name, size=1)",
        "exception": False,
        "members": {"start": "(self)", "join": "(self, timeout=None)", "size": "attribute", "busy": "property"},
    },
}


def made_up(**changes):
    """A module that has all of PUBLISHED; `changes` replace names in it, or remove them where they are None."""

    class Worker:
        def __init__(self, name, size=1, *, colour="red"):
            self.busy = False
            self.size = size

        size = 1

        def start(self):
            """Nothing to start."""

        def join(self, timeout=None):
            """Nothing to wait for."""

    def run(job, timeout=None):
        """Nothing to run."""

    module = ModuleType("made_up")
    names = {"run": run, "LIMIT": 3, "Stopped": type("Stopped", (Exception,), {}), "Worker": Worker} | changes
    vars(module).update({name: value for name, value in names.items() if value is not None})
    return module


def gaps_of(module, stdlib=None):
    return drop_in.compare("m", PUBLISHED, module, stdlib)


def test_a_module_with_everything_has_no_gap():
    assert gaps_of(made_up()) == {}


def test_a_missing_function_is_a_gap():
    assert gaps_of(made_up(run=None)) == {"m:run": "missing"}


def test_a_missing_member_is_a_gap():
    module = made_up()
    del module.Worker.join
    assert gaps_of(module) == {"m:Worker.join": "missing"}


def test_an_attribute_of_instances_is_as_good_as_a_property_but_not_as_a_class_attribute():
    module = made_up()
    del module.Worker.size
    assert not hasattr(module.Worker, "busy")
    assert gaps_of(module) == {"m:Worker.size": "missing"}


def test_a_missing_class_is_one_gap_whatever_its_members():
    assert list(gaps_of(made_up(Worker=None))) == ["m:Worker"]


def test_a_function_in_place_of_a_class_is_a_gap():
    assert gaps_of(made_up(Worker=lambda name, size=1: None)) == {"m:Worker": "is not a class"}


def test_a_class_that_cannot_be_raised_is_a_gap_where_an_exception_is_published():
    assert gaps_of(made_up(Stopped=int)) == {"m:Stopped": "is not an exception"}


def test_a_changed_call_of_a_class_or_member_is_a_gap():
    module = made_up()
    module.Worker.__init__ = lambda self, title, size=1: None
    module.Worker.join = lambda self, timeout=5: None
    assert gaps_of(module) == {
        "m:Worker()": "has no parameter name; title is required",
        "m:Worker.join()": "the default of timeout is 5, not None",
    }


def test_a_value_in_place_of_a_function_is_a_gap():
    assert gaps_of(made_up(run=3)) == {"m:run()": "cannot be called"}


def test_a_constant_that_the_standard_library_lacks_too_is_no_gap():
    assert gaps_of(made_up(LIMIT=None), stdlib=ModuleType("stdlib")) == {}


def test_a_constant_that_the_standard_library_has_is_a_gap():
    stdlib = ModuleType("stdlib")
    stdlib.LIMIT = 3
    assert gaps_of(made_up(LIMIT=None), stdlib) == {"m:LIMIT": "missing"}


def test_a_function_of_gevent_is_a_gap_although_the_standard_library_has_no_such_name():
    assert gaps_of(made_up(run=None), stdlib=ModuleType("stdlib")) == {"m:run": "missing"}


def test_a_module_that_does_not_exist_is_one_gap():
    assert drop_in.all_gaps({"no_such_part.inner": PUBLISHED}, package="json") == {
        "no_such_part.inner:*": "there is no such module"
    }


def test_a_module_that_fails_to_import_is_an_error_and_not_a_gap(tmp_path, monkeypatch):
    (tmp_path / "broken_for_drop_in.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        drop_in.find("broken_for_drop_in", drop_in.PACKAGE)
    assert "broken_for_drop_in" not in sys.modules


def test_an_unlisted_gap_and_a_closed_one_are_both_wrong():
    assert drop_in.judge({"m:a": "missing", "m:b": "missing"}, {"m:b", "m:c()"}) == [
        "unexpected gap  m:a  (missing)",
        "closed gap  m:c()  (strike it from the list)",
    ]


def test_the_list_of_gaps_may_have_comments_but_no_line_twice(tmp_path):
    path = tmp_path / "gaps.txt"
    path.write_text("# why\nm:a\n\nm:b()  # soon\n")
    assert drop_in.read_gaps(path) == {"m:a", "m:b()"}
    path.write_text("m:a\nm:a\n")
    with pytest.raises(ValueError, match="lists twice: m:a"):
        drop_in.read_gaps(path)


def test_the_table_counts_the_gaps_of_each_module():
    lines = drop_in.table({"m": PUBLISHED, "n": PUBLISHED}, {"m:run": "", "m:Worker.join()": ""}).splitlines()
    assert lines[1].split() == ["m", "4", "2", "run,", "Worker.join()"]
    assert lines[2].split() == ["n", "4", "0", "-"]
