"""Every code block of the pages runs, or is checked by the program that would read it."""

import pytest

from tests.support.page_runs import OTHERS, Place, check_part, run_program, skip_without, web
from tests.support.pages import all_blocks, indented_blocks, pages
from tests.support.paths import ROOT

BLOCKS = list(all_blocks())
ELSEWHERE = [block for block in BLOCKS if "by" in block.words]
PARTS = [block for block in BLOCKS if "part" in block.words]
HERE = [block for block in BLOCKS if not {"by", "part"} & block.words.keys()]
FILES = [block for block in HERE if "file" in block.words and block.language == "python"]
PROGRAMS = [block for block in HERE if block.language == "python" and "file" not in block.words]
SHOWN = ("text", "html")  # output, drawings and pages: nothing runs
OTHER = [block for block in HERE if block.language not in ("python", *SHOWN) and not block.language.startswith("{")]


def on_backends():
    for block in PROGRAMS:
        for backend in block.words.get("backends", "libev,libuv").split(","):
            yield pytest.param(block, backend, id=f"{block.name}-{backend}")


@pytest.fixture(scope="module")
def site():
    with web() as url:
        yield url


@pytest.mark.parametrize(("block", "backend"), list(on_backends()))
def test_a_program_of_a_page(block, backend, tmp_path, site):
    skip_without(block.all_of("needs"))
    run_program(block, Place(block, tmp_path, site), backend)


@pytest.mark.parametrize("block", OTHER, ids=lambda block: block.name)
def test_commands_and_configurations_are_accepted(block, tmp_path, site):
    assert block.language in OTHERS, f"{block.name}: a block of {block.language!r}; known are python, {sorted(OTHERS)}"
    skip_without(block.words.get("needs", "").split(",") if "needs" in block.words else [])
    OTHERS[block.language](block, Place(block, tmp_path, site))


@pytest.mark.parametrize("block", PARTS, ids=lambda block: block.name)
def test_a_part_of_a_file_is_as_in_the_file(block):
    check_part(block)


@pytest.mark.parametrize("block", ELSEWHERE, ids=lambda block: block.name)
def test_a_block_that_another_test_runs_is_of_a_page_that_the_test_names(block):
    text = (ROOT / block.words["by"]).read_text()
    assert block.page.name in text or block.page.parent.name in text


@pytest.mark.parametrize("block", FILES, ids=lambda block: block.name)
def test_a_file_of_a_page_is_used_by_the_page(block):
    """A program or command below runs the file; the name alone in a sentence would run nothing."""
    below = [each for each in HERE if each.page == block.page and block in each.above]
    module = block.words["file"].removesuffix(".py").replace("/", ".")
    ran = [each for each in below if each.language == "python" or "run" in each.words]
    assert any(module in each.text + each.before + each.after for each in ran), block.name


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_code_of_a_page_stands_in_fences(page):
    assert indented_blocks(page) == []
