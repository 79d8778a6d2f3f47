"""The search for references to native locks and to originals meets objects that raise whenever they are looked at."""

import textwrap

import pytest

from hubcore.testing import run_python

SETUP = """
    import sys, threading, types

    class Gone(Exception):
        pass

    def gone(*args):
        raise Gone("this was looked at")
"""

# Each makes `kept`, which refers to a native lock made before the patch.
FOREIGN = {
    "a proxy": """
        class Proxy:
            __slots__ = ("__wrapped__",)
            __class__ = property(gone)
            __dict__ = property(gone)
            __module__ = property(gone)
            __getattr__ = __eq__ = __hash__ = __bool__ = gone
        kept = Proxy()
        object.__setattr__(kept, "__wrapped__", threading.Lock())
        """,
    "a proxy of a lock's attributes": """
        class Proxy:
            def __init__(self, lock):
                object.__setattr__(self, "lock", lock)
            def __getattribute__(self, name):
                return getattr(object.__getattribute__(self, "__dict__")["lock"], name)
        kept = Proxy(threading.RLock())
        """,
    "a class whose instances have no dict to see": """
        class Hidden:
            def __init__(self):
                super().__setattr__("lock", threading.Lock())
            __dict__ = property(gone)
            __setattr__ = __delattr__ = gone
        kept = Hidden()
        """,
    "a dict that is not its own": """
        class Borrows:
            def __init__(self):
                super().__setattr__("lock", threading.Lock())
            __dict__ = property(lambda self: {"lock": 1})
        kept = Borrows()
        """,
    "a metaclass": """
        class Meta(type):
            __hash__ = __eq__ = __instancecheck__ = __subclasscheck__ = __setattr__ = gone
            __mro__ = property(gone)
            __module__ = property(gone)
            __dictoffset__ = property(gone)
            def __getattribute__(cls, name):
                gone()
        kept = Meta("Kept", (), {"lock": threading.Lock()})
        also = type.__call__(kept)
        """,
    "a lazy module": """
        class Lazy(types.ModuleType):
            def __getattribute__(self, name):
                gone()
        kept = Lazy("lazy")
        object.__getattribute__(kept, "__dict__")["lock"] = threading.Lock()
        sys.modules["lazy"] = kept
        """,
    "a module with a __getattr__": """
        kept = types.ModuleType("lazy")
        kept.__getattr__ = gone
        kept.lock = threading.Lock()
        del kept.__name__
        sys.modules["lazy"] = kept
        """,
    "a dict and a list of another kind": """
        class Table(dict):
            __iter__ = items = keys = values = __getitem__ = __setitem__ = __len__ = gone
        class Row(list):
            __iter__ = __getitem__ = __setitem__ = __len__ = gone
        kept = [Table(), Row()]
        dict.__setitem__(kept[0], "lock", threading.Lock())
        list.append(kept[1], threading.Lock())
        """,
    "an empty slot": """
        class Slots:
            __slots__ = ("first", "second")
        kept, other = Slots(), Slots()
        kept.second = threading.Lock()
        """,
    "a key that cannot be compared": """
        class Key:
            __hash__ = object.__hash__
            __eq__ = __repr__ = __str__ = gone
        kept = {Key(): threading.Lock()}
        """,
}


CHECK = """
    mine = [threading.Lock()]
    from hubcore import monkey
    monkey.patch_all(rebind=True)
    from hubcore._patching.existing import locks, stale_references
    left = [place for held in locks.left() for place in held.where]
    stale_references.find()
    print(type(mine[0]).__module__.partition(".")[0], all(isinstance(place, str) for place in left))
    done = []
    thread = threading.Thread(target=done.append, args=(1,))
    thread.start()
    thread.join()
    print(done)
"""


@pytest.mark.parametrize("what", FOREIGN)
def test_nothing_that_a_foreign_object_raises_gets_out(what):
    done = run_python("".join(textwrap.dedent(part) for part in (SETUP, FOREIGN[what], CHECK)))
    assert done.stdout.splitlines() == ["hubcore True", "[1]"]


# `stale` holds an original, and no module holds `stale`: the search looks for it among all attributes of all modules.
STALE = """
    import time
    sys.modules["stale"] = types.ModuleType("stale")
    sys.modules["stale"].sleep = time.sleep
    lazy = types.ModuleType("lazy")
    class Lazy(types.ModuleType):
        __dict__ = property(gone)
        __getattribute__ = gone
    lazy.__class__ = Lazy
    sys.modules["lazy"] = lazy
    from hubcore import monkey
    monkey.patch_all()
    from hubcore._patching.existing import stale_references
    print([each.module for each in stale_references.find() if each.module == "stale"])
"""


@pytest.mark.parametrize("what", FOREIGN)
def test_nothing_of_it_gets_out_of_the_search_for_an_importer(what):
    done = run_python("".join(textwrap.dedent(part) for part in (SETUP, FOREIGN[what], STALE)))
    assert done.stdout == "['stale']\n"


def test_the_default_of_an_argument_is_replaced():
    done = run_python(
        """
        import threading

        def first(a, lock=threading.Lock(), *, other=threading.RLock()):
            return lock, other

        class Kept:
            def close(self, lock=first.__defaults__[0]):
                return lock

        shared = first.__defaults__
        second = lambda a, lock: lock
        second.__defaults__ = (threading.Lock(), threading.Lock())
        third = lambda a, lock: lock
        third.__defaults__ = second.__defaults__
        from hubcore import monkey
        natives = [type(each) for each in first(1)]
        monkey.patch_all()
        # `shared` refers to the defaults of `first` as well, so its lock stays where it is: everywhere.
        print(type(first(1)[0]) is natives[0], first(1)[0] is Kept().close() is shared[0])
        print(type(first(1)[1]) is natives[1])
        print(second.__defaults__[0] is third.__defaults__[0], type(second.__defaults__[0]) is natives[0])
        """
    )
    assert done.stdout.splitlines() == ["True True", "False", "True False"]
