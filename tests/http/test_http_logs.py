"""Access logs: formats, what clients cannot do to them, where they go, when they are written."""

import json
import logging
import os
import re
from datetime import datetime

import pytest

from hubcore import sleep
from hubcore.hub import get_hub
from hubcore.pywsgi import LoggingLogAdapter, WSGIServer
from hubcore.testing import run_python, settle
from tests.http import seam
from tests.http.support import Client, Stream, get, hello, post, serving

pytestmark = pytest.mark.usefixtures("hub")

FIELDS = ('Referer: http://from/"a"', "User-Agent: tester/1.0 \\ \xe9", "Authorization: Basic bWU6c2VjcmV0")


def logged(*requests, app=hello, **settings):
    """What is logged of these requests, which come on one connection."""
    log = Stream()
    with serving(app, log=log, validate=False, expect_errors=True, **settings) as server, Client(server) as client:
        client.send(b"".join(requests)).end()
        client.rest()
    return log.text


# -- formats

STAMP = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"


def test_the_default_is_the_combined_format_and_the_time_taken():
    line = logged(get("/a?b", *FIELDS))
    right = (
        r"127\.0\.0\.1 - me "
        + STAMP
        + r' "GET /a\?b HTTP/1\.1" 200 5 "http://from/\\"a\\"" "tester/1\.0 \\\\ \\xe9" \d+\.\d{6}\n'
    )
    assert re.fullmatch(right, line)


def test_what_is_not_there_is_a_dash():
    line = logged(get(method="HEAD"))
    assert re.fullmatch(r"127\.0\.0\.1 - - " + STAMP + r' "HEAD / HTTP/1\.1" 200 - "-" "-" \d+\.\d{6}\n', line)


def test_combined_written_out_is_the_same_as_by_its_atoms():
    from hubcore._http.accesslog import COMBINED

    for request in (get("/a?b", *FIELDS), get(method="HEAD"), b"BAD\r\n\r\n", post(b"x" * 10)):
        lines = [re.sub(r"\d+\.\d{6}\n", "", logged(request, log_format=each)) for each in ("combined", COMBINED)]
        assert lines[0] == lines[1] != ""


def test_the_common_format():
    assert re.fullmatch(
        r"127\.0\.0\.1 - - " + STAMP + r' "GET / HTTP/1\.1" 200 5\n', logged(get(), log_format="common")
    )


def test_json_has_one_object_for_each_request():
    text = logged(get("/a?b=%20", *FIELDS, "X-Request-ID: 17"), get("/c"), log_format="json")
    first, second = map(json.loads, text.splitlines())
    assert datetime.fromisoformat(first.pop("time")).tzinfo is not None
    assert first.pop("duration_ms") >= 0
    assert first == {
        "remote": "127.0.0.1", "method": "GET", "path": "/a", "query": "b=%20", "protocol": "HTTP/1.1", "status": 200,
        "bytes": 5, "referer": 'http://from/"a"', "user_agent": "tester/1.0 \\ \xe9", "request_id": "17",
    }  # fmt: skip
    assert "request_id" not in second
    assert (second["path"], second["query"]) == ("/c", "")


def test_gunicorns_atoms():
    def app(environ, start_response):
        environ["OWN"] = "mine"
        start_response("201 Made", [("Content-Type", "text/plain"), ("X-Out", "out")])
        return [b"hello"]

    atoms = "%(h)s|%(l)s|%(u)s|%(r)s|%(m)s|%(U)s|%(q)s|%(H)s|%(s)s|%(st)s|%(B)s|%(b)s|%(f)s|%(a)s|%(p)s"
    atoms += "|%({x-in}i)s|%({content-length}i)s|%({X-Out}o)s|%({none}o)s|%({OWN}e)s|%({none}i)s|100%%"
    line = logged(post(b"hi", *FIELDS, "X-In: in", path="/a?b"), app=app, log_format=atoms)
    assert line.rstrip("\n").split("|") == [
        "127.0.0.1", "-", "me", "POST /a?b HTTP/1.1", "POST", "/a", "b", "HTTP/1.1", "201", "201 Made", "5", "5",
        'http://from/\\"a\\"', "tester/1.0 \\\\ \\xe9", f"<{os.getpid()}>", "in", "2", "out", "-", "mine", "-", "100%",
    ]  # fmt: skip
    seconds = logged(get(), log_format="%(T)s|%(M)s|%(D)s|%(L)s|%(t)s")
    assert re.fullmatch(r"\d+\|\d+\|\d+\|\d+\.\d{6}\|" + STAMP + r"\n", seconds)


