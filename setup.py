"""Builds the compiled modules; everything else about the package is in pyproject.toml.

HUBCORE_PURE=1          build nothing: the augmented modules run as plain Python, backends select and virtual only.
HUBCORE_REQUIRE_EXT=1   every backend must build; without it a missing libev or libuv only leaves that backend out.
HUBCORE_TRACE=1         line tracing in the compiled modules, for coverage.
"""

import multiprocessing
import os
import runpy
import subprocess
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

compiled_modules = runpy.run_path("hubcore/_base/compiled_modules.py")["compiled_modules"]
LIBRARIES = {"libev": ("ev", "ev.h", "libev"), "libuv": ("uv", "uv.h", "libuv")}

PURE = os.environ.get("HUBCORE_PURE") == "1"
REQUIRE_EXT = os.environ.get("HUBCORE_REQUIRE_EXT") == "1"
TRACE = os.environ.get("HUBCORE_TRACE") == "1"
TRACE_MACROS = [("CYTHON_TRACE", "1"), ("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")]
# Entry from C with a wrong signature is undefined behaviour that newer compilers refuse; make every compiler refuse it.
# Before anything else in each compiled module: see the file.
PREFIX = str(Path("hubcore/_capi/traceback_paths.h").resolve())
CFLAGS = ["-include", PREFIX, "-O0" if TRACE else "-O2", "-Wno-unused-function", "-Werror=incompatible-pointer-types"]


def pkg_config(package: str, what: str) -> list[str]:
    """What pkg-config says of `package`; nothing where either is unknown (Debian's libev has no .pc file)."""
    try:
        answer = subprocess.run(["pkg-config", what, package], capture_output=True, text=True, check=False)
    except OSError:
        return []
    return answer.stdout.split() if answer.returncode == 0 else []


def extension(module: str, libraries: tuple[str, ...] = (), package: str = "") -> Extension:
    """One module `hubcore.<module>`, its .so beside its .py."""
    import greenlet

    include = str(Path(greenlet.__file__).parent.parent)  # the wheel carries greenlet/greenlet.h
    return Extension(
        f"hubcore.{module}",
        [f"hubcore/{module.replace('.', '/')}.py"],
        include_dirs=[include],
        libraries=list(libraries),
        extra_compile_args=CFLAGS + (pkg_config(package, "--cflags") if package else []),
        extra_link_args=pkg_config(package, "--libs-only-L") if package else [],
        define_macros=TRACE_MACROS if TRACE else [],
        depends=[PREFIX],
    )


def extensions() -> list[Extension]:
    from Cython.Build import cythonize

    modules = []
    for name in compiled_modules(Path("hubcore")):
        library, _, package = LIBRARIES.get(name.removeprefix("backends."), ("", "", ""))
        modules.append(extension(name, (library,) if library else (), package))
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
    }
    runpy.run_path("tools/cython_additions.py")["install"]()
    multiprocessing.set_start_method("fork", force=True)  # so that cythonize's processes have what was installed, too
    return cythonize(modules, compiler_directives=directives, nthreads=os.cpu_count() or 1)


class BuildExt(build_ext):
    """Leaves out, with one clear line, a backend whose C library's header is not installed."""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.parallel = os.cpu_count()

    def build_extensions(self) -> None:
        self.extensions = [ext for ext in self.extensions if self._can_build(ext)]
        super().build_extensions()

    def _can_build(self, ext: Extension) -> bool:
        name = ext.name.rpartition(".")[2]
        if name not in LIBRARIES or self._compiles_header(ext, LIBRARIES[name][1]):
            return True
        header = LIBRARIES[name][1]
        message = (
            f"the {name} backend is left out: the header {header} was not found"
            " (Debian: apt-get install libev-dev libuv1-dev)"
        )
        if REQUIRE_EXT:
            raise SystemExit(message)
        print("hubcore:", message)
        return False

    def _compiles_header(self, ext: Extension, header: str) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder, "probe.c")
            probe.write_text(f"#include <{header}>\n")
            try:
                self.compiler.compile(
                    [str(probe)],
                    output_dir=folder,
                    include_dirs=ext.include_dirs,
                    extra_postargs=ext.extra_compile_args,
                )
            except Exception:  # whatever the platform's compiler class raises means the same: it did not compile
                return False
        return True


# Cython's worker processes import this file where the platform does not fork them (CPython 3.14 and later).
if __name__ == "__main__":
    setup(ext_modules=[] if PURE else extensions(), cmdclass={"build_ext": BuildExt})
