"""The ways to start a program under the drop-in: `hubcore run --as-gevent`, HUB_DROPIN by the hook, the wheel."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from hubcore._gevent import wheel
from hubcore.cli import main
from tests.support.paths import ROOT

SHOW = """
import sys
import gevent, gevent.event, hubcore
from gevent import monkey
print(gevent.spawn is hubcore.spawn, gevent.event is hubcore.event, monkey.is_anything_patched(), *sys.argv[1:])
"""
FAKE = "raise SystemExit('the fake gevent was imported')\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with a program, and with a gevent that must not be imported."""
    (tmp_path / "it.py").write_text(SHOW)
    (tmp_path / "gevent").mkdir()
    (tmp_path / "gevent" / "__init__.py").write_text(FAKE)
    return tmp_path


def python(folder, *arguments, status=0, path=(), **env):
    """What a Python says, on stdout and stderr."""
    environment = {name: text for name, text in os.environ.items() if name not in ("HUB_PATCH", "HUB_DROPIN")}
    environment |= {"PYTHONPATH": os.pathsep.join([*map(str, path), str(ROOT)])} | env
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout, done.stderr


# -- hubcore run --as-gevent


@pytest.mark.parametrize(
    ("options", "patched"),
    [
        ([], "False"),
        (["--patch"], "True"),
        (["--no-patch"], "False"),
        (["--no-queue"], "True"),
        (["--queue"], "True"),
        (["--strict"], "True"),
    ],
)
def test_run_as_gevent_patches_only_if_asked(folder, options, patched):
    said = python(folder, "-m", "hubcore", "run", "--as-gevent", *options, "it.py", "--patch", "-x")
    assert said == (f"True True {patched} --patch -x\n", "")


def test_a_module_is_run_too(folder):
    assert python(folder, "-m", "hubcore", "run", "--as-gevent", "-m", "it", "a") == ("True True False a\n", "")


def test_gevents_own_launcher_is_run(folder):
    run = ["-m", "hubcore", "run", "--as-gevent", "-m", "gevent.monkey", "--no-thread", "it.py", "a"]
    assert python(folder, *run) == ("True True True a\n", "")


def test_children_inherit_the_variable(folder):
    (folder / "it.py").write_text("import os\nprint(os.environ['HUB_DROPIN'])\n")
    assert python(folder, "-m", "hubcore", "run", "--as-gevent", "it.py") == ("gevent\n", "")


def test_patch_and_no_patch_contradict_each_other(folder):
    _, error = python(folder, "-m", "hubcore", "run", "--as-gevent", "--patch", "--no-patch", "it.py", status=2)
    assert "--patch and --no-patch contradict each other; give one of them" in error


def test_without_the_option_nothing_stands_in(folder):
    assert python(folder, "-m", "hubcore", "run", "it.py", status=1) == ("", "the fake gevent was imported\n")


def test_a_wrong_variable_is_said_before_the_program_begins(folder):
    run = ["-m", "hubcore", "run", "--as-gevent", "it.py"]
    out, error = python(folder, *run, status=2, GEVENT_RESOLVER="a-b.c-d")
    assert out == ""
    assert (
        error
        == "hubcore: GEVENT_RESOLVER is 'a-b.c-d'; it takes thread, ares, dnspython, block, or package.module.Class\n"
    )


def test_a_gevent_that_was_imported_before_is_said(folder):
    (folder / "gevent" / "__init__.py").write_text("")
    code = "import gevent; from hubcore.cli import main; raise SystemExit(main(['run', '--as-gevent', 'it.py']))"
    out, error = python(folder, "-c", code, status=2)
    assert out == ""
    assert error.startswith("hubcore: gevent was imported before hubcore could take its place: from ")


def test_doctor_says_which_gevent_the_program_had(folder):
    _, error = python(folder, "-m", "hubcore", "doctor", "--as-gevent", "it.py")
    assert "`import gevent` gives hubcore, as --as-gevent asked." in error
    (folder / "gevent" / "__init__.py").write_text("")
    (folder / "it.py").write_text("import user\n")
    (folder / "user.py").write_text("import gevent\n")
    _, error = python(folder, "-m", "hubcore", "doctor", "it.py")
    assert f"The program uses the real gevent, from {folder}/gevent/__init__.py" in error
    assert "imported by __main__ -> user -> gevent" in error
    (folder / "it.py").write_text("")
    assert "gevent" not in python(folder, "-m", "hubcore", "doctor", "it.py")[1]


