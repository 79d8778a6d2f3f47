"""`import gevent` gives hubcore once the drop-in is installed. Beside lies a fake gevent, which fails when imported."""

import pytest

from hubcore.testing import run_python
from tests.support.paths import ROOT

INSTALL = "import hubcore.dropin\nhubcore.dropin.install()\n"


@pytest.fixture
def run(tmp_path, hub_backend):
    """Runs code after the install, with the fake gevent on the path; gives what it prints."""
    folder = tmp_path / "gevent"
    folder.mkdir()
    for name in ("__init__.py", "event.py"):
        (folder / name).write_text("raise SystemExit('the fake gevent was imported')\n")

    def run(code, install=INSTALL, **env):
        path = f"{tmp_path}:{ROOT}"
        code = f"import sys\nsys.path[:0] = {path.split(':')!r}\n{install}{code}"
        done = run_python(code, hub_backend, env=env)
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run


def test_names_and_modules_are_hubcores_own_objects(run):
    assert run(
        """
import gevent, hubcore
from gevent import event, pool, socket as by_name
import gevent.timeout as timeout
names = [name for name in gevent.__all__ if name != "config"]
print([name for name in names if vars(gevent)[name] is not getattr(hubcore, name)])
print(gevent.event is hubcore.event is event is sys.modules["hubcore.event"] is sys.modules["gevent.event"])
print(pool.__name__, pool.__spec__.name, by_name.__name__, timeout.Timeout is gevent.Timeout is hubcore.Timeout)
job = gevent.spawn(lambda: gevent.sleep(0.001) or 7)
print(isinstance(job, hubcore.Greenlet), job.get(), gevent.get_hub() is hubcore.get_hub())
"""
    ) == ["[]", "True", "hubcore.pool hubcore.pool hubcore.socket True", "True 7 True"]


def test_the_dictionary_holds_the_names_for_code_in_c(run):
    assert run(
        """
import gevent
wanted = "version_info spawn signal_handler sleep get_hub getcurrent event exceptions greenlet hub os timeout config"
print([name for name in wanted.split() if name not in vars(gevent)])
print(gevent.__name__, gevent.__spec__.name, gevent.__spec__.origin == gevent.__file__, len(gevent.__path__))
print(gevent.__version__, gevent.version_info >= (24, 10, 1), [int(part) for part in gevent.__version__.split(".")[:2]])
"""
    ) == ["[]", "gevent gevent True 1", "26.9.0 True [26, 9]"]


def test_modules_that_are_not_imported_are_there_at_the_first_use(run):
    assert run(
        """
import gevent
print("gevent.queue" in sys.modules, gevent.queue.__name__, "gevent.queue" in sys.modules)
print(hasattr(gevent, "wsgi"), {"queue", "pywsgi", "spawn"} <= set(dir(gevent)), [n for n in dir(gevent) if "." in n])
"""
    ) == ["False hubcore.queue True", "False True []"]


def test_what_is_written_to_the_package_reaches_hubcore(run):
    assert run(
        """
import gevent, hubcore
from unittest import mock
gevent.spawn = mine = object()
print(hubcore.spawn is mine)
gevent.__mark = 1
print(vars(hubcore)["__mark"])
del gevent.__mark
print(hasattr(gevent, "__mark"), hasattr(hubcore, "__mark"))
with mock.patch("gevent.sleep") as sleep:
    print(gevent.sleep is hubcore.sleep is sleep)
print(gevent.sleep is hubcore.sleep is hubcore.hub.sleep)
before = hubcore.config
gevent.version_info, gevent.__version__, gevent.config = (99,), "99.0", None
print(hubcore.version_info, hubcore.__version__, hubcore.config is before)
try:
    del gevent.nowhere
except AttributeError as error:
    print("AttributeError")
"""
    ) == ["True", "1", "False False", "True", "True", "(0, 2, 0, 'final', 0) 0.2.0 True", "AttributeError"]


UNKNOWN = "hubcore stands in for gevent and has no such module; see docs/gevent.md"


@pytest.mark.parametrize("name", ["gevent.foo", "gevent.wsgi", "gevent.coros", "gevent.config", "gevent.event.inner"])
def test_an_unknown_module_is_said_clearly(run, name):
    lines = run(
        f"""
import gevent
try:
    import {name}
except ModuleNotFoundError as error:
    print(error.name, str(error), sep="|")
"""
    )
    text = lines[0].partition("|")
    assert text[0] == name
    assert text[2] == f"{name}: {UNKNOWN}" or name == "gevent.event.inner"


def test_a_name_that_there_is_not_is_an_import_error(run):
    assert run(
        """
try:
    from gevent import nothing
except ImportError as error:
    print(error.name)
try:
    from gevent.core import read_event
except ImportError as error:
    print("old")
"""
    ) == ["gevent", "old"]


def test_finding_without_importing(run):
    assert run(
        """
import importlib.util as util, pkgutil
spec = util.find_spec("gevent")
print(spec.name, "gevent" in sys.modules)
spec = util.find_spec("gevent.socket")
print(spec.name, "hubcore/socket." in spec.origin, "gevent.socket" in sys.modules)
import gevent
print({"queue", "core", "pywsgi"} <= {each.name for each in pkgutil.iter_modules(gevent.__path__)})
import gevent.resolver.thread, hubcore.resolver.thread
print(gevent.resolver.thread is hubcore.resolver.thread)
"""
    ) == ["gevent False", "gevent.socket True False", "True", "True"]


