"""The `hubcore` command as a whole, and `hubcore info`."""

import json
import os
import pty
import subprocess
import sys

import pytest

import hubcore
from tests.support.paths import ROOT

NO_RICH = "import sys; sys.modules['rich'] = None\n"


def command(*arguments, without_rich=False, status=0, cwd=None, **variables):
    """Run `hubcore *arguments`; what it printed on stdout and stderr."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "HUBCORE_", "FORCE_"))}
    env |= {"PYTHONPATH": str(ROOT)} | variables
    start = ["-m", "hubcore"]
    if without_rich:
        start = ["-c", NO_RICH + "import hubcore.cli; sys.exit(hubcore.cli.main())"]
    done = subprocess.run(
        [sys.executable, *start, *arguments], env=env, cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def on_a_terminal(*arguments, without_rich=False, columns=200):
    """What `hubcore *arguments` prints on a terminal."""
    start = NO_RICH if without_rich else "import sys\n"
    ours, theirs = pty.openpty()
    env = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": str(columns)}
    env.pop("NO_COLOR", None)
    code = start + "import hubcore.cli; sys.exit(hubcore.cli.main())"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], env=env, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 65536):
            text += part
    except OSError:
        pass  # how a terminal says that the other side has closed it
    finally:
        os.close(ours)
    assert process.wait(60) == 0, text.decode()
    return text.decode()


def test_help_names_the_commands():
    text, _ = command("--help")
    for name in ("info", "demo", "run", "doctor", "sim", "patch-hook"):
        assert f"\n    {name}" in text
    assert "--no-patch" in command("run", "--help")[0]


def test_the_version():
    assert command("--version")[0] == f"hubcore {hubcore.__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("info", "--xml"), ("info", "more"), ("run",), ("run", "-m")])
def test_a_wrong_command_line_is_status_2_and_a_line_that_says_why(arguments):
    out, error = command(*arguments, status=2)
    assert out == ""
    assert len(error.splitlines()) == 1
    assert error.startswith("hubcore")
    assert "error: " in error
    assert error.endswith(" --help)\n")


@pytest.mark.parametrize("without_rich", [False, True])
def test_info_as_text(without_rich):
    text, error = command("info", without_rich=without_rich)
    assert error == ""
    assert text.startswith(f"hubcore {hubcore.__version__}\nCPython {sys.version.split()[0]}, greenlet ")
    for name in ("libev", "libuv", "select", "virtual"):
        assert f"\n{name}" in text
    assert "\nchosen: libev, by default (libev,libuv,select)\n" in text
    assert "\x1b" not in text


def test_info_as_json():
    found = json.loads(command("info", "--json")[0])
    assert found["hubcore"] == hubcore.__version__
    assert found["chosen"] == {
        "by": "default",
        "choice": "libev,libuv,select",
        "backend": "libev",
        "class": "hubcore.backends.libev:LibevLoop",
    }
    backends = {one["name"]: one for one in found["backends"]}
    for name in ("libev", "libuv"):
        one = backends[name]
        assert one["available"]
        assert one["interface"]
        assert [int(part) for part in one["header_version"].split(".")]
        assert [int(part) for part in one["library_version"].split(".")]
    assert backends["select"]["interface"] == "poll"
    assert found["arena_cache"] == {"on": True, "most": 1024}
    assert {"hub", "_core.scheduler", "_sockets.stream_calls"} < set(found["compiled"])
    assert found["uncompiled"] == []


def test_a_narrow_terminal_gets_lines_in_place_of_a_table_that_is_cut():
    for without_rich in (False, True):
        text = on_a_terminal("info", without_rich=without_rich, columns=40)
        assert "  available: yes" in text
        assert "…" not in text


def test_colour_can_be_asked_for_where_stdout_is_no_terminal():
    assert "\x1b[" in command("info", FORCE_COLOR="1")[0]
    assert "\x1b" not in command("info", FORCE_COLOR="1", without_rich=True)[0]


def test_info_says_that_the_slow_backend_is_in_use():
    assert "select is in use, which is slow: " in command("info", HUB_BACKEND="select")[0]
    assert "slow" not in command("info")[0]


def test_info_says_who_chose():
    found = json.loads(command("info", "--json", HUB_BACKEND="nowhere,libuv")[0])
    assert found["chosen"]["backend"] == "libuv"
    assert (found["chosen"]["by"], found["chosen"]["choice"]) == ("HUB_BACKEND", "nowhere,libuv")


def test_info_of_an_uncompiled_run_says_what_is_missing_and_how_to_get_it():
    found = json.loads(command("info", "--json", HUBCORE_PURE="1")[0])
    backends = {one["name"]: one for one in found["backends"]}
    assert not backends["libev"]["available"]
    assert "HUBCORE_PURE=1 leaves compiled modules out" in backends["libev"]["error"]
    assert found["chosen"]["backend"] == "select"
    assert found["compiled"] == []
    assert {"hub", "_sockets.stream_calls"} <= set(found["uncompiled"])
    assert found["arena_cache"]["on"] is False
    text, _ = command("info", HUBCORE_PURE="1")
    assert "libev is not available: " in text
    assert "arena cache: off" in text
    assert "not compiled: " in text


def test_info_when_no_backend_can_be_used_is_status_1():
    text, _ = command("info", status=1, HUB_BACKEND="nowhere")
    assert "no backend can be used: HUB_BACKEND is 'nowhere'" in text
    assert "error" in json.loads(command("info", "--json", status=1, HUB_BACKEND="nowhere")[0])["chosen"]


def test_a_backend_of_somebody_elses_that_cannot_be_made_is_shown_as_such(tmp_path):
    (tmp_path / "broken.py").write_text(
        "from hubcore.backends.select_ import SelectLoop\n"
        "class Broken(SelectLoop):\n    def __init__(self): raise OSError('no such device')\n"
    )
    (tmp_path / "broken-1.dist-info").mkdir()
    (tmp_path / "broken-1.dist-info" / "entry_points.txt").write_text("[hubcore.backends]\nbroken = broken:Broken\n")
    (tmp_path / "broken-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    found = json.loads(command("info", "--json", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")[0])
    broken = next(one for one in found["backends"] if one["name"] == "broken")
    assert broken["available"] is False
    assert "no such device" in broken["error"]


def test_a_terminal_gets_colour_from_rich_and_plain_text_without_it():
    coloured = on_a_terminal("info")
    assert "\x1b[" in coloured
    assert "libev" in coloured
    plain = on_a_terminal("info", without_rich=True)
    assert "\x1b" not in plain
    assert "chosen: libev" in plain


def test_a_reader_that_goes_away_gets_no_traceback():
    code = f"{sys.executable} -m hubcore info | true; exit ${{PIPESTATUS[0]}}"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 141)  # 0: all was written before the reader went
    assert done.stderr == ""