def test_a_function_of_the_request():
    def line(request):
        return f"{request.command} {request.path} {request.code} {request.response_length} {request.aborted}"

    assert logged(get("/a"), log_format=line) == "GET /a 200 5 False\n"


# -- what is counted, and what is told


def test_bytes_are_those_of_the_body_that_were_sent():
    for result, size in (([b"a" * 100], 100), (iter([b"a" * 60, b"b" * 40]), 100), ([], "-")):

        def app(environ, start_response, result=result):
            start_response("200 OK", [])
            return result

        assert logged(get(), app=app, log_format="%(b)s") == f"{size}\n"


def test_each_request_has_one_line_whatever_it_contained():
    text = logged(
        get("/" + '%0a%0d"\\'),
        get("/b", "User-Agent: \x9b31m\xe9"),
        b"G\nET / HTTP/1.1\r\n\r\n",
        log_format="%(r)s|%(a)s|%(s)s",
    )
    assert text.splitlines() == [
        r"GET /%0a%0d\"\\ HTTP/1.1|-|200",
        r"GET /b HTTP/1.1|\x9b31m\xe9|200",
        r"G\nET / HTTP/1.1|-|400",
    ]
    assert text.isascii()


def test_refused_requests_have_a_line():
    assert logged(b"GET / HTTP/3.0\r\n\r\n", log_format="%(h)s %(r)s %(s)s") == "127.0.0.1 GET / HTTP/3.0 505\n"
    line = json.loads(logged(b"GET / HTTP/3.0\r\n\r\n", log_format="json"))
    assert (line["status"], line["bytes"]) == (505, len("HTTP Version Not Supported\n"))


def test_failures_have_a_line():
    assert logged(get(), app=lambda *args: 1 / 0, log_format="%(s)s %(b)s") == "500 22\n"


def test_a_response_that_broke_off_says_so():
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"begun"
        raise ValueError

    line = json.loads(logged(get(), app=app, log_format="json"))
    assert (line["status"], line["bytes"], line["aborted"]) == (200, 5, True)


def test_a_request_that_is_killed_has_a_line():
    def app(environ, start_response):
        sleep(1e9)

    log = Stream()
    server = WSGIServer(("127.0.0.1", 0), app, log=log, log_format="%(r)s %(s)s", graceful_timeout=0.01)
    server.start()
    with Client(server) as client:
        client.send(get("/slow"))
        while not server.statistics["requests"]:
            sleep(0.001)
        server.stop()
    assert log.text == "GET /slow HTTP/1.1 -\n"


def test_a_clients_reset_is_no_traceback():
    def app(environ, start_response):
        start_response("200 OK", [])
        while True:
            yield b"x" * 65536

    log, errors = Stream(), Stream()
    with serving(app, validate=False, log=log, error_log=errors, log_format="json") as server, Client(server) as client:
        client.send(get())
        client.more()
        client.close()
        while not server.statistics["resets"]:
            sleep(0.001)
    assert errors.text == ""
    assert json.loads(log.text)["aborted"] is True


# -- where they go


def test_none_is_no_log():
    with serving(log=None) as server, Client(server) as client:
        assert server.log is None
        client.ask(get())


def test_a_logger_gets_records_with_the_fields(caplog):
    caplog.set_level(logging.INFO, "tests.access")
    with serving(log=logging.getLogger("tests.access"), log_format="%(r)s %(s)s") as server, Client(server) as client:
        assert isinstance(server.log, LoggingLogAdapter)
        client.ask(get("/a?b"))
    (record,) = [record for record in caplog.records if record.name == "tests.access"]
    assert (record.message, record.levelname) == ("GET /a?b HTTP/1.1 200", "INFO")
    assert (record.http_path, record.http_status, record.http_bytes) == ("/a", 200, 5)


def test_an_adapter_is_a_stream_of_a_logger(caplog):
    caplog.set_level(logging.DEBUG, "tests.adapter")
    adapter = LoggingLogAdapter(logging.getLogger("tests.adapter"), logging.WARNING)
    adapter.write("one\n")
    adapter.writelines(["two\n", "three"])
    adapter.flush()
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", each) for each in ("one", "two", "three")
    ]
    assert adapter.name == "tests.adapter"
    assert "level 30" in repr(adapter)


