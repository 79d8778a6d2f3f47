"""Builds the compiled modules; everything else about the package is in pyproject.toml.

HUBCORE_PURE=1          build nothing: the augmented modules run as plain Python, backends select and virtual only.
HUBCORE_REQUIRE_EXT=1   every backend must build; without it a missing libev or libuv only leaves that backend out.
HUBCORE_TRACE=1         line tracing in the compiled modules, for coverage.
HUBCORE_QUICK=1         compile in half of the time, for modules that are a few per cent slower.
HUBCORE_DEBUG=1         debug symbols in the compiled modules.

Only build_ext needs Cython, greenlet and a compiler: the metadata and an sdist are made without.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

compiled_modules = runpy.run_path("hubcore/_base/compiled_modules.py")["compiled_modules"]
LIBRARIES = {"libev": ("ev", "ev.h", "libev"), "libuv": ("uv", "uv.h", "libuv")}
#: The helpers that Cython would otherwise put into each module.
SHARED = "hubcore._cython_helpers"

PURE = os.environ.get("HUBCORE_PURE") == "1"
REQUIRE_EXT = os.environ.get("HUBCORE_REQUIRE_EXT") == "1"
TRACE = os.environ.get("HUBCORE_TRACE") == "1"
QUICK = os.environ.get("HUBCORE_QUICK") == "1"
DEBUG = os.environ.get("HUBCORE_DEBUG") == "1"
TRACE_MACROS = [("CYTHON_TRACE", "1"), ("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")]
# Before anything else in each compiled module: see the file.
PREFIX = str(Path("hubcore/_capi/traceback_paths.h").resolve())
CFLAGS = [
    *("-include", PREFIX),
    "-O0" if TRACE else "-Og" if QUICK else "-O2",
    "-g" if DEBUG else "-g0",
    "-Wno-unused-function",
    # Entry from C with a wrong signature is undefined behaviour that newer compilers refuse; make every compiler refuse
    # it.
    "-Werror=incompatible-pointer-types",
]
LINK_FLAGS = ["-Wl,-s"] if sys.platform == "linux" and not DEBUG else []
INSTALL = "Debian: apt-get install gcc libc6-dev python3-dev libev-dev libuv1-dev"


def pkg_config(package: str, what: str) -> list[str]:
    """What pkg-config says of `package`; nothing where either is unknown (Debian's libev has no .pc file)."""
    try:
        answer = subprocess.run(["pkg-config", what, package], capture_output=True, text=True, check=False)
    except OSError:
        return []
    return answer.stdout.split() if answer.returncode == 0 else []


def extension(module: str, libraries: tuple[str, ...] = (), package: str = "") -> Extension:
    """One module `hubcore.<module>`, its .so beside its .py."""
    return Extension(
        f"hubcore.{module}",
        [f"hubcore/{module.replace('.', '/')}.py"],
        libraries=list(libraries),
        extra_compile_args=CFLAGS + (pkg_config(package, "--cflags") if package else []),
        extra_link_args=LINK_FLAGS + (pkg_config(package, "--libs-only-L") if package else []),
        define_macros=TRACE_MACROS if TRACE else [],
        depends=[PREFIX],
    )


def extensions() -> list[Extension]:
    """The modules to compile, before Cython has translated them."""
    modules = []
    for name in compiled_modules(Path("hubcore")):
        library, _, package = LIBRARIES.get(name.removeprefix("backends."), ("", "", ""))
        modules.append(extension(name, (library,) if library else (), package))
    modules.sort(key=lambda module: -Path(module.sources[0]).stat().st_size)  # the longest first, so that no core idles
    shared = f"{SHARED.replace('.', '/')}.c"
    modules.append(Extension(SHARED, [shared], extra_compile_args=CFLAGS, extra_link_args=LINK_FLAGS, depends=[PREFIX]))
    return modules


def translate(modules: list[Extension]) -> None:
    """Let Cython translate what has changed, and put the C files in the place of the sources."""
    from Cython.Build import cythonize

    # nonecheck: a subclass that forgets super().__init__() must get an AttributeError, not a crash.
    directives = {
        "language_level": 3,
        "annotation_typing": False,
        "nonecheck": True,
        # A copy of a deadline or a queue would share the original's place or ring; and Cython's __setstate__ for a
        # class without fields crashes.
        "auto_pickle": False,
        "linetrace": TRACE,
        "binding": False,
        # The signature goes into the docstring, where `inspect` finds it: a call costs no more than without.
        "embedsignature": True,
        "embedsignature.format": "clinic",
        "emit_code_comments": DEBUG,
    }
    runpy.run_path("tools/cython_additions.py")["install"]()
    multiprocessing.set_start_method("fork", force=True)  # so that cythonize's processes have what was installed, too
    translated = cythonize(
        modules,
        compiler_directives=directives,
        nthreads=os.cpu_count() or 1,
        shared_utility_qualified_name=SHARED,
    )
    sources = {module.name: module.sources for module in translated}
    for module in modules:
        module.sources = sources[module.name]


class BuildExt(build_ext):
    """Leaves out, with one clear line, a backend whose C library's header is not installed."""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.parallel = os.cpu_count()
        self.done = 0
        self.counting = threading.Lock()

    def build_extensions(self) -> None:
        self._need_a_compiler()
        try:
            import greenlet
        except ImportError:
            raise SystemExit(
                "hubcore: the build needs greenlet, setuptools and Cython; `pip install .` gets them"
            ) from None
        self.extensions = [module for module in self.extensions if self._can_build(module)]
        for module in self.extensions:
            # The wheel of greenlet carries greenlet/greenlet.h.
            module.include_dirs.append(str(Path(greenlet.__file__).parent.parent))
        translate(self.extensions)
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        before = self._time_of(ext)
        super().build_extension(ext)
        with self.counting:
            self.done += 1
            if self._time_of(ext) != before:
                print(f"hubcore: compiled module {self.done} of {len(self.extensions)}: {ext.name}", flush=True)

    def _time_of(self, ext: Extension) -> float:
        try:
            return os.stat(self.get_ext_fullpath(ext.name)).st_mtime
        except OSError:
            return 0.0

    def _need_a_compiler(self) -> None:
        for code, lack in (("int one;\n", "a C compiler"), ("#include <Python.h>\n", "Python's headers (Python.h)")):
            reason = self._refuses(code)
            if reason is not None:
                raise SystemExit(
                    f"hubcore: {lack} was not found ({reason}). Install what the build needs ({INSTALL}), or set "
                    "HUBCORE_PURE=1 to install hubcore without compiled modules, which is several times slower."
                )

    def _can_build(self, ext: Extension) -> bool:
        name = ext.name.rpartition(".")[2]
        if name not in LIBRARIES or self._refuses(f"#include <{LIBRARIES[name][1]}>\n", ext.extra_compile_args) is None:
            return True
        header = LIBRARIES[name][1]
        message = (
            f"hubcore: the {name} backend is left out: the header {header} was not found"
            " (Debian: apt-get install libev-dev libuv1-dev)"
        )
        if REQUIRE_EXT:
            raise SystemExit(message)
        print(message)
        return False

    def _refuses(self, code: str, flags: list[str] | None = None) -> str | None:
        """Return why the compiler does not accept `code`; None if it does."""
        compiler = list(self.compiler.compiler_so)
        folders = [f"-I{folder}" for folder in self.compiler.include_dirs]
        try:
            done = subprocess.run(
                [*compiler, *folders, *(flags or []), "-fsyntax-only", "-x", "c", "-"],
                input=code,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            return f"{compiler[0]}: {error.strerror}"
        lines = [line for line in done.stderr.splitlines() if "error" in line] or [f"{compiler[0]} failed"]
        return None if done.returncode == 0 else lines[0].strip()


# Cython's worker processes import this file where the platform does not fork them (CPython 3.14 and later).
if __name__ == "__main__":
    setup(ext_modules=[] if PURE else extensions(), cmdclass={"build_ext": BuildExt})
