"""What is only under gevent's name: `gevent.core`, `gevent._interfaces`, `gevent.config`, the GEVENT_* variables."""

import json

import pytest

from hubcore._gevent import config, names, settings
from hubcore.testing import run_python
from tests.dropin.test_dropin import INSTALL
from tests.support import drop_in


def run(code, backend="libev", **env):
    done = run_python(INSTALL + code, backend, env=env)
    return done.stdout.splitlines(), done.stderr


def test_every_module_that_gevent_publishes_is_there():
    published = {name for name in drop_in.load_names() if name != drop_in.PACKAGE}
    assert published - set(names.MODULES) == set()


def test_gevents_names_have_no_gap_under_its_own_name_but_the_listed_ones():
    lines, error = run(
        """
import json, warnings
warnings.simplefilter("ignore")
from tests.support import drop_in
print(json.dumps(drop_in.all_gaps(drop_in.load_names(), "gevent")))
"""
    )
    assert error == ""
    # A Loop tells less of itself than libev's: no number of its backend, no flags, no pointer.
    gaps = {each for each in json.loads(lines[0]) if not each.startswith("core:loop.")}
    assert gaps <= drop_in.read_gaps() - {"core:*"}


def test_core(hub_backend):
    lines, error = run(
        """
import gevent, gevent.core as core, os
print(core.READ, core.WRITE, core.READWRITE, core.MINPRI, core.MAXPRI, core.TIMER, core.SIGNAL, core.EVENTS)
print(isinstance(gevent.get_hub().loop, core.loop), core.get_version().split("-")[0] == gevent.get_hub().loop.name)
reader, writer = os.pipe()
found = gevent.event.Event()
watcher = gevent.get_hub().loop.io(reader, core.READ)
watcher.start(found.set)
os.write(writer, b"x")
print(found.wait(10), isinstance(watcher, core.io), isinstance(watcher, core.watcher))
watcher.close()
print(core.supported_backends() == [gevent.get_hub().loop.backend], core.embeddable_backends())
print(abs(core.time() - __import__("time").time()) < 60, gevent.core is core)
import hubcore
print(hasattr(hubcore, "core"))
""",
        hub_backend,
    )
    assert error == ""
    assert lines == [
        "1 2 3 -2 2 256 1024 gevent.core.EVENTS", "True True", "True True True", "True []", "True True", "False"
    ]  # fmt: skip


def test_attributes_of_a_hub_that_old_tools_delete(hub_backend):
    lines, error = run(
        """
import gevent, hubcore, threading
hub = gevent.get_hub()
print(hub._threadpool, hub._resolver, hub.loop.default)
del hub.threadpool
hub._threadpool = None
print(hub.threadpool is hub.threadpool is hub._threadpool, hub.threadpool.apply(int, ("7",)))
print(hub.resolver is hub._resolver, gevent.get_hub().resolver.gethostbyname("127.0.0.1"))
del hub.resolver
print(hub._resolver)
hub.resolver = mine = object()
print(hub.resolver is mine is hub._resolver)
del hub.resolver
thread = threading.Thread(target=lambda: print(gevent.get_hub().loop.default))
thread.start()
thread.join()
hub.destroy()
""",
        hub_backend,
    )
    assert error == ""
    assert lines == ["None None True", "True 7", "True 127.0.0.1", "None", "True", "False"]


ASK_PATCHED = """
print([monkey.is_object_patched(*each.split(".")) for each in ("threading.Thread", "os.fork", "subprocess.call")],
      monkey.is_module_patched("logging"), monkey.is_object_patched("logging", "Logger"))
"""


def test_what_is_built_on_what_is_patched_counts_as_patched(hub_backend):
    code = f"{ASK_PATCHED}monkey.patch_thread()\n{ASK_PATCHED}monkey.patch_all()\n{ASK_PATCHED}"
    lines, _ = run(f"from gevent import monkey\n{code}", hub_backend)
    assert lines == [
        "[False, False, False] False False", "[True, False, False] True False", "[True, True, True] True False"
    ]  # fmt: skip
    code = f"from hubcore import monkey\nmonkey.patch_all()\n{ASK_PATCHED}"
    assert run_python(code, hub_backend).stdout == "[False, False, False] False False\n"


def test_hubcores_own_hubs_have_none_of_them(hub_backend):
    code = "import hubcore; hub = hubcore.get_hub(); print(hub.loop.default, hasattr(hub, '_threadpool'))"
    assert run_python(code, hub_backend).stdout == "False False\n"