def test_errors_go_to_a_logger(caplog):
    with serving(
        lambda *args: 1 / 0, validate=False, error_log=logging.getLogger("tests.error"), expect_errors=True
    ) as server:
        with Client(server) as client:
            assert client.ask(get()).status == 500
    (record,) = [record for record in caplog.records if record.name == "tests.error"]
    assert record.levelname == "ERROR"
    assert "ZeroDivisionError" in record.message


def test_lines_of_a_turn_are_written_at_once():
    writes = []

    class Log(Stream):
        def write(self, text):
            writes.append(text)
            super().write(text)

    log = Log()
    with serving(log=log, log_format="%(U)s") as server, Client(server) as client:
        client.send(b"".join(get(f"/{i}") for i in range(10)))
        for _ in range(10):
            client.response()
        settle(get_hub())
        assert log.lines == [f"/{i}" for i in range(10)]
    assert len(writes) < 10


def test_a_stream_is_flushed_within_a_second(hub_backend):
    class Log(Stream):
        flushed = 0

        def flush(self):
            self.flushed += 1

    log = Log()
    with serving(log=log) as server, Client(server) as client:
        for _ in range(3):
            client.ask(get())
        settle(get_hub())
        while not log.flushed:
            sleep(0.05)
        assert log.flushed == 1
        client.ask(get())
    assert log.flushed == 2  # the server's end does not wait


def test_a_stream_that_fails_harms_no_request(capsys):
    class Full(Stream):
        def write(self, text):
            raise OSError(28, "No space left on device")

    with serving(log=Full()) as server, Client(server) as client:
        for _ in range(3):
            assert client.ask(get()).status == 200
        settle(get_hub())
    assert "cannot write to the access log: [Errno 28] No space left on device" in capsys.readouterr().err


def test_the_default_is_stderr(hub_backend):
    code = """
        import sys
        from hubcore import socket
        from hubcore.pywsgi import WSGIServer

        def app(environ, start_response):
            if environ["PATH_INFO"] == "/error":
                raise ValueError("mine")
            start_response("200 OK", [])
            return [b""]

        with WSGIServer(("127.0.0.1", 0), app) as server:
            for path in ("ok", "error"):
                with socket.create_connection(("127.0.0.1", server.server_port)) as client:
                    client.sendall(f"GET /{path} HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n".encode())
                    while client.recv(1000): pass
    """
    done = run_python(code, hub_backend)
    assert done.stdout == ""
    assert '"GET /ok HTTP/1.1" 200' in done.stderr
    assert '"GET /error HTTP/1.1" 500' in done.stderr
    assert done.stderr.count("ValueError: mine") == 1


# -- files


def test_a_file_is_appended_to_and_reopened(tmp_path):
    from hubcore._http.logs import LogFile

    path = tmp_path / "access.log"
    path.write_text("before\n")
    log = LogFile(str(path))
    with serving(log=log, log_format="%(U)s") as server, Client(server) as client:
        client.ask(get("/one"))
        settle(get_hub())
        path.rename(tmp_path / "old.log")
        client.ask(get("/two"))
        settle(get_hub())
        log.reopen()
        client.ask(get("/three"))
    log.close()
    assert (tmp_path / "old.log").read_text() == "before\n/one\n/two\n"
    assert path.read_text() == "/three\n"


def test_a_file_that_cannot_be_opened_anew_stays(tmp_path, capsys):
    from hubcore._http.logs import LogFile

    folder = tmp_path / "logs"
    folder.mkdir()
    log = LogFile(str(folder / "access.log"))
    folder.rename(tmp_path / "elsewhere")
    log.reopen()
    log.write("still\n")
    log.close()
    assert (tmp_path / "elsewhere" / "access.log").read_text() == "still\n"
    assert "cannot open the log" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_told_once_and_lines_are_counted(capsys):
    from hubcore._http.logs import LogFile

    log = LogFile("/dev/full")
    with serving(log=log) as server, Client(server) as client:
        for _ in range(3):
            assert client.ask(get()).status == 200
            settle(get_hub())
    log.close()
    assert log.dropped == 3
    assert (
        capsys.readouterr().err
        == "hubcore: cannot write to the log /dev/full: No space left on device; lines are dropped\n"
    )


def test_a_log_that_does_not_exist_is_an_error(tmp_path):
    from hubcore._http.logs import LogFile

    with pytest.raises(OSError, match="nowhere"):
        LogFile(str(tmp_path / "nowhere" / "access.log"))


def test_the_seam_writes_no_log():
    assert seam.talk(hello, get())[1] == ""
