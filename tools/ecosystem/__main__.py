"""Runs other projects' test suites plain and on hubcore, and writes docs/ecosystem.md.

    python -m tools.ecosystem                     all projects of projects.toml
    python -m tools.ecosystem urllib3 requests    these
    python -m tools.ecosystem --list              names and versions

Status 1 if a test that passes plain fails on hubcore each time, without a reason in projects.toml.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from tools.ecosystem import page
from tools.ecosystem.comparing import Comparison, compare
from tools.ecosystem.projects import Project, chosen, read
from tools.ecosystem.running import WAYS, Outcomes, run
from tools.ecosystem.services import SERVICES
from tools.ecosystem.setting_up import TREE, NotToBeHad, set_up

MOST_AGAIN = 40  # more differing tests than these have one cause


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.ecosystem", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("project", nargs="*", help="a name of projects.toml; all by default")
    parser.add_argument("--home", type=Path, default=TREE / ".ecosystem", help="where sources and environments lie")
    parser.add_argument("--list", action="store_true", help="print the projects and end")
    options = parser.parse_args(arguments)
    if options.list:
        for each in read().values():
            print(each.requirement)
        return 0
    try:
        projects = chosen(options.project)
    except ValueError as error:
        parser.error(str(error))
    return max([_try(project, options.home) for project in projects], default=0)


def _try(project: Project, home: Path) -> int:
    say(f"{project.requirement}")
    try:
        source, python = set_up(project, home)
        server = SERVICES[project.service]() if project.service else nullcontext()
        with server:
            compared = _compare(project, source, python)
    except NotToBeHad as why:
        say(f"    not run: {why}")
        return 0
    if not compared:
        return 1
    page.write(project, page.row(project, compared))
    return int(any(each.differing for each in compared.values()))


def _compare(project: Project, source: Path, python: Path) -> dict[str, Comparison]:
    outcomes: dict[str, Outcomes] = {}
    for way in WAYS:
        outcomes[way], end = run(project, source, python, way)
        passed, failed = outcomes[way].count("passed"), outcomes[way].count("failed")
        say(f"    {way}: {passed} passed, {failed} failed, {outcomes[way].count('skipped')} skipped")
        if not passed:
            say(end)
            return {}
    compared = {}
    for way in WAYS[1:]:

        def again(tests: list[str], way: str = way) -> tuple[Outcomes, Outcomes]:
            few = tests[:MOST_AGAIN]
            return run(project, source, python, "plain", only=few)[0], run(project, source, python, way, only=few)[0]

        compared[way] = compare(project, outcomes["plain"], outcomes[way], again)
        for test in compared[way].differing:
            say(f"    {way}: fails, and passes plain: {test}")
    return compared


def say(text: str) -> None:
    """Print at once: the runs take minutes."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
