"""What a suite needs: its source distribution, unpacked but never built from, and an environment with its packages."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

from tools.ecosystem.projects import Project

TREE = Path(__file__).resolve().parents[2]
COMMON = ("pytest>=8", "pytest-timeout>=2.3", "pytest-cov>=5", "greenlet>=3.2,<4")


class NotToBeHad(Exception):
    """The project cannot be set up on this machine; the text says why."""


def set_up(project: Project, home: Path) -> tuple[Path, Path]:
    """Return the folder of the project's source and the python of its environment. What is there already is kept."""
    folder = home / f"{project.name}-{project.version}"
    source, environment, stamp = folder / "source", folder / "venv", folder / "stamp"
    python = environment / "bin" / "python"
    wanted = repr((project.requires, project.alone, project.extras, COMMON, sys.version_info[:3]))
    if stamp.exists() and stamp.read_text() == wanted:
        return source, python
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _fetch(project, source)
    venv.create(environment, with_pip=True)
    extras = f"[{','.join(project.extras)}]" if project.extras else ""
    package = f"{project.name}{extras}=={project.version}"
    _call([python, "-m", "pip", "install", "--quiet", "--prefer-binary", package, *project.requires, *COMMON])
    if project.alone:
        _call([python, "-m", "pip", "install", "--quiet", "--no-deps", *project.alone])
    # hubcore itself: the tree as it is built in place, without its metadata, so that its pytest plugin stays out.
    site = next((environment / "lib").glob("python*/site-packages"))
    (site / "hubcore-tree.pth").write_text(f"{TREE}\n")
    stamp.write_text(wanted)
    return source, python


def _fetch(project: Project, source: Path) -> None:
    downloads = source.with_name("downloads")
    downloads.mkdir()
    _call([sys.executable, "-m", "unearth", "--no-binary", "--download", downloads, project.requirement])
    archives = list(downloads.iterdir())
    if len(archives) != 1:
        raise NotToBeHad(f"{project.requirement} has no source distribution")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(downloads, filter="data")
    (unpacked,) = (each for each in downloads.iterdir() if each.is_dir())
    unpacked.rename(source)
    # The tests run on the installed package: the sources of the same name would hide it, without compiled parts.
    for missing in (each for each in project.tests if not (source / each.split("::")[0]).exists()):
        raise NotToBeHad(f"the source distribution of {project.requirement} has no {missing}")


def _call(command: list[object]) -> None:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, cwd=TREE)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotToBeHad(f"{' '.join(str(each) for each in command[:4])} failed: {lines[-1] if lines else 'no output'}")
