"""Choosing a backend: by argument, config, HUB_BACKEND, preference list, module:Class, entry point."""

import textwrap
import threading

import pytest

import hubcore
from hubcore import backends, config
from hubcore.backends.select_ import SelectLoop
from hubcore.backends.virtual import VirtualLoop
from hubcore.exceptions import BackendUnavailable
from hubcore.hub import Hub, get_hub
from hubcore.loop import PROTOCOL_VERSION, Loop
from hubcore.testing import run_python
from tests.support.example_backend import ExampleLoop

EXAMPLE = "tests.support.example_backend:ExampleLoop"


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    monkeypatch.delenv("HUB_BACKEND", raising=False)
    monkeypatch.setattr(config, "backend", None)


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("select", "select"),
        ("virtual", "virtual"),
        (" virtual ", "virtual"),
        ("virtual,select", "virtual"),
        ("no_such_backend, ,virtual,select", "virtual"),
        ("no.such.module:Loop,select", "select"),
        ("hubcore.backends.select_:SelectLoop", "select"),
        (EXAMPLE, EXAMPLE),
        (SelectLoop, "select"),
        (ExampleLoop, EXAMPLE),
    ],
)
def test_a_choice_names_a_loop_class(choice, name):
    assert backends.loop_class(choice).name == name


@pytest.mark.parametrize("name", ["libev", "libuv"])
def test_the_compiled_backends_tell_which_library_they_use(name):
    loop_class = pytest.importorskip(f"hubcore.backends.{name}")
    for version in (loop_class.header_version, loop_class.library_version):
        assert all(part.isdigit() for part in version.split("."))
    loop = backends.loop_class(name)()
    assert loop.backend in ("epoll", "kqueue", "poll", "select", "io_uring", "linuxaio")
    loop.close()


def test_an_argument_comes_before_config_and_config_before_the_environment(monkeypatch):
    monkeypatch.setenv("HUB_BACKEND", "select")
    assert backends.loop_class() is SelectLoop
    monkeypatch.setattr(config, "backend", "virtual")
    assert backends.loop_class() is VirtualLoop
    assert backends.loop_class(EXAMPLE) is ExampleLoop
    monkeypatch.setattr(config, "backend", ExampleLoop)
    assert backends.loop_class() is ExampleLoop


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_environment_variable_chooses_nothing(monkeypatch, value):
    monkeypatch.setenv("HUB_BACKEND", value)
    assert backends.loop_class().name in backends.DEFAULT.split(",")


def test_an_unknown_name_is_one_error_that_lists_what_there_is():
    with pytest.raises(BackendUnavailable) as caught:
        backends.loop_class("no_such_backend")
    text = str(caught.value)
    assert "'no_such_backend'" in text
    assert "there is no backend of that name" in text
    assert "select" in text
    assert "virtual" in text
    assert "package.module:Class" in text
    assert "\n" not in text
    assert isinstance(caught.value, ImportError)


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ("no.such.module:Loop", "No module named 'no'"),
        ("hubcore.backends.select_:NoSuchLoop", "has no 'NoSuchLoop'"),
        ("hubcore.backends.select_:FdWatch", "not a subclass of hubcore.loop.Loop"),
        ("hubcore.backends.select_:", "has no ''"),
        ("one,two", "one: there is no backend of that name; two: there is no backend of that name"),
        (",", "names no backend"),
    ],
)
def test_the_error_says_why_each_choice_failed(choice, reason):
    with pytest.raises(BackendUnavailable) as caught:
        backends.loop_class(choice)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (None, "does not name the version"),
        ("1", "does not name the version"),
        (PROTOCOL_VERSION + 1, "install a newer hubcore"),
        (PROTOCOL_VERSION - 1, "install a newer release of the backend"),
    ],
)
def test_a_backend_for_another_version_of_the_protocol_is_refused(version, reason):
    class Other(Loop):
        """Has the version of its base, or names its own."""

        if version is not None:
            protocol_version = version

    with pytest.raises(ImportError, match=reason) as caught:
        backends.loop_class(Other)
    assert f"this hubcore speaks version {PROTOCOL_VERSION}" in str(caught.value)
    with pytest.raises(ImportError):
        Hub(Other)


def test_a_class_that_is_no_loop_is_refused():
    with pytest.raises(ImportError, match="not a subclass"):
        backends.loop_class(int)


