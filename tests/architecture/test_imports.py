"""The reader of imports behind test_layers, and the rules of that test, on made-up source."""

import pytest

from tests.architecture import test_layers
from tests.support import imports
from tests.support.imports import Import

MODULES = {"hubcore", "hubcore.hub", "hubcore.loop", "hubcore.socket", "hubcore.backends", "hubcore.backends.libev"}


def read(tmp_path, source, name="hubcore/hub.py"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return [(one.imported, one.deferred) for one in imports.read(path, tmp_path, MODULES) if not one.type_only]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import hubcore.loop", [("hubcore.loop", False)]),
        ("from hubcore import loop", [("hubcore.loop", False)]),
        ("from hubcore import spawn", [("hubcore", False)]),
        ("from hubcore.loop import Loop", [("hubcore.loop", False)]),
        ("from . import loop", [("hubcore.loop", False)]),
        ("from .backends import libev", [("hubcore.backends.libev", False)]),
        ("from cython.cimports.hubcore.backends import libev", [("hubcore.backends.libev", False)]),
        ("def f():\n    from hubcore.socket import socket", [("hubcore.socket", True)]),
        ("importlib.import_module('hubcore.socket')", [("hubcore.socket", True)]),
        ("if TYPE_CHECKING:\n    import hubcore.socket\nelse:\n    import hubcore.loop", [("hubcore.loop", False)]),
        ("from hubcore.nowhere import x", [("hubcore.nowhere", False)]),
        ("import os, socket", []),
    ],
)
def test_every_form_of_import_is_seen(tmp_path, source, expected):
    assert read(tmp_path, source) == expected


def test_a_relative_import_in_a_package_starts_at_the_package(tmp_path):
    assert read(tmp_path, "from . import libev", "hubcore/backends/__init__.py") == [("hubcore.backends.libev", False)]
    assert read(tmp_path, "from ..loop import Loop", "hubcore/backends/libev.py") == [("hubcore.loop", False)]


def test_the_cimports_of_a_pxd_count_too(tmp_path):
    source = "cimport cython\nfrom hubcore.loop cimport Loop\ncimport hubcore.socket\n"
    assert read(tmp_path, source, "hubcore/hub.pxd") == [("hubcore.loop", False), ("hubcore.socket", False)]


def test_an_import_for_type_checkers_only_is_marked(tmp_path):
    path = tmp_path / "hubcore/hub.py"
    path.parent.mkdir()
    path.write_text("if TYPE_CHECKING:\n    from hubcore.socket import socket\nelse:\n    import hubcore.loop\n")
    found = {one.imported: one.type_only for one in imports.read(path, tmp_path, MODULES)}
    assert found == {"hubcore.socket": True, "hubcore.loop": False}


def test_an_import_upward_is_named_with_its_place():
    down, up = Import("hubcore.hub", "hubcore.loop", 3), Import("hubcore.hub", "hubcore.socket", 9, deferred=True)
    assert test_layers.upward([down, up]) == ["hubcore.hub:9 (hub) imports hubcore.socket (socket)"]


def test_types_from_above_are_allowed_where_they_are_listed_and_only_for_type_checkers():
    listed = Import("hubcore.exceptions", "hubcore.hub", 15, type_only=True)
    real = Import("hubcore.exceptions", "hubcore.hub", 15)
    elsewhere = Import("hubcore._core.waiter", "hubcore.hub", 15, type_only=True)
    assert len(test_layers.upward([listed, real, elsewhere])) == 2


def test_a_module_belongs_to_what_stands_directly_in_the_package():
    assert test_layers.unit("hubcore._core.scheduler") == "_core"
    assert test_layers.unit("hubcore.hub") == "hub"
    assert test_layers.unit("hubcore") == "__init__"


def test_a_circle_is_found_also_where_it_is_deferred():
    there, back = Import("a", "b", 1), Import("b", "a", 1)
    assert imports.cycle([there, back]) == ["a", "b", "a"]
    assert imports.cycle([there, Import("b", "a", 1, deferred=True)]) == ["a", "b", "a"]
    assert imports.cycle([there, Import("b", "c", 1)]) == []


def test_greenlet_api_is_seen_through_an_inline_function_of_another_pxd(tmp_path):
    package = tmp_path / "hubcore"
    (package / "_core").mkdir(parents=True)
    (package / "_core/waiter.pxd").write_text(
        "from hubcore._capi.greenlet cimport greenlet, switch_to\n"
        "cdef inline resume(greenlet g):\n    return switch_to(g)\n"
    )
    (package / "direct.pxd").write_text("from hubcore._capi.greenlet cimport getcurrent\n")
    (package / "indirect.pxd").write_text("from hubcore._core.waiter cimport resume\n")
    (package / "typed.pxd").write_text("from hubcore._capi.greenlet cimport greenlet\n")
    uses = {name: test_layers.uses_api(package / f"{name}.py", tmp_path) for name in ("direct", "indirect", "typed")}
    assert uses == {"direct": True, "indirect": True, "typed": False}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import_greenlet()", True),
        ("if cython.compiled:\n    import_greenlet()", True),
        ("def f():\n    import_greenlet()", False),
        ("import_greenlet", False),
    ],
)
def test_the_api_is_initialised_at_import_or_not(source, expected):
    assert test_layers.initialises(source) is expected


@pytest.mark.parametrize(
    "source", ["from os import *", "globals()['a'] = 1", "del locals()['a']", "globals().update(a=1)", "vars().clear()"]
)
def test_a_star_and_a_write_to_a_namespace_are_forbidden(source):
    assert len(test_layers.forbidden(source)) == 1


def test_reading_a_namespace_is_allowed():
    assert test_layers.forbidden("a = globals()['a']\nb = locals().copy()\nvars(a)['x'] = 1") == []
