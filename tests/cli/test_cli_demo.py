"""`hubcore demo`."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

from hubcore.cli.demo import choose, sort_out
from hubcore.exceptions import BackendUnavailable
from tests.cli.test_cli import command, on_a_terminal
from tests.support.paths import ROOT

BACKENDS = ("libev", "libuv", "select", "virtual")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404 if "missing" in self.path else 200)
        self.end_headers()
        self.wfile.write(b"page")

    def log_message(self, *args):
        pass


@pytest.fixture
def url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def rows(text):
    """The table's lines, split at runs of spaces, by backend."""
    lines = (re.split(r"\s{2,}", line) for line in text.splitlines())
    return {parts[0]: parts[1:] for parts in lines if len(parts) in (5, 6, 7) and parts[0] in BACKENDS}


@pytest.mark.parametrize("without_rich", [False, True])
def test_both_native_backends_fetch_and_resolve(without_rich):
    for _ in range(3):
        text, error = command("demo", "--pages", "5", without_rich=without_rich)
        assert error.splitlines()[0] == "libev: 5 pages concurrently ..."  # progress is for stderr
        assert "\x1b" not in text + error
        found = rows(text)
        assert set(found) == {"libev", "libuv"}
        for pages, names, seconds, one_by_one, _ in found.values():
            assert pages == "5 of 5"
            assert re.fullmatch(r"[23] of 3", names)  # a machine may not know its own name
            # Each page takes 0.1 s, so five in a row cannot take less than 0.5 s.
            assert float(seconds.removesuffix(" s")) >= 0.1
            assert float(one_by_one.removesuffix(" s")) >= 0.5
        speed_ups = [float(row[4].removesuffix(" x")) for row in found.values()]
        if min(speed_ups) > 1:  # five at once take less, unless the machine has just then no time for them
            break
    assert min(speed_ups) > 1


def test_more_pages_than_are_fetched_one_by_one_are_extrapolated():
    text, _ = command("demo", "--pages", "40", "--backend", "libev")
    assert "20 one by one" in text
    (row,) = rows(text).values()
    assert row[4].startswith("about ")


def test_urls_and_names_of_ones_own(url):
    text, _ = command("demo", f"{url}/one", f"{url}/two?x=1", "localhost", "--backend", "libuv")
    (row,) = rows(text).values()
    assert row[:2] == ["10 of 10", "1 of 1"]


def test_one_url_is_fetched_as_often_as_shows_something_and_one_page_is_not_compared(url):
    text, _ = command("demo", url, "localhost", "--backend", "libev")
    assert rows(text)["libev"][0] == "10 of 10"
    assert "speed-up" in text
    text, _ = command("demo", url, "localhost", "--backend", "libev", "--pages", "1")
    assert rows(text)["libev"][0] == "1 of 1"
    assert text.startswith(f"1 page of {url}, ")
    assert "speed-up" not in text
    assert "--pages 20" in text


def test_json(url):
    text, error = command("demo", url, "localhost", "--backend", "libev,libuv", "--json")
    found = json.loads(text)
    assert [(one["backend"], one["fetched"], one["page_failures"]) for one in found] == [
        ("libev", 10, []),
        ("libuv", 10, []),
    ]
    assert "libuv: 10 pages concurrently" in error


def test_pages_by_https(url, tmp_path):
    authority = trustme.CA()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    page = f"https://127.0.0.1:{server.server_port}/"
    try:
        text, _ = command("demo", page, "localhost", "--backend", "libev,libuv", SSL_CERT_FILE=str(tmp_path / "ca.pem"))
        assert {name: row[0] for name, row in rows(text).items()} == {"libev": "10 of 10", "libuv": "10 of 10"}
        text, _ = command("demo", page, "localhost", "--backend", "libev", status=1)
        assert "certificate verify failed" in text
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_ends_with_the_lines_that_it_ran_and_with_what_to_try_next():
    text, _ = command("demo", "--pages", "2", "--backend", "libev")
    shown = text.partition("blocking functions:\n\n")[2].partition("\n\n")[0]
    names = {}
    exec(textwrap.dedent(shown), names)
    called = []
    names["concurrently"](called.append, "abc", called.append, "de", 2)
    assert sorted(called) == ["a", "b", "c", "d", "e"]
    assert len(shown.splitlines()) == 8
    for line in ("hubcore run your_program.py", "hubcore doctor your_program.py", "hubcore demo https://"):
        assert f"  {line}" in text