@pytest.mark.parametrize(
    ("variable", "source"), [("HUB_BACKEND", "HUB_BACKEND is 'wrong'"), ("", "hubcore.config.backend is")]
)
def test_the_error_says_who_chose(monkeypatch, variable, source):
    if variable:
        monkeypatch.setenv(variable, "wrong")
    else:
        monkeypatch.setattr(config, "backend", "wrong")
    with pytest.raises(BackendUnavailable, match=source):
        Hub()


def test_a_backend_that_only_exists_compiled_says_so():
    """Uncompiled, the two C libraries' backends are not there; the others are, and the default is one of them."""
    done = run_python(
        """
        from hubcore.backends import available, loop_class
        print(loop_class().name)
        try:
            loop_class("libev")
        except ImportError as error:
            print(error)
        print(isinstance(available()["libuv"], ImportError), available()["select"].name)
        """,
        env={"HUBCORE_PURE": "1"},
    )
    default, error, rest = done.stdout.splitlines()
    assert default == "select"
    for part in ("libev", "exists only compiled", "HUBCORE_PURE=1", "Available: select, virtual", "Not available"):
        assert part in error
    assert rest == "True select"


@pytest.mark.parametrize("value", ["select", "virtual", "nonsense,virtual", EXAMPLE])
def test_hub_backend_decides_for_a_program(value):
    done = run_python("import hubcore; hubcore.sleep(0.001); print(hubcore.get_hub().backend)", value)
    assert done.stdout.strip() == {"nonsense,virtual": "virtual"}.get(value, value)


def test_a_wrong_hub_backend_is_a_short_error_when_a_hub_is_needed():
    done = run_python("import hubcore; print('imported'); hubcore.sleep(0)", "wrong", status=1)
    assert done.stdout == "imported\n"
    assert "BackendUnavailable: HUB_BACKEND is 'wrong', but wrong: there is no backend of that name" in done.stderr


def test_an_installed_distribution_registers_a_backend_by_entry_point(tmp_path):
    (tmp_path / "others_loop.py").write_text(
        textwrap.dedent(
            """
            from hubcore.backends.select_ import SelectLoop

            class OthersLoop(SelectLoop):
                name = "others"
            """
        )
    )
    info = tmp_path / "others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[hubcore.backends]\nothers = others_loop:OthersLoop\nbroken = no_such_module:Loop\n"
    )
    code = f"""
        import sys
        sys.path.append({str(tmp_path)!r})
        import hubcore
        from hubcore.backends import available, loop_class
        print(hubcore.get_hub().backend)
        print(available()["others"].__name__, type(available()["broken"]).__name__)
        try:
            loop_class("broken")
        except ImportError as error:
            print("others" in str(error), "no_such_module" in str(error))
    """
    assert run_python(code, "others").stdout.split() == ["others", "OthersLoop", "ModuleNotFoundError", "True", "True"]


def test_every_known_backend_is_available_or_says_why_not():
    found = backends.available()
    assert list(found)[: len(backends.BUILT_IN)] == list(backends.BUILT_IN)
    for name, loop_class in found.items():
        if isinstance(loop_class, ImportError):
            assert name in str(loop_class)
        elif name in backends.BUILT_IN:
            assert loop_class.name == name


def test_hubs_take_a_backend_by_name_by_class_or_as_a_loop():
    for make in (
        lambda: Hub("select"),
        lambda: Hub(backend="select"),
        lambda: Hub(SelectLoop),
        lambda: Hub(backend=SelectLoop),
        lambda: Hub(SelectLoop()),
    ):
        hub = make()
        assert type(hub.loop) is SelectLoop
        assert hub.backend == "select"
        assert get_hub() is hub
        hubcore.sleep(0.001)
        hub.destroy()


def test_threads_of_one_process_run_different_backends_at_the_same_time():
    names = [name for name, found in backends.available().items() if not isinstance(found, ImportError)]
    together = threading.Barrier(len(names))
    ran = []

    def run(name):
        hub = Hub(backend=name)
        together.wait(30)
        hubcore.joinall([hubcore.spawn(hubcore.sleep, 0.001) for _ in range(10)])
        ran.append((name, get_hub().backend))
        together.wait(30)
        hub.destroy()

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == sorted((name, name) for name in names)


@pytest.mark.parametrize("name", [":", ":Loop", ".here:Loop", "a..b:Loop"])
def test_what_is_no_modules_name_is_no_backend(name):
    with pytest.raises(BackendUnavailable, match="is not a module name"):
        backends.loop_class(name)
