"""What the command prints: by `rich` on a terminal where that is installed, else as plain text."""

from __future__ import annotations

import sys
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def complain(text: str) -> None:
    """Say on stderr what is wrong with what the user asked for."""
    print(f"hubcore: {text}", file=sys.stderr)


class Plain:
    """Text without colour or escape codes."""

    def line(self, text: str, style: str = "") -> None:
        """Print one line; `style` is for terminals that can do it."""
        print(text, flush=True)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], right: int) -> None:
        """Print `rows` under `heads`; columns from number `right` on are aligned to the right."""
        cells = [list(heads), *(list(row) for row in rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
        for row in cells:
            parts = [
                cell.rjust(width) if i >= right else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.line("  ".join(parts).rstrip())

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[], None]]:
        """While work on `total` things goes on: call what this gives for each that is done."""
        self.line(f"{label} ...")
        yield _nothing


class Rich(Plain):
    """A terminal, by rich."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(file=sys.stdout, highlight=False)

    def line(self, text: str, style: str = "") -> None:
        """As Plain.line."""
        self.console.print(text, style=style or None, markup=False)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], right: int) -> None:
        """As Plain.table."""
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for i, head in enumerate(heads):
            table.add_column(head, justify="right" if i >= right else "left")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self.console.print(table)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[], None]]:
        """As Plain.progress."""
        from rich.markup import escape
        from rich.progress import Progress

        # Drawn when something happened, not by a thread of rich's: the thread would draw while the hub waits.
        with Progress(console=self.console, auto_refresh=False, transient=True) as progress:
            task = progress.add_task(escape(label), total=total)
            progress.refresh()
            done = 0

            def advance() -> None:
                nonlocal done
                done += 1
                progress.advance(task)
                if done == total or done * 50 // total != (done - 1) * 50 // total:
                    progress.refresh()

            yield advance


def output() -> Plain:
    """What suits stdout."""
    if sys.stdout.isatty():
        try:
            return Rich()
        except ImportError:
            pass
    return Plain()


def _nothing() -> None:
    pass
