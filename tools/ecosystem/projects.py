"""The projects whose suites are run: what projects.toml says of each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("projects.toml")


@dataclass(frozen=True)
class Project:
    """One package of PyPI whose source distribution has its tests."""

    name: str
    version: str
    tests: tuple[str, ...]  # files and folders, from the root of the source distribution
    requires: tuple[str, ...] = ()  # requirements of the tests, beside pytest and the package itself
    alone: tuple[str, ...] = ()  # requirements that are installed without their own: httpbin wants an old greenlet
    extras: tuple[str, ...] = ()
    options: tuple[str, ...] = ()  # of pytest
    env: dict[str, str] = field(default_factory=dict)
    service: str = ""  # the server that the tests need
    remark: str = ""
    differs: dict[str, str] = field(default_factory=dict)  # the start of a test's name -> why it fails on hubcore only

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.name}=={self.version}"

    def reason(self, test: str) -> str | None:
        """Return why `test` is known to fail on hubcore only, or None."""
        return next((why for start, why in self.differs.items() if test.startswith(start)), None)


def read(file: Path = FILE) -> dict[str, Project]:
    """Return the projects by name. ValueError names an entry that is wrong."""
    found = {}
    for name, entry in tomllib.loads(file.read_text()).items():
        found[name] = _project(name, entry)
    return found


def _project(name: str, entry: dict[str, Any]) -> Project:
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    try:
        project = Project(name, **given)
    except TypeError as error:
        raise ValueError(f"projects.toml: [{name}]: {error}") from None
    if not project.tests:
        raise ValueError(f"projects.toml: [{name}]: tests is empty; name the files or folders to run")
    return project


def chosen(names: list[str]) -> list[Project]:
    """Return the projects of these names, or all. ValueError for an unknown name."""
    projects = read()
    unknown = [name for name in names if name not in projects]
    if unknown:
        raise ValueError(f"unknown project {', '.join(unknown)}; projects.toml has {', '.join(projects)}")
    return [projects[name] for name in names] or list(projects.values())