def test_the_distribution(run):
    assert run(
        """
from importlib import metadata
print(metadata.version("gevent"), metadata.distribution("Gevent").metadata["Name"])
print(metadata.distribution("gevent").read_text("top_level.txt").strip(), metadata.requires("gevent"))
print([each.metadata["Name"] for each in metadata.distributions() if each.metadata["Name"] == "gevent"][:1])
"""
    ) == ["26.9.0 gevent", "gevent ['greenlet>=3.2']", "['gevent']"]


def test_gevents_entry_points_are_called_when_it_patches(run, tmp_path):
    info = tmp_path / "plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gevent.plugins.monkey.did_patch_all]\nmine = plugin:patched\n")
    (tmp_path / "plugin.py").write_text("import gevent.events\ndef patched(event): print(type(event).__name__)\n")
    patch = "from hubcore import monkey; monkey.patch_all()"
    assert run(patch, install="") == []
    assert run(patch) == ["DidPatchAllEvent"]


def test_pickles_that_name_gevents_modules_are_read(run):
    assert (
        run(
            """
import pickle
import hubcore, hubcore.exceptions
print(pickle.loads(b"cgevent.timeout\\nTimeout\\n.") is hubcore.Timeout)
print(pickle.loads(b"cgevent.exceptions\\nLoopExit\\n.") is hubcore.LoopExit)
print(pickle.loads(b"cgevent\\nGreenletExit\\n.") is hubcore.GreenletExit)
import gevent.event
print(pickle.loads(pickle.dumps(gevent.event.Event)) is gevent.event.Event)
"""
        )
        == ["True"] * 4
    )


def test_a_program_that_removes_the_package_finds_the_same_again(run):
    assert run(
        """
import gevent, gevent.event, importlib
first = gevent
for name in [name for name in sys.modules if name.partition(".")[0] == "gevent"]:
    del sys.modules[name]
import gevent, gevent.event, hubcore
print(gevent is first, gevent.event is hubcore.event)
gevent.spawn = None
hubcore.spawn = hubcore.greenlet.spawn
print(importlib.reload(gevent) is first, gevent.spawn is hubcore.spawn, gevent.__spec__.name)
"""
    ) == ["True True", "True True gevent"]


def test_installed_twice_in_threads_at_once_there_is_one_package(run):
    assert run(
        """
import threading
start, found, failed = threading.Barrier(8), [], []
def work():
    try:
        start.wait()
        hubcore.dropin.install()
        import gevent, gevent.queue
        found.append((id(gevent), id(gevent.queue), gevent.queue.Queue))
    except BaseException as error:
        failed.append(error)
threads = [threading.Thread(target=work) for _ in range(8)]
[each.start() for each in threads]
[each.join() for each in threads]
print(len(found), len(set(found)), failed)
print(sum(type(each).__module__ == "hubcore._gevent.finder" for each in sys.meta_path))
hubcore.dropin.install()
""",
        install="import hubcore.dropin\n",
    ) == ["8 1 []", "1"]


def test_it_is_refused_after_another_gevent_was_imported(run, tmp_path):
    (tmp_path / "gevent" / "__init__.py").write_text("")
    (tmp_path / "user.py").write_text("import gevent\n")
    lines = run(
        """
import user, hubcore.dropin
before = list(sys.meta_path), user.gevent
for _ in range(2):
    try:
        hubcore.dropin.install()
    except RuntimeError as error:
        print(error)
import gevent
print((list(sys.meta_path), gevent) == before, hubcore.dropin.installed_by() == "")
""",
        install="",
    )
    assert lines[0] == lines[1]
    assert lines[0].startswith(
        f"gevent was imported before hubcore could take its place: from {tmp_path}/gevent/__init__.py, "
        "imported by __main__ -> user -> gevent. Call install() before that import"
    )
    assert lines[2] == "True True"


def test_an_import_that_is_forbidden_is_said(run):
    assert run(
        """
import hubcore.dropin
sys.modules["gevent"] = None
try:
    hubcore.dropin.install()
except RuntimeError as error:
    print(error)
""",
        install="",
    ) == ["sys.modules['gevent'] is None, which forbids its import; remove it before install()"]


def test_another_name_is_refused():
    from hubcore import dropin

    with pytest.raises(ValueError, match="cannot stand in for 'eventlet'; it can for 'gevent' only"):
        dropin.install("eventlet")
    with pytest.raises(TypeError, match="is a string, 'gevent', not None"):
        dropin.install(None)
    assert dropin.installed_by() == ""


def test_a_gevent_in_the_programs_own_folder_does_not_come_first(run):
    """The fake lies in the first folder of the path, as a vendored one does."""
    assert run("import gevent.event\nprint(gevent.__version__, gevent.event.__name__)") == ["26.9.0 hubcore.event"]


def test_installing_imports_nothing_that_a_patch_would_come_too_late_for(run):
    assert run(
        """
late = {"socket", "ssl", "threading", "queue", "subprocess", "importlib.metadata"}
print((late | {"select", "gevent"}) & set(sys.modules))
import gevent
print(late & set(sys.modules))
"""
    ) == ["set()", "set()"]


def test_programs_run_and_patch_under_gevents_name(run):
    assert run(
        """
from gevent import monkey
monkey.patch_all()
import socket, threading, gevent.socket, gevent, gevent.pool
print(socket.socket is gevent.socket.socket, monkey.is_module_patched("socket"))
pool = gevent.pool.Pool(3)
print(sorted(pool.imap_unordered(lambda n: gevent.sleep(0.001) or n, range(5))))
late = "events local lock monkey queue select selectors signal socket ssl subprocess thread threading time"
for name in late.split():
    assert getattr(gevent, name) is sys.modules[f"hubcore.{name}"], name
"""
    ) == ["True True", "[0, 1, 2, 3, 4]"]
