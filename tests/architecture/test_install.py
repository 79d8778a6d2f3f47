"""What a build and an install need: no Cython where a program runs, and one clear line where something is missing."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import textwrap

import pytest

from hubcore.testing import run_python
from tests.support.paths import ROOT

pytest.importorskip("setuptools", reason="the build needs setuptools (pip install --group build)")

WITHOUT_CYTHON = "import sys; sys.modules['cython'] = sys.modules['Cython'] = None\n"


@pytest.fixture
def tree(tmp_path):
    """A copy of what the build reads, without anything built."""
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md", "CHANGELOG.md"):
        shutil.copy2(ROOT / name, tmp_path)
    unbuilt = shutil.ignore_patterns("__pycache__", "*.so", "*.c")
    for name in ("hubcore", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=unbuilt)
    return tmp_path


def setup(tree, *arguments, start="", **variables):
    """Run setup.py with `arguments`; what became of it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HUB", "CC", "CPPFLAGS"))}
    code = start + f"import runpy\nsys.argv[:] = {['setup.py', '--quiet', *arguments]!r}\n"
    code += "runpy.run_path('setup.py', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", "import sys\n" + code], cwd=tree, env=env | variables, capture_output=True, text=True
    )


def test_sources_name_cython_by_the_module_that_stands_in_for_it():
    """A compiled run would not show an `import cython`: the build removes it."""
    files = (ROOT / "hubcore").rglob("*.py")
    assert [str(file) for file in files if re.search(r"^import cython\b", file.read_text(), re.MULTILINE)] == []


@pytest.mark.parametrize("pure", ["0", "1"])
def test_no_module_imports_cython(pure):
    code = f"""
        {WITHOUT_CYTHON.strip()}
        import importlib, pkgutil
        import hubcore
        for found in pkgutil.walk_packages(hubcore.__path__, "hubcore."):
            if "conformance" not in found.name and not found.name.endswith("__main__"):
                try:
                    importlib.import_module(found.name)
                except ImportError as error:
                    if "ython" in str(error):
                        print(found.name, error)
        print(hubcore.spawn(lambda: 3).get())
    """
    assert run_python(code, env={"HUBCORE_PURE": pure}).stdout == "3\n"


def test_an_sdist_needs_neither_cython_nor_greenlet_nor_a_compiler(tree):
    done = setup(
        tree, "sdist", "--dist-dir", "made",
        start=WITHOUT_CYTHON + "sys.modules['greenlet'] = None\n", CC="/nonexistent/cc",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not list(tree.rglob("hubcore/**/*.c"))
    (archive,) = (tree / "made").glob("*.tar.gz")
    with tarfile.open(archive) as names:
        inside = {name.partition("/")[2] for name in names.getnames()}
    assert {"setup.py", "hubcore/hub.py", "hubcore/hub.pxd", "tools/cython_additions.py"} <= inside


def test_without_a_compiler_the_build_ends_with_one_line_that_says_what_to_do(tree):
    done = setup(tree, "build_ext", CC="/nonexistent/cc")
    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith("hubcore: a C compiler was not found (/nonexistent/cc: No such file or directory).")
    assert "apt-get install gcc" in line
    assert "HUBCORE_PURE=1" in line


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("Python.h", "hubcore: Python's headers (Python.h) was not found (it.c: error: no Python.h). Install"),
        ("ev.h", "hubcore: the libev backend is left out: the header ev.h was not found"),
        ("uv.h", "hubcore: the libuv backend is left out: the header uv.h was not found"),
    ],
)
def test_a_missing_header_is_one_line(tree, header, line):
    compiler = tree / "cc"
    compiler.write_text(
        textwrap.dedent(
            f"""\
            #!/bin/sh
            if grep -q '<{header}>'; then echo 'it.c: error: no {header}' >&2; exit 1; fi
            """
        )
    )
    compiler.chmod(0o755)
    done = setup(tree, "build_ext", CC=str(compiler), HUBCORE_REQUIRE_EXT="1")
    assert done.returncode == 1
    assert (done.stdout + done.stderr).splitlines()[0].startswith(line)
    assert len((done.stdout + done.stderr).splitlines()) == 1


def test_a_backend_that_was_not_built_is_named_with_the_true_reason(tmp_path):
    unbuilt = shutil.ignore_patterns("__pycache__", "libev*.so", "libuv*.so", "*.c")
    shutil.copytree(ROOT / "hubcore", tmp_path / "hubcore", ignore=unbuilt)
    code = WITHOUT_CYTHON + "import hubcore.cli; sys.exit(hubcore.cli.main(['info']))"
    env = {name: value for name, value in os.environ.items() if not name.startswith("HUB")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=env | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "libev is not available: hubcore.backends.libev is not built; install libev's headers" in done.stdout
    assert "libuv is not available: hubcore.backends.libuv is not built; install libuv's headers" in done.stdout
    assert "select is in use, which is slow" in done.stdout
    assert "chosen: select, by default" in done.stdout


@pytest.mark.slow
def test_a_pure_install_imports_and_runs(tree):
    done = setup(
        tree, "bdist_wheel", "--dist-dir", "made", start=WITHOUT_CYTHON, HUBCORE_PURE="1", CC="/nonexistent/cc"
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (tree / "made").glob("*-none-any.whl")
    place = tree / "installed"
    shutil.unpack_archive(wheel, place, "zip")
    code = WITHOUT_CYTHON + "import hubcore\nprint(hubcore.__file__, hubcore.spawn(lambda: 3).get())"
    env = {name: value for name, value in os.environ.items() if not name.startswith("HUB")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, env=env | {"PYTHONPATH": str(place)}, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == (f"{place}/hubcore/__init__.py 3\n", "")
