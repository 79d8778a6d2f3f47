"""The programs in README.md and docs/ do what the text says, and the files and commands that it names exist."""

import re

import pytest

import hubcore
from hubcore import cli
from hubcore.testing import run_python
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("backend", ["libev", "libuv"])
def test_the_first_program(backend):
    check = "\nassert hubcore.get_hub().backend == " + repr(backend)
    first, second, third = eval(run_python(PROGRAMS[0] + check, backend).stdout)
    assert (first, second) == ("127.0.0.1", "127.0.0.1")
    assert third is None or re.fullmatch(r"[\d.]+", third)  # a machine may not know its own name


@pytest.mark.parametrize("backend", ["libev", "libuv"])
def test_the_server(backend):
    assert "8007" in PROGRAMS[1]
    program = PROGRAMS[1].replace("8007", "0").replace("StreamServer((", "server = StreamServer((")
    program = program.replace(".serve_forever()", "")
    client = """
import hubcore
from hubcore import cli
from hubcore import socket
serving = hubcore.spawn(server.serve_forever)
hubcore.sleep(0)
client = socket.create_connection(server.address)
client.sendall(b"hello")
print(client.recv(100))
client.close()
server.stop()
serving.get()
"""
    assert run_python(program + client, backend).stdout == "b'hello'\n"


@pytest.mark.parametrize("backend", ["libev", "libuv"])
def test_the_group_and_its_queue(backend):
    assert run_python(PROGRAMS[2], backend).stdout == "3 pages; in time\n"


def test_what_it_names_is_there():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in re.findall(r"`?make ([a-z-]+)`?", README):
        assert command in targets
    for path in re.findall(r"\]\(([^):]+)\)", README):
        assert (ROOT / path).exists(), path
    assert (ROOT / "hubcore/backends/select_.py").exists()
    assert f"## {hubcore.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def programs_with_output(page):
    """The programs of a page of docs/, each with the indented block behind it: what it prints."""
    found = re.findall(r"```python\n(.*?)```\n\n((?: {4}[^\n]*\n)+)", (ROOT / "docs" / page).read_text(), re.DOTALL)
    return [(program, output.replace("    ", "")) for program, output in found]


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("backend", ["libev", "libuv", "virtual"])
def test_the_programs_about_channels(backend, number):
    program, output = programs_with_output("channels.md")[number]
    assert run_python(program, backend).stdout == output


@pytest.mark.parametrize("backend", ["libev", "libuv"])
def test_the_program_that_patches(backend):
    ((program, output),) = programs_with_output("monkey.md")
    assert run_python(program, backend).stdout == output


def test_the_commands_that_are_shown_are_accepted():
    text = README + (ROOT / "docs" / "monkey.md").read_text()
    lines = re.findall(r"^    hubcore (.*)$", text, re.MULTILINE)
    commands = [line.split("  ")[0].split() for line in lines]
    assert len(commands) > 10
    for command in commands:
        words = [word for word in command if word not in ("[URL|HOST", "...]", "...")]
        assert cli.parse(words)[0].command == command[0]
