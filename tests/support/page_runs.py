"""Runs the code blocks of the pages: programs, commands, and configuration for other programs."""

import configparser
import contextlib
import functools
import importlib.util
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hubcore import cli
from hubcore.testing import Finished
from tests.support.pages import Block, output_matches
from tests.support.paths import ROOT

PLACEHOLDERS = {"[URL|HOST", "...]", "...", "[OPTIONS]"}


class _Site(BaseHTTPRequestHandler):
    """A site of 40 pages; each links to the next three."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        number = int(re.sub(r"\D", "", self.path) or 0)
        links = [f'<a href="/{each}.html">page {each}</a>' for each in range(number + 1, min(number + 4, 40))]
        body = f"<title>page {number}</title>{' '.join(links)}<p>{'text ' * 200}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def web() -> Iterator[str]:
    """The URL of a server for the programs that fetch pages."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def skip_without(needs: list[str]) -> None:
    """Skip the test if a module or program of the list is missing. `/usr/sbin` is looked at, too."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    for need in needs:
        module = need.replace("-", "_")
        if importlib.util.find_spec(module) is None and shutil.which(need, path=path) is None:
            pytest.skip(f"{need} is not installed")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Place:
    """A folder with the files of a page, and what the page's ports and URLs stand for."""

    def __init__(self, block: Block, folder: Path, site: str) -> None:
        self.replaced = dict.fromkeys(block.all_of("web"), site)
        self.replaced |= {port: str(free_port()) for port in block.all_of("port")}
        self.folder = folder
        for name in block.all_of("copy"):
            shutil.copy(ROOT / "docs" / name, folder)
        for name, text in block.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.real(text))

    def real(self, text: str) -> str:
        for shown, real in self.replaced.items():
            text = text.replace(shown, real)
        return text

    def shown(self, text: str) -> str:
        for shown, real in self.replaced.items():
            text = text.replace(real, shown)
        return text

    def environment(self, backend: str | None = None) -> dict[str, str]:
        """The environment: this Python's commands, hubcore from this tree, and the folder's modules."""
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.folder)]), "TERM": "dumb"}
        env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", ""), "/usr/sbin"])
        for name in [name for name in env if name.startswith(("HUB_", "HUBCORE_", "COLUMNS"))]:
            del env[name]
        if backend is not None:
            env["HUB_BACKEND"] = backend
        return env

    def run(self, command: list[str], backend: str | None = None, stderr: bool = False) -> Finished:
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment(backend),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if stderr else subprocess.PIPE,
                text=True,
                timeout=60,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{command} did not end within 60 s: {error.stdout!r} {error.stderr!r}") from None
        return Finished(done.returncode, done.stdout, done.stderr or "")


def run_program(block: Block, place: Place, backend: str) -> None:
    """Run the program that the block is or ends; its status and output have to be what the page says."""
    path = place.folder / "the_program.py"
    path.write_text(place.real(block.program))
    python = [sys.executable, "-X", "faulthandler", "-W", "error::ResourceWarning"]
    command = [*python, str(path)]
    if "patched" in block.words:
        command = [*python, "-m", "hubcore", "run", str(path)]
    elif "pytest" in block.words:
        options = ["-q", "-p", "hubcore.testing.plugin", "-p", "no:cacheprovider", *block.words["pytest"].split(",")]
        command = [*python, "-m", "pytest", *filter(None, options), str(path)]
    done = place.run(command, backend, "stderr" in block.words)
    assert done.status == int(block.words.get("status") or 0), f"{block.name}\n{done.stdout}\n{done.stderr}"
    if block.output is not None:
        output = place.shown(done.stdout)
        assert output_matches(block.output, output), f"{block.name} prints\n{output}\n{done.stderr}"


def check_part(block: Block) -> None:
    """The lines of the block stand in a file of docs/, in their order."""
    file = ROOT / "docs" / block.words["part"]
    lines = [line.strip() for line in file.read_text().splitlines()]
    at = 0
    for line in filter(None, map(str.strip, block.text.splitlines())):
        if line != "...":
            assert line in lines[at:], f"{block.name}: {file} has no line {line!r} behind the lines before"
            at = lines.index(line, at) + 1


def commands(text: str) -> Iterator[str]:
    """The commands of a block: without prompts, output, comments and continued lines."""
    text = text.replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    yield from prompted or lines


def check_command(line: str, where: str) -> None:
    """A command that the page shows: its program is known, and takes these arguments."""
    line = re.split(r"\s{2,}(?=\S)", line.strip())[0] if line.startswith("hubcore") else line
    words = shlex.split(line, comments=True)
    while words and (re.match(r"^[A-Z_]+=", words[0]) or words[0] == "sudo"):
        name = words.pop(0).partition("=")[0]
        if name.startswith(("HUB_", "HUBCORE_")):
            assert name in variables(), f"{where}: there is no variable {name}"
    if not words:
        return
    program = os.path.basename(words[0])
    check = CHECKS.get(program)
    assert check is not None, f"{where}: no check for the command {program!r}; known are {sorted(CHECKS)}"
    check([word for word in words[1:] if word not in PLACEHOLDERS], where)


