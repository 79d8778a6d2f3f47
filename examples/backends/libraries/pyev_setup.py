"""Builds pyev from its unpacked source in place of its own setup.py, which is in Python 2.

BUNDLED=1: on the libev 4.04 of 2011 that comes with it; otherwise on the system's.
"""

import os

from setuptools import Extension, setup

BUNDLED = os.environ.get("BUNDLED") == "1"
libev = {
    "sources": ["bundled/libev/ev.c"],
    "include_dirs": ["bundled/libev"],
    "macros": [("EV_STANDALONE", "1")]
    + [(f"EV_USE_{name}", "1") for name in ("EPOLL", "EVENTFD", "INOTIFY", "MONOTONIC", "POLL", "SELECT")],
}
pyev = Extension(
    "pyev",
    ["src/pyev.c"],  # it includes the others
    include_dirs=["bundled/libev"] if BUNDLED else [],
    define_macros=[("FOR_PYEV", "1"), ("PYEV_VERSION", '"0.9.5"')],
    extra_compile_args=["-include", "compat.h", "-fno-strict-aliasing", "-Wno-deprecated-declarations"],
    libraries=["m"] if BUNDLED else ["ev"],
    # Its own libev, also where another one is loaded already.
    extra_link_args=["-Wl,-Bsymbolic"] if BUNDLED else [],
)
setup(
    name="pyev",
    version="0.9.5",
    ext_modules=[pyev],
    packages=[],
    py_modules=[],
    libraries=[("libev_bundled", libev)] if BUNDLED else [],
)
