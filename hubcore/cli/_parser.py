"""The parser of the commands: an error is one line that says what would be right."""

from __future__ import annotations

import argparse
from difflib import get_close_matches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """An ArgumentParser without abbreviations of options, whose errors are one line."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords | {"allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        """End the process with status 2 and `message` on stderr."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())} (see {self.prog} --help)\n")

    def refuse(self, unknown: Sequence[str], options: Iterable[str] | None = None) -> NoReturn:
        """End the process because of the arguments `unknown`; name the option of this parser that the first is like."""
        text = f"unrecognized arguments: {' '.join(unknown)}"
        known = sorted(self._option_string_actions if options is None else options)
        like = get_close_matches(unknown[0].partition("=")[0], known, 1) if unknown[0].startswith("-") else []
        self.error(f"{text}; did you mean {like[0]}?" if like else text)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See ArgumentParser.parse_args."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.refuse(unknown)
        return options


def positive(rule: str) -> Callable[[str], int]:
    """Return a `type` of arguments: a whole number of 1 or more. The error begins with `rule`, which says so."""

    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise argparse.ArgumentTypeError(f"{rule}, not {text!r}")
        return int(text)

    return number
