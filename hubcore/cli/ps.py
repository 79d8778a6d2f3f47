"""`hubcore ps` and `hubcore dump`: what the greenlets of a running process do, without any set-up in the program."""

from __future__ import annotations

import json
import os

from hubcore.cli._attach import Busy, CannotAsk, Failed, Target, processes
from hubcore.cli._output import complain, output
from hubcore.cli._snapshot_text import dump_lines, group_rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Exit statuses: the process failed to answer; it cannot be asked; it is busy.
FAILED, CANNOT, BUSY = 1, 2, 3


def main(pid: int | None, *, as_json: bool = False) -> int:
    """Print the processes that use hubcore, or the groups of greenlets of process `pid`. Return the exit status."""
    if pid is None:
        return _all(as_json)
    found, status = ask(pid, {"ask": "snapshot", "stacks": False})
    if found is None:
        return status
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    out = output()
    for hub in found["hubs"]:
        out.line(hub_line(found["pid"], hub))
        rows = group_rows(hub)
        if rows:
            out.table(("count", "state", "waits on", "longest", "spawned at"), rows, right=9)
        out.line("")
    for lines in found["deadlocks"] or ():
        for line in lines:
            out.line(line, "red")
    return 0


def dump(pid: int, *, all: bool, stacks: bool, locals: bool, as_json: bool) -> int:
    """Print the stacks of the greenlets of process `pid`, those that are equal once. Return the exit status."""
    found, status = ask(pid, {"ask": "snapshot", "all": all, "stacks": stacks, "locals": locals})
    if found is None:
        return status
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    out = output()
    for line in dump_lines(found):
        out.line(line)
    return 0


def ask(pid: int, request: dict[str, object], wait: float = 0.0) -> tuple[Any, int]:
    """Return the answer of process `pid` and 0, or None and the exit status, after a line that says why."""
    try:
        with Target(pid) as target:
            return target.ask(request, wait), 0
    except CannotAsk as error:
        complain(str(error))
        return None, CANNOT
    except Failed as error:
        complain(str(error))
        return None, FAILED
    except Busy as error:
        complain(str(error))
        return None, BUSY


def hub_line(pid: int, hub: dict[str, Any]) -> str:
    """One line about a hub."""
    numbers = hub["statistics"]
    return (
        f"process {pid}, hub {hub['name']!r} on {hub['backend']}: {numbers['parked']:,} parked, "
        f"{numbers['ready']:,} ready, {numbers['deadlines']:,} deadlines, {numbers['fds']:,} fds; "
        f"longest stretch without a poll {numbers['longest']:.3g} s"
    )


def _all(as_json: bool) -> int:
    rows: list[tuple[str, ...]] = []
    found = []
    try:
        present = processes()
    except CannotAsk as error:
        complain(str(error))
        return CANNOT
    for pid in present:
        if pid == os.getpid():
            continue
        try:
            with Target(pid) as target:
                answer = target.ask({"ask": "statistics"})
        except (CannotAsk, Failed, Busy) as error:
            rows.append((str(pid), _program(pid), "-", "-", "-", str(error).partition(":")[0].partition(",")[0]))
            continue
        found.append(answer)
        numbers = [hub["statistics"] for hub in answer["hubs"]]
        rows.append(
            (
                str(pid),
                _program(pid),
                str(len(numbers)),
                f"{sum(each['parked'] + each['ready'] for each in numbers):,}",
                f"{sum(each['switches'] for each in numbers):,}",
                "",
            )
        )
    if as_json:
        print(json.dumps(found, indent=2))
    elif rows:
        output().table(("pid", "program", "hubs", "greenlets", "switches", ""), rows, right=2)
    else:
        output().line("no process that uses hubcore, as far as this user may see")
    return 0


def _program(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            text = file.read().replace(b"\0", b" ").decode(errors="backslashreplace").strip()
    except OSError:
        return "?"
    text = "".join(each if each.isprintable() else " " for each in text)
    return text if len(text) <= 60 else f"{text[:57]}..."
