"""The command lines of the launchers: options of their own, then a program whose arguments are not theirs.

The launchers take the command line apart themselves, by python's own rules. argparse would look for its options, and
for abbreviations of them, among the program's arguments as well.
"""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

#: By the option that introduces it, what the program is.
_KINDS = {"-m": "module", "--module": "module", "-c": "code"}


class Program(NamedTuple):
    """A program: `words` are its file, module or code, and its arguments; `kind` is "script", "module" or "code"."""

    kind: str
    words: list[str]


def split(arguments: Sequence[str], valued: Collection[str]) -> tuple[list[str], Program | None]:
    """Return the launcher's own options, and the program; None if there is none. `valued` are options with a value."""
    given = list(arguments)
    at = 0
    while at < len(given):
        word = given[at]
        option, separator, value = word.partition("=")
        if word == "--":
            return given[:at], _script(given[at + 1 :])
        if word in _KINDS:
            return given[:at], Program(_KINDS[word], given[at + 1 :])
        if option in _KINDS and option.startswith("--") and separator:
            return given[:at], Program(_KINDS[option], [value, *given[at + 1 :]])
        if word[:2] in _KINDS:
            return given[:at], Program(_KINDS[word[:2]], [word[2:], *given[at + 1 :]])
        if not word.startswith("-") or word == "-":
            return given[:at], _script(given[at:])
        at += 2 if word in valued else 1
    return given, None


def _script(words: list[str]) -> Program | None:
    return Program("script", words) if words else None


def missing(program: Program | None) -> str:
    """Return what is wrong if the command line names no program, and what would be right; "" if it names one."""
    if program is None:
        return "no program given; give a script, -m and a module, or -c and code"
    if program.words:
        return ""
    return "-m needs the name of a module" if program.kind == "module" else "-c needs the program's code"
