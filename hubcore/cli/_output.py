"""The command's output: with `rich` on a terminal if it is installed, else plain text."""

from __future__ import annotations

import sys
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def complain(text: str) -> None:
    """Print `text` on stderr as an error of the command."""
    print(f"hubcore: {text}", file=sys.stderr)


class Plain:
    """Text without colour or escape codes."""

    def line(self, text: str, style: str = "") -> None:
        """Print one line; only terminals show the `style`."""
        print(text, flush=True)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], right: int) -> None:
        """Print `rows` under `heads`; columns from index `right` on are aligned to the right."""
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
        """Show the progress of `total` steps; the block receives a function to call after each step."""
        self.line(f"{label} ...")
        yield _nothing


class Rich(Plain):
    """A terminal, through rich."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(file=sys.stdout, highlight=False)

    def line(self, text: str, style: str = "") -> None:
        """See Plain.line."""
        self.console.print(text, style=style or None, markup=False)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], right: int) -> None:
        """See Plain.table."""
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
        """See Plain.progress."""
        from rich.markup import escape
        from rich.progress import Progress

        # Draw after each step, without rich's refresh thread: that thread would draw while the hub waits.
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
    """Return the output that suits stdout."""
    if sys.stdout.isatty():
        try:
            return Rich()
        except ImportError:
            pass
    return Plain()


def _nothing() -> None:
    pass
