"""local: greenlet-local attributes. The same tests run on threading.local in threads, which is the reference."""

import copy
import gc
import os
import pickle
import threading
import weakref

import greenlet as greenlet_module
import pytest

import hubcore
from hubcore.local import all_local_dicts_for_greenlet, local
from hubcore.testing import run_python


class Threads:
    """The reference: threading.local, and each piece of work in a thread."""

    local = threading.local

    @staticmethod
    def run(work):
        caught = []

        def guarded():
            try:
                caught.append((work(), None))
            except BaseException as error:
                caught.append((None, error))

        thread = threading.Thread(target=guarded)
        thread.start()
        thread.join()
        result, error = caught.pop()
        if error is not None:
            raise error
        return result


class ThreadsWithOurs(Threads):
    """Ours, in threads without a hub."""

    local = local


class Greenlets:
    """Ours, and each piece of work in a greenlet."""

    local = local

    @staticmethod
    def run(work):
        return hubcore.spawn(work).get()


class PlainGreenlets:
    """Ours, in greenlets that no hub knows of."""

    local = local

    @staticmethod
    def run(work):
        return greenlet_module.greenlet(work).switch()


@pytest.fixture(params=[Threads, ThreadsWithOurs, Greenlets, PlainGreenlets], ids=lambda world: world.__name__)
def world(request, hub):
    hub.exception_stream = None  # the failures here are expected
    return request.param


class Value:
    """Something that weak references can be made to."""


def test_attributes_set_in_one_are_not_seen_in_another(world):
    data = world.local()
    data.x = 1

    def work():
        assert not hasattr(data, "x")
        assert data.__dict__ == {}
        data.x = 2
        data.y = 3
        return dict(data.__dict__)

    assert world.run(work) == {"x": 2, "y": 3}
    assert data.__dict__ == {"x": 1}
    assert vars(data) == {"x": 1}
    assert "x" in dir(data)
    del data.x
    assert data.__dict__ == {}


def test_errors_name_the_class_and_the_attribute(world):
    class Mine(world.local):
        pass

    data = Mine()
    with pytest.raises(AttributeError, match="'Mine' object has no attribute 'nope'"):
        data.nope
    with pytest.raises(AttributeError, match="nope"):
        del data.nope
    for change in (lambda: setattr(data, "__dict__", {}), lambda: delattr(data, "__dict__")):
        with pytest.raises(AttributeError, match="'Mine' object attribute '__dict__' is read-only"):
            change()
    with pytest.raises(TypeError):
        setattr(data, 5, 1)


def test_the_dict_can_be_changed(world):
    data = world.local()
    data.__dict__["x"] = 1
    assert data.x == 1
    data.__dict__.update(y=None)
    assert data.y is None
    assert getattr(data, "".join(["__di", "ct__"])) is data.__dict__


def test_arguments_without_an_init_are_refused(world):
    class Mine(world.local):
        pass

    for kind in (world.local, Mine):
        with pytest.raises(TypeError, match="Initialization arguments are not supported"):
            kind(1)
        with pytest.raises(TypeError, match="Initialization arguments are not supported"):
            kind(a=1)


def test_init_is_called_again_at_each_first_use(world):
    calls = []

    class Mine(world.local):
        def __init__(self, *args, **kwargs):
            calls.append((args, kwargs))
            self.numbers = [*args]

    data = Mine(1, 2, k=3)
    assert calls == [((1, 2), {"k": 3})]
    data.numbers.append(4)

    def work():
        data.other = True
        return data.numbers

    assert world.run(work) == [1, 2]
    assert calls == [((1, 2), {"k": 3})] * 2
    assert data.numbers == [1, 2, 4]


def test_an_init_that_fails_is_tried_again_at_the_next_use(world):
    class Mine(world.local):
        def __init__(self, failures):
            self.half = True
            if failures:
                raise KeyError(failures.pop())

    failures = []
    data = Mine(failures)
    failures.append("once")

    def work():
        with pytest.raises(KeyError, match="once"):
            data.half
        return data.half

    assert world.run(work) is True


def test_new_without_init_makes_a_usable_object(world):
    class Mine(world.local):
        def __init__(self):
            self.x = 1

    data = Mine.__new__(Mine)
    assert data.__dict__ == {}
    assert world.run(lambda: data.x) == 1


