"""The pages: README.md, CONTRIBUTING.md, docs/**/*.md. Reads their code blocks, and what the page says of their tests.

A comment of HTML before a block, which no reader sees, holds words for the test and, below them, Python code that runs
before the block and, after a line `...`, behind it:

    <!-- test: needs=requests web=https://example.org
    urls = ["https://example.org"]
    ...
    assert pages == 1
    -->

    continues     the program goes on with the Python blocks above it, back to the last one without this word
    file=NAME     the block is the content of a file that later blocks of the page use
    part=FILE     the lines stand in that file of docs/, in this order; a line `...` leaves some out
    by=TEST       that test runs the block
    needs=A,B     modules or programs without which the block is skipped
    backends=A,B  instead of libev and libuv
    patched       `hubcore run` starts the program
    status=N      the exit status
    port=N        the number stands for a free port
    web=URL       the URL stands for that of a server which the test runs
    copy=FILE     this file of docs/ lies beside the block's program or commands
    pytest=ARGS   pytest runs the program, with these arguments
    run           a block of commands is run, and not only checked
    stderr        what a command or program writes to stderr is part of its output

A block ```text right behind a program or a command is its output; `...` in it stands for any text.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT

WORDS = {
    "continues",
    "file",
    "part",
    "by",
    "needs",
    "backends",
    "patched",
    "status",
    "port",
    "web",
    "copy",
    "pytest",
    "run",
    "stderr",
}
_COMMENT = re.compile(r"<!-- test:(.*?)-->\s*\Z", re.DOTALL)
_FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)(?P=ticks)\n", re.M | re.S
)


class Block(NamedTuple):
    """A code block of a page."""

    page: Path
    line: int
    language: str
    text: str
    words: dict[str, str]
    before: str
    after: str
    output: str | None
    above: tuple["Block", ...]

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def program(self) -> str:
        """The whole program that the block is or ends: what is hidden around its parts, too."""
        parts = [self]
        if "continues" in self.words:
            for block in reversed(self.above):
                if block.language == "python" and not {"file", "part", "by"} & block.words.keys():
                    parts.insert(0, block)
                    if "continues" not in block.words:
                        break
        return "\n".join(part.before + part.text for part in parts) + "\n" + self.after

    @property
    def files(self) -> dict[str, str]:
        """The files of the page up to this block, by name."""
        return {block.words["file"]: block.text for block in (*self.above, self) if "file" in block.words}

    def all_of(self, word: str) -> list[str]:
        """What this block and those above say by `word`."""
        found = (block.words[word] for block in (*self.above, self) if word in block.words)
        return list(dict.fromkeys(each for value in found for each in value.split(",")))


def pages() -> list[Path]:
    named = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
    named += sorted((ROOT / "examples").rglob("README.md"))
    return named + [path for path in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in path.parts]


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    found: list[Block] = []
    end = 0
    for fence in _FENCE.finditer(text):
        between, end = text[end : fence.start()], fence.end()
        body = textwrap.dedent(fence["text"])
        language = fence["language"].strip()
        line = text.count("\n", 0, fence.start()) + 1
        if language == "text" and found and not between.strip() and found[-1].output is None:
            found[-1] = found[-1]._replace(output=body)
            continue
        words, before, after = _hidden(between, f"{page}:{line}")
        found.append(Block(page, line, language, body, words, before, after, None, tuple(found)))
    return found


def _hidden(between: str, where: str) -> tuple[dict[str, str], str, str]:
    comment = _COMMENT.search(between)
    if comment is None:
        return {}, "", ""
    first, _, code = comment[1].partition("\n")
    words = dict(word.partition("=")[::2] for word in first.split())
    unknown = words.keys() - WORDS
    assert not unknown, f"{where}: a test comment has {sorted(unknown)}; the words are {sorted(WORDS)}"
    before, _, after = f"\n{code.rstrip()}\n".partition("\n...\n")
    return words, before.strip("\n") + "\n", after


def all_blocks() -> Iterator[Block]:
    for page in pages():
        yield from blocks_of(page)


def indented_blocks(page: Path) -> list[int]:
    """The lines of a page on which a code block by indentation begins."""
    text = re.sub(r"<!--.*?-->", lambda each: "\n" * each[0].count("\n"), page.read_text(), flags=re.DOTALL)
    text = _FENCE.sub(lambda each: "```\n" + "\n" * (each[0].count("\n") - 1), text)
    found, blank, item = [], True, False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("    ") and line.strip():
            if blank and not item:
                found.append(number)
        elif line.strip():
            item = bool(re.match(r" {0,3}([-*+]|\d+\.) ", line)) or (item and line.startswith(" "))
        blank = not line.strip()
    return found


def output_matches(expected: str, output: str) -> bool:
    """Whether the output is the expected one, where `...` stands for any text."""
    pattern = re.escape(expected.rstrip()).replace(re.escape("..."), ".*?")
    return re.fullmatch(pattern, output.rstrip(), re.DOTALL) is not None