# -- HUB_DROPIN, by the hook


@pytest.fixture
def site(folder, monkeypatch):
    """A folder of packages with the hook installed."""
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(folder))
    assert main(["patch-hook", "install"]) == 0
    return folder


def started(site, program="import it", **env):
    """What a Python says that reads the hook in `site`; twice, as in a virtual environment."""
    code = f"import site, sys; site.addsitedir({str(site)!r}); site.addsitedir({str(site)!r})\n{program}"
    return python(site, "-c", code, **env)


def test_the_variable_decides_at_start(site):
    assert started(site, HUB_DROPIN="gevent") == ("True True False\n", "")
    assert started(site, HUB_DROPIN="gevent", HUB_PATCH="1") == ("True True True\n", "")


def test_without_it_nothing_of_hubcore_is_imported(site):
    ask = "print([name for name in sys.modules if name.startswith('hubcore')])"
    assert started(site, ask) == ("[]\n", "")
    assert started(site, ask, HUB_DROPIN="") == ("[]\n", "")


@pytest.mark.parametrize("value", ["1", "Gevent", "eventlet"])
def test_a_value_that_it_does_not_know_is_said_once_and_the_program_runs(site, value):
    out, error = started(site, "print('gevent' in sys.modules, 'on')", HUB_DROPIN=value)
    assert (out, error) == (
        "False on\n",
        f"hubcore: not in gevent's place: HUB_DROPIN is {value!r}; it takes 'gevent'\n",
    )


def test_a_patch_goes_on_where_the_name_cannot_be_taken(site):
    ask = "import socket; print(socket.socket.__module__)"
    out, error = started(site, ask, HUB_DROPIN="gevent", HUB_PATCH="1", GEVENT_LOOP="libfoo")
    assert out == "hubcore.socket\n"
    assert error.startswith("hubcore: not in gevent's place: GEVENT_LOOP is 'libfoo'; it takes names of gevent's loops")


def test_info_says_what_import_gevent_gives(site):
    ask = "from hubcore.cli import main; main(['info', '--json'])"
    assert json.loads(started(site, ask, HUB_DROPIN="gevent")[0])["dropin"] == {"gevent": "hubcore", "by": "HUB_DROPIN"}
    found = json.loads(started(site, ask)[0])["dropin"]
    assert found == {"gevent": f"{site}/gevent/__init__.py", "by": ""}
    ask = "from hubcore.cli import main; main(['info'])"
    assert "import gevent: gives hubcore, by HUB_DROPIN\n" in started(site, ask, HUB_DROPIN="gevent")[0]
    assert "HUB_DROPIN=gevent and the hook would make it hubcore\n" in started(site, ask)[0]


# -- the wheel


@pytest.fixture
def installed(tmp_path_factory):
    """Writes a wheel and unpacks it, as pip does; the folder that it is in."""

    def install(version):
        folder = tmp_path_factory.mktemp("wheel")
        with zipfile.ZipFile(wheel.write(str(folder), version)) as archive:
            archive.extractall(folder / "site")
        return folder / "site"

    return install


def test_the_wheel_puts_hubcore_in_gevents_place(installed, tmp_path):
    (tmp_path / "it.py").write_text(SHOW)
    site = installed("26.9.0")
    assert python(tmp_path, "-S", "it.py", path=[site, *sys.path[1:]]) == ("True True False\n", "")
    ask = """
import gevent.event as first
import gevent, gevent.core, hubcore, sys
from importlib import metadata, reload
print(first is hubcore.event, sys.modules["gevent"] is gevent)
print(gevent.__file__, gevent.__spec__.origin == gevent.__file__)
print(gevent.__version__, gevent.version_info, metadata.version("gevent"), reload(gevent) is gevent)
"""
    assert python(tmp_path, "-c", ask, path=[site])[0].splitlines() == [
        "True True",
        f"{ROOT}/hubcore/_gevent/package.py True",
        "26.9.0 (26, 9, 0) 26.9.0 True",
    ]


