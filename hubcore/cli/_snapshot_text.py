"""A snapshot as text, for `hubcore ps` and `hubcore dump`."""

from __future__ import annotations

import linecache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST = 300


def group_rows(hub: dict[str, Any]) -> list[tuple[str, ...]]:
    """The groups of a hub as rows: count, state, wait, the longest wait, place of spawn."""
    rows: list[tuple[str, ...]] = []
    for each in hub["greenlets"]:
        count = each["count"] + each.get("stacks_not_read", 0)
        rows.append((f"{count:,}", each["state"], _wait(each), _seconds(each), _site(each)))
    return rows


def dump_lines(found: dict[str, Any]) -> list[str]:
    """The whole snapshot as lines."""
    lines = [f"process {found['pid']}: {_plain(found['program'])}"]
    lines.append(f"Python {found['python']}, hubcore {found['hubcore']}")
    for hub in found["hubs"]:
        lines += ["", f"hub {hub['name']!r} on {hub['backend']}, thread {hub['thread']:#x}"]
        for each in hub["greenlets"]:
            lines += _entry_lines(each)
    for thread in found["threads"]:
        idle = ", which serves hubcore and is idle" if thread["idle"] else ""
        lines += ["", f"thread {thread['name']!r} without a hub{idle}"]
        if not idle:
            lines += _stack_lines(thread["stack"])
    if found["deadlocks"] is None:
        lines += ["", "deadlocks: not searched for among so many greenlets"]
    for deadlock in found["deadlocks"] or ():
        lines += ["", *map(_plain, deadlock)]
    return lines


def _entry_lines(each: dict[str, Any]) -> list[str]:
    count = each["count"]
    who = f"{count:,} greenlets" if count > 1 else f"greenlet {_plain(each['name'])} (id {each['id']})"
    head = f"{who} {each['state']}"
    if each["waiting_on"] is not None:
        head += f" on {_wait(each)} for {_seconds(each)}"
    if each["spawned_at"] is not None:
        head += f", spawned at {_site(each)}"
    lines = ["", head]
    if count > 1:
        names = ", ".join(f"{_plain(one['name'])} (id {one['id']})" for one in each.get("longest", ()))
        lines.append(f"  longest: {names}")
    lines += _stack_lines(each["stack"])
    for variables in each.get("locals", ()):
        lines += [f"    {name} = {_plain(value)}" for name, value in variables.items()]
    if each.get("stacks_not_read"):
        lines.append(f"  and {each['stacks_not_read']:,} more of the same kind, whose stacks were not read")
    return lines


def _stack_lines(stack: list[dict[str, Any]]) -> list[str]:
    lines = []
    for call in stack:
        lines.append(f'  File "{_plain(call["file"])}", line {call["line"]}, in {_plain(call["function"])}')
        source = linecache.getline(call["file"], call["line"]).strip()
        if source:
            lines.append(f"    {source}")
    return lines


def _wait(each: dict[str, Any]) -> str:
    if each["waiting_on"] is None:
        return ""
    one = each["count"] + each.get("stacks_not_read", 0) == 1
    return _plain(each["waiting_on"]["text" if one or each["waiting_on"]["owner"] else "kind"])


def _seconds(each: dict[str, Any]) -> str:
    return "" if each["seconds"] is None else f"{each['seconds']:.3g} s"


def _site(each: dict[str, Any]) -> str:
    site = each["spawned_at"]
    return "" if site is None else _plain(f"{site['function']} ({site['file']}:{site['line']})")


def _plain(text: str) -> str:
    """`text` without characters that would change the terminal, and not longer than 300."""
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
