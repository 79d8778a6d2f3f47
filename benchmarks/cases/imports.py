"""Start-up: how much longer a fresh process takes with the import than without, and with a first task as well."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.contenders import GREENLETS, LIMIT, library
from benchmarks.measure import median
from benchmarks.model import ROOT, Case, Sample, Settings

MODULES = {"gevent": "gevent", "asyncio": "asyncio", "uvloop": "uvloop", LIMIT: "greenlet"}
FIRST_TASK = {
    "asyncio": "import asyncio; asyncio.run(asyncio.sleep(0))",
    "uvloop": "import asyncio, uvloop; uvloop.run(asyncio.sleep(0))",
    LIMIT: "import greenlet; greenlet.greenlet(int).switch()",
}


def process_seconds(code: str) -> float:
    # Installed packages have their byte code on disk; a source tree has it only if Python may write it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True, timeout=30)
    return time.perf_counter() - start


def extra_milliseconds(code: str, repeats: int) -> Sample:
    process_seconds(code)  # byte code and the file cache, once
    pairs = [(process_seconds("pass"), process_seconds(code)) for _ in range(repeats)]
    bare, full = median([pair[0] for pair in pairs]), median([pair[1] for pair in pairs])
    return Sample((full - bare) * 1e3, {"bare_ms": bare * 1e3, "full_ms": full * 1e3})


def imported(variant: str, settings: Settings) -> Sample:
    if variant in GREENLETS:
        library(variant)  # fails here and clearly, not in a child; and sets HUB_BACKEND
    return extra_milliseconds(f"import {MODULES.get(variant, 'hubcore')}", settings.repeats)


def first_task(variant: str, settings: Settings) -> Sample:
    if variant in GREENLETS:
        library(variant)
    module = MODULES.get(variant, "hubcore")
    code = FIRST_TASK.get(variant, f"import {module}; {module}.spawn({module}.sleep, 0).join()")
    return extra_milliseconds(code, settings.repeats)


_names = (*GREENLETS, "asyncio", "uvloop", LIMIT)
CASES = [
    Case("import", "import", "ms", dict.fromkeys(_names, imported), note="limit: import greenlet"),
    Case(
        "start", "import and run a first task", "ms", dict.fromkeys(_names, first_task), note="limit: one raw greenlet"
    ),
]