def test_the_wheel_of_another_version_says_so(installed, tmp_path):
    ask = "import gevent as g, importlib.metadata as m; print(g.__version__, g.version_info, m.version('gevent'))"
    assert python(tmp_path, "-c", ask, path=[installed("24.11.1")])[0] == "24.11.1 (24, 11, 1) 24.11.1\n"


def test_the_wheel_imported_in_threads_at_once(installed, tmp_path):
    ask = """
import threading
start, found = threading.Barrier(8), []
def work():
    start.wait()
    import gevent, gevent.queue
    found.append((gevent, gevent.queue))
threads = [threading.Thread(target=work) for _ in range(8)]
[each.start() for each in threads]
[each.join() for each in threads]
print(len(found), len({(id(a), id(b)) for a, b in found}), found[0][0])
"""
    out, error = python(tmp_path, "-c", ask, path=[installed("26.9.0")])
    assert (out, error) == ("8 1 <module 'gevent': hubcore 0.2.0 in its place>\n", "")


def test_info_knows_the_wheel(installed, tmp_path):
    site = installed("26.9.0")
    out, _ = python(tmp_path, "-m", "hubcore", "info", path=[site])
    assert f"import gevent: gives hubcore, by the wheel of `hubcore gevent-wheel`, {site}/gevent/__init__.py\n" in out


@pytest.mark.slow
def test_pip_installs_the_wheel_and_counts_gevent_as_there(tmp_path, capsys):
    assert main(["gevent-wheel", "--output", str(tmp_path), "--version", "25.1.2"]) == 0
    path = capsys.readouterr().out.strip()
    assert os.path.basename(path) == "gevent-25.1.2+hubcore-py3-none-any.whl"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-index", "--quiet"]
    target = ["--no-deps", "--target", str(tmp_path / "site")]
    done = subprocess.run([*pip, *target, path], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    ask = "import gevent; print(gevent.spawn.__module__)"
    assert python(tmp_path, "-c", ask, path=[tmp_path / "site"])[0] == "hubcore.greenlet\n"
    dry = [*pip, "--dry-run", "--no-deps", "gevent[recommended]>=24.10.1"]
    env = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(dry, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def test_the_wheel_is_the_same_file_each_time_and_its_record_is_right(tmp_path):
    one, two = wheel.write(str(tmp_path / "a"), "26.9.0"), wheel.write(str(tmp_path / "b"), "26.9.0")
    with open(one, "rb") as first, open(two, "rb") as second:
        assert first.read() == second.read()
    assert wheel.write(str(tmp_path / "a"), "26.9.0") == one
    assert os.listdir(tmp_path / "a") == ["gevent-26.9.0+hubcore-py3-none-any.whl"]
    with zipfile.ZipFile(one) as archive:
        names = archive.namelist()
        record = archive.read("gevent-26.9.0+hubcore.dist-info/RECORD").decode().splitlines()
        assert [line.partition(",")[0] for line in record] == names
        for line in record[:-1]:
            name, _, size = line.split(",")
            assert len(archive.read(name)) == int(size)


@pytest.mark.parametrize("version", ["", "latest", "0.1", "26", "26.9.0+mine", "26.9.0rc1", "1.2.3.4.5"])
def test_a_version_that_is_none_is_refused(tmp_path, capsys, version):
    if version:
        assert main(["gevent-wheel", "--output", str(tmp_path / "out"), "--version", version]) == 2
        error = capsys.readouterr().err
        assert error == f"hubcore: the wheel's version is {version!r}; it takes numbers with dots, such as 26.9.0\n"
    else:
        with pytest.raises(ValueError, match="takes numbers with dots"):
            wheel.write(str(tmp_path / "out"), version)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["gevent-wheel", "--output", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err == f"hubcore: cannot write the wheel into {str(tmp_path / 'file')!r}: File exists\n"