def test_a_page_that_cannot_be_fetched_is_shown_and_status_1(url):
    text, error = command(
        "demo", url, f"{url}/missing", "http://127.0.0.1:1/", "--backend", "libev", "--pages", "3", status=1
    )
    assert "failed" not in error
    assert rows(text)["libev"][0] == "1 of 3"
    assert text.count("page failed: ") == 2  # each once, although each was fetched twice
    assert f"page failed: {url}/missing: 404 Not Found (2 times)" in text
    assert "page failed: http://127.0.0.1:1/: [Errno 111] Connection refused (2 times)" in text


def test_a_given_name_that_nobody_has_is_shown_and_fails_the_demo_but_not_its_pages():
    text, _ = command("demo", "nowhere.invalid", "a" * 70, "--pages", "1", "--backend", "libev", status=1)
    assert rows(text)["libev"][1] == "0 of 2"
    assert "name failed: nowhere.invalid: " in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ftp://localhost/",), "only http:// and https://"),
        (("http:///path",), "no host"),
        (("http://localhost:port/",), "http://localhost:port/"),
        (("not a name",), "neither"),
        (("",), "neither"),
        (("--backend", "nowhere"), "'nowhere'"),
        (("--backend", "libev,nowhere"), "'nowhere'"),
        (("--backend", ","), "names no backend"),
        (("--pages", "0"), "1 or more"),
        (("--pages", "many"), "'many'"),
        (("--pages", "-3"), "1 or more"),
    ],
)
def test_bad_input_is_status_2_and_one_clear_line(arguments, words):
    out, error = command("demo", *arguments, status=2)
    assert out == ""
    assert words in error.splitlines()[-1]
    assert "Traceback" not in error


def test_without_a_native_backend_it_says_why_and_runs_on_select():
    text, error = command("demo", "--pages", "2", HUBCORE_PURE="1")
    assert error.startswith("hubcore: no native backend is available, so the demo runs on select")
    assert "HUBCORE_PURE=1" in error.splitlines()[0]
    assert rows(text)["select"][0] == "2 of 2"


def test_a_narrow_terminal_gets_lines_in_place_of_a_table_that_is_cut():
    for without_rich in (False, True):
        text = on_a_terminal("demo", "--pages", "3", "--backend", "libev", without_rich=without_rich, columns=50)
        assert "  pages: 3 of 3" in text
        assert "…" not in text


def test_few_file_descriptors_are_enough():
    text, _ = command_with_few_fds("demo", "--pages", "60", "--backend", "libev")
    assert rows(text)["libev"][0] == "60 of 60"


def command_with_few_fds(*arguments):
    code = f"ulimit -n 100; exec {sys.executable} -m hubcore {' '.join(arguments)}"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("without_rich", [False, True])
def test_on_a_terminal(without_rich):
    text = on_a_terminal("demo", "--pages", "3", "--backend", "libev", without_rich=without_rich)
    assert "3 of 3" in text
    assert ("\x1b" in text) is not without_rich


def wait_until_it_sleeps(pid):
    """http.client has no defence against a KeyboardInterrupt in the middle of making an HTTPResponse."""
    for _ in range(3000 if os.path.exists("/proc/self/stat") else 0):
        with open(f"/proc/{pid}/stat") as file:
            if file.read().rpartition(")")[2].split()[0] == "S":
                return
        time.sleep(0.01)


def test_ctrl_c_ends_it_with_130_and_no_traceback():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-m", "hubcore", "demo", address, "--backend", "libev"],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        connection, _ = silent.accept()
        with connection:
            while not connection.recv(65536).endswith(b"\r\n\r\n"):
                pass
            wait_until_it_sleeps(process.pid)  # it waits for an answer now
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in error


def test_targets_are_sorted_out():
    urls, hosts = sort_out(["http://a.example/x", "b.example", "HTTP://c.example", "::1", "192.0.2.1"])
    assert urls == ["http://a.example/x", "HTTP://c.example"]
    assert hosts == ["b.example", "::1", "192.0.2.1"]


def test_backends_asked_for_all_have_to_be_there():
    assert choose("select, virtual") == ["select", "virtual"]
    with pytest.raises(BackendUnavailable):
        choose("select,nowhere")