@functools.lru_cache
def variables() -> set[str]:
    """The variables on the page of settings, which has a test of its own against the code."""
    return set(re.findall(r"\b(?:HUB|HUBCORE)_[A-Z_]+\b", (ROOT / "docs" / "settings.md").read_text()))


def _check_hubcore(words: list[str], where: str) -> None:
    try:
        cli.parse(words)
    except SystemExit as error:
        raise AssertionError(f"{where}: `hubcore {shlex.join(words)}` is refused") from error


def _check_python(words: list[str], where: str) -> None:
    if "-m" in words:
        module = words[words.index("-m") + 1]
        root = module.partition(".")[0]
        known = root in ("pytest", "tests", "benchmarks", "mypkg", "http", "pip", "venv", "package", "myapp")
        assert known or importlib.util.find_spec(module) is not None, f"{where}: no module {module}"


def _check_make(words: list[str], where: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for word in words:
        assert "=" in word or word in targets, f"{where}: make has no target {word}"


def _check_pip(words: list[str], where: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for names in re.findall(r"hubcore\[([\w,-]+)\]", " ".join(words)):
        for name in names.split(","):
            assert name in extras, f"{where}: there is no extra {name}"


def _check_any(words: list[str], where: str) -> None:
    """A program of the system: the page shows how it is called, and nothing of ours can be wrong in it."""


CHECKS: dict[str, Callable[[list[str], str], None]] = {
    "hubcore": _check_hubcore,
    "python": _check_python,
    "make": _check_make,
    "pip": _check_pip,
    **dict.fromkeys(
        ("apt-get", "celery", "curl", "docker", "git", "gunicorn", "kill", "nginx", "socat", "sudo", "systemctl",
         "redis-server", "export", "py-spy", "cd", "pytest"), _check_any
    ),
}  # fmt: skip


def check_commands(block: Block, place: Place) -> None:
    """Each command is accepted; with the word `run` it also runs, and prints what the page says."""
    for line in commands(block.text):
        check_command(line, block.name)
    if "run" not in block.words:
        return
    output = ""
    for line in commands(block.text):
        done = place.run(["bash", "-ec", place.real(line)], stderr="stderr" in block.words)
        output += done.stdout
        wanted = int(block.words.get("status") or 0)
        assert done.status == wanted, f"{block.name}: {line}\n{done.stdout}\n{done.stderr}"
    if block.output is not None:
        shown = place.shown(output)
        assert output_matches(block.output, shown), f"{block.name} prints\n{shown}"


def check_ini(block: Block, place: Place) -> None:
    """A unit of systemd: it parses, and its commands are hubcore's or gunicorn's."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(block.text)
    for section in parser.sections():
        for key, value in parser[section].items():
            if key.startswith("Exec"):
                check_command(value, block.name)


def check_toml(block: Block, place: Place) -> None:
    tomllib.loads(block.text)


def check_json(block: Block, place: Place) -> None:
    json.loads(block.text)


def check_dockerfile(block: Block, place: Place) -> None:
    """The container's command is accepted, and each instruction is one."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        assert word in ("FROM", "WORKDIR", "COPY", "RUN", "CMD", "EXPOSE", "USER", "ENV", "STOPSIGNAL"), line
        if word == "CMD":
            check_command(shlex.join(json.loads(rest)), block.name)
        elif word == "RUN":
            for command in rest.split("&&"):
                check_command(command, block.name)


def check_nginx(block: Block, place: Place) -> None:
    """nginx accepts the configuration, without its TLS, for which there is no certificate."""
    skip_without(["nginx"])
    text = place.real(block.text)
    text = re.sub(r"listen 443 ssl;|http2 on;|ssl_certificate\w* [^;]*;", "", text)
    text = text.replace("server {", f"server {{ listen 127.0.0.1:{free_port()};", 1)
    temporary = "".join(f"{name}_temp_path t; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    whole = f"pid {place.folder}/pid;\nevents {{}}\nhttp {{ access_log off; {temporary}\n{text}\n}}\n"
    (place.folder / "nginx.conf").write_text(whole)
    done = place.run(["nginx", "-t", "-e", "stderr", "-p", str(place.folder), "-c", "nginx.conf"])
    assert done.status == 0, f"{block.name}: {done.stderr}"


#: What is done with a block of each language but Python, whose blocks are programs.
OTHERS: dict[str, Callable[[Block, Place], None]] = {
    "sh": check_commands,
    "console": check_commands,
    "ini": check_ini,
    "toml": check_toml,
    "json": check_json,
    "dockerfile": check_dockerfile,
    "nginx": check_nginx,
}
