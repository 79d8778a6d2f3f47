"""Callbacks after a module's import: run once, even if code looked for the module before or earlier imports failed."""

import importlib
import importlib.util
import sys

import pytest

from hubcore._patching.import_hooks import after_every_import, after_import


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module that nobody has imported, and fails where the environment says so."""
    (tmp_path / "waited_for.py").write_text("import os\nif os.environ.get('FAILS'): raise OSError('not now')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "waited_for"
    sys.modules.pop("waited_for", None)


def test_the_call_comes_once_the_module_is_whole_and_at_once_where_it_is(module):
    calls = []
    after_import(module, calls.append)
    assert not calls
    found = importlib.import_module(module)
    assert calls == [found]
    assert type(found.__loader__).__name__ == type(found.__spec__.loader).__name__ == "SourceFileLoader"
    importlib.reload(found)
    assert calls == [found]
    after_import(module, calls.append)
    assert calls == [found, found]


def test_every_further_copy_of_a_module_where_that_is_asked_for(module, monkeypatch):
    calls, once = [], []
    monkeypatch.setattr("hubcore._patching.import_hooks._every_time", {})
    after_every_import(module, calls.append)
    after_import(module, once.append)
    first = importlib.import_module(module)
    del sys.modules[module]
    second = importlib.import_module(module)
    assert first is not second
    assert (calls, once) == ([first, second], [first])
    after_every_import(module, calls.append)
    assert calls == [first, second, second]


def test_who_only_asks_where_the_module_is_takes_no_call_away(module):
    calls = []
    after_import(module, calls.append)
    assert importlib.util.find_spec(module).origin.endswith("waited_for.py")
    assert not calls
    assert [importlib.import_module(module)] == calls


def test_the_call_waits_for_an_import_that_succeeds(module, monkeypatch):
    calls = []
    after_import(module, calls.append)
    monkeypatch.setenv("FAILS", "1")
    with pytest.raises(OSError, match="not now"):
        importlib.import_module(module)
    assert not calls
    monkeypatch.delenv("FAILS")
    assert [importlib.import_module(module)] == calls