def test_interfaces(hub_backend):
    lines, _ = run(
        """
import gevent
from gevent._interfaces import ICallback, ILoop, IWatcher
loop = gevent.get_hub().loop
print(ILoop.providedBy(loop), IWatcher.providedBy(loop), IWatcher.providedBy(loop.timer(1)))
print(ICallback.providedBy(loop.run_callback(int)), ILoop.implementedBy(type(loop)), ILoop.implementedBy(int))
""",
        hub_backend,
    )
    assert lines == ["True False True", "True True False"]


@pytest.fixture
def own(monkeypatch):
    """hubcore's settings, put back afterwards."""
    for setting in settings.SETTINGS.values():
        if setting.own:
            monkeypatch.setattr(config.own, setting.own, getattr(config.own, setting.own))
    return config.own


def test_a_setting_is_hubcores(own):
    found = config.Config()
    found.max_blocking_time = 3
    assert (own.max_blocking_time, found.max_blocking_time) == (3.0, 3.0)
    found.set("max_memory_usage", "2 MB")
    assert own.max_memory_usage == 2 << 20
    found.max_memory_usage = None
    assert own.max_memory_usage == 0
    found.resolver = ["dnspython", "thread"]
    assert own.resolver == "dnspython,thread"
    found.loop = "libuv-cffi"
    assert own.backend == "libuv"
    found.fileobject = "my.files.File"
    assert own.fileobject == "my.files:File"
    found.monitor_thread = "yes"
    assert own.monitor_thread is True
    own.print_blocking_reports = False
    assert found.print_blocking_reports is False


def test_a_setting_without_meaning_is_kept_and_said_once(own):
    found = config.Config()
    with pytest.warns(RuntimeWarning, match="gevent.config.ares_timeout has no effect on hubcore"):
        found.ares_timeout = 5
    found.ares_timeout = 6
    assert found.ares_timeout == 6
    found.track_greenlet_tree = True  # its default: no warning


def test_what_is_wrong_with_a_setting_is_said(own):
    found = config.Config()
    with pytest.raises(AttributeError, match=r"gevent\.config has no setting 'loops'; it has ares_flags, "):
        found.loops
    with pytest.raises(AttributeError, match="has no setting 'loops'"):
        found.loops = 1
    with pytest.raises(ValueError, match=r"gevent.config.max_blocking_time is 'soon'; it takes a number of seconds"):
        found.max_blocking_time = "soon"
    with pytest.raises(ValueError, match=r"gevent.config.max_blocking_time is '0'; it takes"):
        found.max_blocking_time = 0
    with pytest.raises(ValueError, match=r"gevent.config.loop is 'select'; it takes names of gevent's loops: libev, "):
        found.loop = "select"
    with pytest.raises(ValueError, match="is '3 potatoes'; it takes a number of bytes, such as 1048576 or 100MB"):
        found.max_memory_usage = "3 potatoes"
    with pytest.raises(ValueError, match="is 'perhaps'; it takes 1 or 0"):
        found.monitor_thread = "perhaps"


def test_print_help_names_every_setting(capsys):
    config.Config().print_help()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(settings.SETTINGS)
    assert "max_blocking_time (GEVENT_MAX_BLOCKING_TIME): 0.1; hubcore.config.max_blocking_time" in lines


ASK = (
    "import gevent, hubcore\nprint(gevent.get_hub().backend, hubcore.config.resolver, hubcore.config.max_blocking_time)"
)


def test_gevents_variables_are_read():
    env = {"GEVENT_LOOP": "libuv-cffi", "GEVENT_RESOLVER": "block", "GEVENT_MAX_BLOCKING_TIME": "2"}
    assert run(ASK, None, **env) == (["libuv block 2.0"], "")


def test_hubcores_variables_come_first():
    env = {"GEVENT_LOOP": "libuv", "GEVENT_MAX_BLOCKING_TIME": "2", "HUBCORE_MAX_BLOCKING_TIME": "3"}
    assert run(ASK, "libev", **env) == (["libev None 3.0"], "")


def test_a_wrong_variable_is_refused_and_nothing_is_installed():
    code = """
try:
    hubcore.dropin.install()
except ValueError as error:
    print(error)
print(hubcore.dropin.installed_by() == "", hubcore.config.max_blocking_time)
"""
    done = run_python("import hubcore.dropin\n" + code, env={"GEVENT_LOOP": "libfoo", "GEVENT_MAX_BLOCKING_TIME": "2"})
    lines = done.stdout.splitlines()
    assert lines[0].startswith("GEVENT_LOOP is 'libfoo'; it takes names of gevent's loops: libev, libev-cext, ")
    assert lines[1] == "True 0.1"
