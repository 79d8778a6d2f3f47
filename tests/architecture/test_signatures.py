"""The comparison of signatures behind test_drop_in: what it accepts, refuses and can read."""

import sys
from types import ModuleType

import pytest

from tests.support import signatures
from tests.support.signatures import KEYWORD_ONLY, POSITIONAL_ONLY, POSITIONAL_OR_KEYWORD, Parameter

ACCEPTED = [  # theirs, ours
    ("(a, b=1)", "(a, b=1)"),
    ("(a, b=1)", "(a, b=1, c=2, *, d=3)"),
    ("(a, b=1)", "(*args, **kwargs)"),
    ("(*args, **kwargs)", "(function)"),
    ("(self, a)", "(a)"),
    ("(a, /)", "(other)"),
    ("(*, key=None)", "(key=None)"),
    ("(a, _private=None)", "(a)"),
    ("(a=<object object at 0x1>)", "(a=None)"),
    ("(a)", "(a=None)"),
    ("(a, *args)", "(a, *rest)"),
]
REFUSED = [  # theirs, ours, why
    ("(a, b=1)", "(a)", "b cannot be given by position; has no parameter b"),
    ("(a, b=1)", "(a, *args)", "has no parameter b"),
    ("(a, b=1)", "(a, *, b=1)", "b cannot be given by position"),
    ("(a, b=1)", "(b=1, a=2)", "a is in another place; b is in another place"),
    ("(a=1)", "(a)", "a has no default"),
    ("(a=1)", "(a=2)", "the default of a is 2, not 1"),
    ("(a)", "(a, b)", "b is required"),
    ("(a)", "(a, *, b)", "b is required"),
    ("(a)", "(value)", "has no parameter a; value is required"),
    ("(a, *args)", "(a)", "takes no *args"),
    ("(a, **options)", "(a)", "takes no **options"),
    ("(a, /)", "()", "a cannot be given by position"),
]


@pytest.mark.parametrize(("theirs", "ours"), ACCEPTED)
def test_a_call_that_stays_valid_is_accepted(theirs, ours):
    assert signatures.faults(signatures.parse(theirs), signatures.parse(ours)) == []


@pytest.mark.parametrize(("theirs", "ours", "why"), REFUSED)
def test_a_call_that_breaks_is_refused(theirs, ours, why):
    assert "; ".join(signatures.faults(signatures.parse(theirs), signatures.parse(ours))) == why


def test_text_is_parsed_whatever_the_defaults_contain():
    text = "(self, a, /, b=(1, 2), c='x,y', *, d=<E.X: N(n=1, m='=')>, e)"
    assert signatures.parse(text) == [
        Parameter("a", POSITIONAL_ONLY),
        Parameter("b", POSITIONAL_OR_KEYWORD, "(1, 2)"),
        Parameter("c", POSITIONAL_OR_KEYWORD, "'x,y'"),
        Parameter("d", KEYWORD_ONLY, "<E.X: N(n=1, m='=')>"),
        Parameter("e", KEYWORD_ONLY),
    ]


def test_text_that_is_no_signature_is_refused():
    with pytest.raises(ValueError, match="not a signature: 'property'"):
        signatures.parse("property")


def test_an_object_says_itself_how_it_is_called():
    assert signatures.of(lambda a, b=1: None) == signatures.parse("(a, b=1)")
    assert signatures.of(3) is None


def test_a_compiled_class_is_read_from_its_source(tmp_path, monkeypatch):
    (tmp_path / "made_up.py").write_text(
        "class Timer:\n    def __init__(self, after: float, repeat: float = 0.0, *, ref: bool = True) -> None: ...\n"
    )
    module = ModuleType("made_up")
    module.__file__ = str(tmp_path / "made_up.cpython-311.so")
    monkeypatch.setitem(sys.modules, "made_up", module)
    # What stands for a compiled class is one whose own signature says as little: (*args, **kwargs).
    timer = type("Timer", (), {"__module__": "made_up", "__init__": lambda self, *args, **kwargs: None})
    assert signatures.of(timer) == signatures.parse("(after, repeat=0.0, *, ref=True)")


def test_a_compiled_class_without_source_has_no_known_signature():
    assert signatures.of(type("Opaque", (), {"__init__": lambda self, *args, **kwargs: None})) is None