def test_descriptors_slots_and_class_attributes(world):
    class Plain:
        def __get__(self, owner, kind):
            return "from the class"

    class Mine(world.local):
        __slots__ = ("shared",)
        default = None
        plain = Plain()

        @property
        def double(self):
            return self.single * 2

        @double.setter
        def double(self, value):
            self.single = value // 2

        @double.deleter
        def double(self):
            del self.single

        def method(self):
            return self.single

    data = Mine()
    data.double = 10
    data.shared = "everywhere"
    assert (data.single, data.double, data.method(), data.default) == (5, 10, 5, None)
    data.__dict__["double"] = "hidden by the property"
    assert data.double == 10
    assert data.plain == "from the class"
    data.plain = data.default = 1
    assert (data.plain, data.default) == (1, 1)

    def work():
        data.single = 1
        return data.double, data.shared, data.plain, data.default

    assert world.run(work) == (2, "everywhere", "from the class", None)
    del data.double
    assert "single" not in data.__dict__
    with pytest.raises(AttributeError):
        data.double
    del data.shared
    assert not hasattr(data, "shared")
    assert isinstance(data, Mine)
    assert data.__class__ is Mine


def test_overridden_attribute_access(world):
    class Fallback(world.local):
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return f"no {name}"

        def __setattr__(self, name, value):
            super().__setattr__(name, ("set", value))

        def __delattr__(self, name):
            super().__delattr__(name.lower())

    class Hooked(world.local):
        def __getattribute__(self, name):
            return "x" if name == "x" else super().__getattribute__(name)

    data = Fallback()
    data.a = 1
    assert (data.a, data.b) == (("set", 1), "no b")
    del data.A
    assert data.a == "no a"
    hooked = Hooked()
    hooked.y = 2
    assert (hooked.x, hooked.y, hooked.__dict__) == ("x", 2, {"y": 2})
    with pytest.raises(AttributeError):
        world.run(lambda: hooked.y)


def test_a_property_may_use_another_attribute_that_is_missing(world):
    class Mine(world.local):
        @property
        def broken(self):
            return self.missing

    with pytest.raises(AttributeError, match="missing"):
        Mine().broken


def test_objects_are_independent_and_several_bases_work(world):
    class Other:
        def __init__(self):
            super().__init__()
            self.other = 1

    class Mine(Other, world.local):
        pass

    one, two = world.local(), world.local()
    one.x = 1
    assert not hasattr(two, "x")
    assert world.run(lambda data=Mine(): data.other) == 1


def test_the_values_go_with_the_object(world):
    """At once, also those that others have, who are still there."""
    data = world.local()
    data.here = Value()
    alive = weakref.ref(data.here)
    weak = weakref.ref(data)
    del data
    assert (alive(), weak()) == (None, None)


def test_values_go_with_whoever_set_them(world):
    data = world.local()
    alive = []

    def work():
        data.x = Value()
        alive.append(weakref.ref(data.x))

    for _ in range(20):
        world.run(work)
    assert [one() for one in alive] == [None] * 20


def test_a_cycle_through_the_object_itself_is_collected(world):
    class Mine(world.local):
        def __init__(self, value):
            self.value = value

    value = Value()
    value.data = Mine(value)
    alive = weakref.ref(value)
    del value
    gc.collect()
    assert alive() is None


def test_the_finalizer_of_a_subclass_still_sees_its_attributes(world):
    seen = []

    class Mine(world.local):
        def __del__(self):
            seen.append(self.x)

    data = Mine()
    data.x = 1
    del data
    data = Mine()
    data.x = 2
    data.me = data
    del data
    gc.collect()
    assert seen == [1, 2]


def test_pickling_and_deep_copies_are_refused(world):
    data = world.local()
    for attempt in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot pickle"):
            attempt(data)


def test_the_standard_librarys_own_test_passes_with_ours():
    pytest.importorskip("test.test_threading_local")
    run_python(
        """
        import unittest
        import test.test_threading_local as reference
        from hubcore.local import local

        reference.ThreadLocalTest._local = local
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(reference.ThreadLocalTest)
        result = unittest.TextTestRunner().run(suite)
        assert result.wasSuccessful() and result.testsRun >= 8, result
        """
    )


@pytest.mark.hang_after(150)
@pytest.mark.skipif(os.environ.get("HUBCORE_PURE") == "1", reason="it is")
def test_all_of_this_holds_uncompiled_as_well():
    files = [__file__, __file__.replace("test_local", "test_local_life")]
    code = f"""
        import sys, pytest
        sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--hub-backend=virtual", *{files!r}]))
        """
    run_python(code, "virtual", env={"HUBCORE_PURE": "1"}, timeout=120)


def test_all_dicts_of_a_greenlet(hub):
    class Sub(local):
        pass

    first, second = local(), Sub()
    first.x = 1

    def run(owner):
        owner.y = 2
        del owner
        hubcore.sleep(1000)

    task, raw = hubcore.spawn(run, second), hubcore.spawn_raw(int)
    hubcore.sleep(0)
    assert all_local_dicts_for_greenlet(task) == [((Sub, id(second)), {"y": 2})]
    assert all_local_dicts_for_greenlet(raw) == []
    mine = dict(all_local_dicts_for_greenlet(hubcore.getcurrent()))
    assert mine[local, id(first)] == {"x": 1}
    assert mine[Sub, id(second)] == {}
    task.kill()
    assert all_local_dicts_for_greenlet(task) == []
