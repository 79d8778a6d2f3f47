"""The command's output: with `rich` on a terminal if it is installed, else plain text. Progress goes to stderr."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_FRAME = 3  # characters of a rich table around each cell
_UNLIMITED = 500


def complain(text: str) -> None:
    """Print `text` on stderr as an error of the command."""
    print(f"hubcore: {text}", file=sys.stderr)


class Plain:
    """Text without colour or escape codes."""

    def line(self, text: str, style: str = "") -> None:
        """Print one line; only terminals show the `style`."""
        print(text, flush=True)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], right: int) -> None:
        """Print `rows` under `heads`; columns from index `right` on are aligned to the right.

        A terminal that is too narrow gets one line for each cell.
        """
        cells = [list(heads), *(list(row) for row in rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
        if sum(widths) + self._frame(len(widths)) > width_of_stdout():
            for row in rows:
                self.line(row[0], "bold")
                for head, cell in zip(heads[1:], row[1:], strict=True):
                    self.line(f"  {head}: {cell}")
            return
        self._table(cells, widths, right)

    def _frame(self, columns: int) -> int:
        return 2 * (columns - 1)

    def _table(self, cells: Sequence[Sequence[str]], widths: Sequence[int], right: int) -> None:
        for row in cells:
            parts = [
                cell.rjust(width) if i >= right else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.line("  ".join(parts).rstrip())

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[], None]]:
        """Show the progress of `total` steps; the block receives a function to call after each step."""
        print(f"{label} ...", file=sys.stderr, flush=True)
        yield _nothing


class Rich(Plain):
    """A terminal, through rich."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(file=sys.stdout, highlight=False, width=width_of_stdout())
        self.progress_console = Console(file=sys.stderr, highlight=False)

    def line(self, text: str, style: str = "") -> None:
        """See Plain.line."""
        self.console.print(text, style=style or None, markup=False)

    def _frame(self, columns: int) -> int:
        return _FRAME * columns + 1

    def _table(self, cells: Sequence[Sequence[str]], widths: Sequence[int], right: int) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for i, head in enumerate(cells[0]):
            table.add_column(head, justify="right" if i >= right else "left")
        for row in cells[1:]:
            table.add_row(*(Text(cell) for cell in row))
        self.console.print(table)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[], None]]:
        """See Plain.progress."""
        from rich.markup import escape
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        if not sys.stderr.isatty():
            with super().progress(label, total) as advance_nothing:
                yield advance_nothing
            return
        # Draw after each step, without rich's refresh thread: that thread would draw while the hub waits.
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        with Progress(*columns, console=self.progress_console, auto_refresh=False, transient=True) as progress:
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
    """Return the output that suits stdout; FORCE_COLOR asks for colour where stdout is no terminal, too."""
    if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
        try:
            return Rich()
        except ImportError:
            pass
    return Plain()


def width_of_stdout() -> int:
    """Return the columns of the terminal that stdout is; many if it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _UNLIMITED


def _nothing() -> None:
    pass
