"""What users see: public names say that public modules define them, and dir() shows no internals."""

import importlib
import inspect
import pickle
import traceback
from pathlib import Path

import pytest

import hubcore
from hubcore.testing import run_python
from tests.support.paths import ROOT

MODULES = [
    f"hubcore.{path.stem}"
    for path in sorted((ROOT / "hubcore").glob("*.py"))
    if not path.stem.startswith("_") and "__all__" in path.read_text()
]


@pytest.mark.parametrize("name", ["hubcore", *MODULES, "hubcore.aio"])
def test_what_a_public_module_exports_is_defined_by_a_public_module(name):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        pytest.skip(str(error))  # it is for a library that is not installed
    exported = {each: getattr(module, each) for each in module.__all__}
    assert exported
    wrong = {
        each: thing.__module__
        for each, thing in exported.items()
        if str(getattr(thing, "__module__", "")).startswith("hubcore.") and "._" in thing.__module__
    }
    assert wrong == {}


CLASSES = ["lock.Semaphore", "lock.Condition", "queue.Queue", "queue.SimpleQueue", "channel.SendChannel", "pool.Pool"]


@pytest.mark.parametrize("name", [*CLASSES, "event.Event", "greenlet.Greenlet", "hub.Hub", "loop.Loop", "TaskGroup"])
def test_a_public_class_prints_as_public_and_is_found_by_that_name(name):
    module, _, last = f"hubcore.{name}".rpartition(".")
    cls = getattr(importlib.import_module(module), last)
    assert repr(cls) == f"<class 'hubcore.{name}'>"
    assert pickle.loads(pickle.dumps(cls)) is cls
    assert inspect.getmodule(cls) is importlib.import_module(module)


def test_the_name_of_a_public_class_does_not_depend_on_what_was_imported_first():
    code = "import hubcore._sync.locks as it, sys\nprint(it.Semaphore)\nprint('hubcore.lock' in sys.modules)"
    assert run_python(code).stdout == "<class 'hubcore.lock.Semaphore'>\nFalse\n"


def test_dir_shows_names_for_users_only():
    found = set(dir(hubcore))
    assert set(hubcore.__all__) <= found
    assert {"_core", "TYPE_CHECKING", "annotations", "publish_all"} & found == set()


INTERNAL = {
    "forgo",
    "look",
    "look_away",
    "hand_back",
    "conclude",
    "move_to",
    "serve",
    "fire",
    "give_up",
    "adopt",
    "waits_for",
}


@pytest.mark.parametrize("name", [*CLASSES, "greenlet.Greenlet", "TaskGroup", "CancelScope", "Timeout", "event.Event"])
def test_methods_for_hubcore_itself_have_an_underscore(name):
    module, _, last = f"hubcore.{name}".rpartition(".")
    assert INTERNAL & set(dir(getattr(importlib.import_module(module), last))) == set()


def test_tracebacks_name_the_files_where_the_source_lies():
    try:
        hubcore.sleep("x")
    except TypeError as error:
        frames = traceback.extract_tb(error.__traceback__)[1:]
    assert [Path(frame.filename).parts[-2:] for frame in frames] == [("hubcore", "hub.py"), ("_core", "deadlines.py")]
    for frame in frames:
        assert Path(frame.filename).is_absolute()
        assert Path(frame.filename).read_text().splitlines()[frame.lineno - 1].strip() == frame.line
