"""`hubcore run`: a program runs as python runs it."""

import json
import os
import signal
import subprocess
import sys
import zipfile

import pytest

from tests.cli.test_cli import command
from tests.support.paths import ROOT

SHOW = """
import json, sys, pickle
import __main__
class Thing: pass
print(json.dumps({
    "argv": sys.argv, "name": __name__, "path0": sys.path[0], "main": __main__.__dict__ is globals(),
    "file": globals().get("__file__"), "pickles": type(pickle.loads(pickle.dumps(Thing()))) is Thing,
    "own": sorted(globals()),
}))
"""


def python(*arguments, cwd=None):
    """What plain python prints."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *arguments], env=env, cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "show.py").write_text(SHOW)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "__main__.py").write_text(SHOW)
    (tmp_path / "package" / "part.py").write_text(SHOW)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(SHOW)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("show.py",),
        ("show.py", "-x", "--backend", "libuv", "--", "-m", "last"),
        ("package/part.py", "one"),
        ("folder", "one"),
        ("-m", "show", "--flag", "two words"),
        ("-m", "package"),
        ("-m", "package.part", "-m"),
        ("-mpackage.part", "-mshow"),
        ("./show.py",),
        ("folder/",),
        ("--", "show.py", "--"),
        ("-c", SHOW, "-c", "--backend"),
        (f"-c{SHOW}", "--no-patch", "two"),
    ],
)
def test_a_program_sees_what_it_sees_under_python(folder, arguments):
    expected = json.loads(python(*arguments, cwd=folder))
    assert expected["main"]
    found, error = command("run", *arguments, cwd=folder)
    assert error == ""
    assert json.loads(found) == expected


def abbreviations():
    """All beginnings of all options of the launcher, such as --n, --no and -m."""
    from hubcore.cli import parser

    (commands,) = [action for action in parser()._actions if getattr(action, "choices", None)]
    options = commands.choices["run"]._option_string_actions
    return sorted({name[:end] for name in options for end in range(1, len(name) + 1)})


@pytest.mark.parametrize("start", [("show.py",), ("-m", "show"), ("-c", SHOW)], ids=["script", "module", "code"])
def test_no_option_of_the_program_is_taken_for_one_of_the_launcher(folder, start):
    given = [word for name in abbreviations() for word in (name, f"{name}=1", "5")]
    assert "--no-t" in given
    expected = json.loads(python(*start, *given, cwd=folder))
    assert json.loads(command("run", *start, *given, cwd=folder)[0]) == expected
    launcher = [sys.executable, "-m", "hubcore.monkey"]
    done = subprocess.run(
        [*launcher, *start, *given],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout)["argv"] == expected["argv"]
    assert json.loads(command("doctor", *start, *given, cwd=folder)[0])["argv"] == expected["argv"]


def test_an_abbreviation_of_an_own_option_is_refused_with_the_option(folder):
    _, error = command("run", "--no-thr", "show.py", cwd=folder, status=2)
    assert "unrecognized arguments: --no-thr; did you mean --no-thread?" in error


def test_a_script_elsewhere_has_its_own_folder_on_the_path(folder, tmp_path_factory):
    link = tmp_path_factory.mktemp("links") / "link.py"
    link.symlink_to(folder / "show.py")
    assert json.loads(command("run", str(link))[0]) == json.loads(python(str(link)))


@pytest.mark.parametrize("backend", ["libev", "libuv", "select", "nowhere,libuv"])
def test_the_backend_is_the_default_in_it_and_in_its_processes(tmp_path, backend):
    (tmp_path / "it.py").write_text(
        "import subprocess, sys, hubcore\n"
        "print(hubcore.get_hub().backend, flush=True)\n"
        "subprocess.run([sys.executable, '-c', 'import hubcore; print(hubcore.get_hub().backend)'], check=True)\n"
    )
    text, _ = command("run", "--backend", backend, str(tmp_path / "it.py"))
    assert text.split() == [backend.rpartition(",")[2]] * 2


@pytest.mark.parametrize(
    ("options", "patched"),
    [
        ((), "socket queue select"),
        (("--no-patch",), "nothing"),
        (("--no-queue", "--no-select"), "socket"),
        (("--queue",), "queue"),
        (("--strict",), "socket queue select"),
    ],
)
def test_the_program_is_patched_before_it_is_imported(tmp_path, options, patched):
    (tmp_path / "it.py").write_text(
        "from socket import socket; from queue import SimpleQueue; from select import select\n"
        "found = [name for name, x in (('socket', socket), ('queue', SimpleQueue), ('select', select))"
        " if x.__module__.startswith('hubcore')]\n"
        "print(*found or ['nothing'])\n"
    )
    assert command("run", *options, str(tmp_path / "it.py")) == (f"{patched}\n", "")


def test_the_launcher_leaves_no_stale_references(tmp_path):
    (tmp_path / "it.py").write_text(
        "from hubcore._patching.existing import stale_references as found\n"
        "print([str(each) for each in found.find() + found.locks()])\n"
    )
    assert command("run", str(tmp_path / "it.py")) == ("[]\n", "")


def test_gevents_command_line_is_accepted(tmp_path):
    (tmp_path / "it.py").write_text("import sys\nfrom hubcore import monkey\nprint(sys.argv[1:], *monkey.saved)\n")
    run = [sys.executable, "-m", "hubcore.monkey"]
    env = os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    done = subprocess.run(
        [*run, "--verbose", "--no-thread", "--socket", "--module", "it", "a", "--b"],
        env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "['a', '--b'] socket\n")
    assert done.stderr.startswith("hubcore: socket: create_connection, ")
    done = subprocess.run(run, env=env, capture_output=True, text=True)
    assert done.returncode == 2
    assert "give a script" in done.stderr


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(7)", 7, ""),
        ("import sys; sys.exit('no such luck')", 1, "no such luck\n"),
        ("import os; os._exit(9)", 9, ""),
    ],
)
def test_exit_statuses_pass_through(tmp_path, code, status, said):
    (tmp_path / "it.py").write_text(code)
    assert command("run", str(tmp_path / "it.py"), status=status)[1] == said


@pytest.mark.parametrize("as_module", [False, True])
def test_a_failure_shows_the_programs_own_frames_only(tmp_path, as_module):
    (tmp_path / "it.py").write_text("def f():\n    return 1 // 0\n\nf()\n")
    arguments = ("-m", "it") if as_module else ("it.py",)
    _, error = command("run", *arguments, cwd=tmp_path, status=1)
    lines = error.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("ZeroDivisionError")
    assert [line.rpartition(" in ")[2] for line in lines if line.startswith("  File")] == ["<module>", "f"]


def test_a_syntax_error_and_a_missing_import_are_the_programs_failures(tmp_path):
    (tmp_path / "wrong.py").write_text("def (:\n")
    assert "SyntaxError" in command("run", "wrong.py", cwd=tmp_path, status=1)[1]
    (tmp_path / "needs.py").write_text("import no_such_thing\n")
    for arguments in (("needs.py",), ("-m", "needs")):
        assert "No module named 'no_such_thing'" in command("run", *arguments, cwd=tmp_path, status=1)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing.py",), "cannot run 'nothing.py': No such file"),
        (("nothing.py", "argument"), "cannot run 'nothing.py': No such file"),
        (("empty",), "no __main__.py"),
        (("nothing.zip",), "the archive has no __main__.py"),
        (("-m", "no_such_module"), "the module 'no_such_module': no module has that name"),
        (("-m", "json.no_such_part"), "the module 'json.no_such_part': no module has that name"),
        (("-m", "asyncio.events.part"), "asyncio.events.part"),
        (("-m", "email"), "no module __main__"),
        (("-m", ".relative"), "'.relative'"),
        (("-m", "_socket"), "it has no Python code"),
    ],
)
def test_a_program_that_is_not_there_is_one_clear_line_and_pythons_status(folder, arguments, words):
    (folder / "empty").mkdir()
    with zipfile.ZipFile(folder / "nothing.zip", "w") as archive:
        archive.writestr("a.py", "")
    expected = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True).returncode
    assert expected in (1, 2)
    out, error = command("run", *arguments, cwd=folder, status=expected)
    assert out == ""
    assert error.startswith("hubcore: ")
    assert words in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--backend", "nowhere", "show.py"), "'nowhere'"),
        (("--backend", "", "show.py"), "names no backend"),
        (("--backend", "json:JSONDecoder", "show.py"), "not a subclass"),
        (("-m",), "-m needs the name of a module"),
        (("-c",), "-c needs the program's code"),
        (("--backend",), "expected one argument"),
    ],
)
def test_bad_input_is_status_2_and_one_clear_line(folder, arguments, words):
    out, error = command("run", *arguments, cwd=folder, status=2)
    assert out == ""
    assert error.startswith("hubcore")
    assert words in error
    assert len(error.splitlines()) == 1


def test_code_fails_as_under_python(tmp_path):
    for code in ("1/0", "def (", "import sys\nsys.exit(3)", "\n\n raise SystemExit('no')", "import no_such_thing"):
        found = []
        for start in ((), ("-m", "hubcore", "run")):
            done = subprocess.run(
                [sys.executable, *start, "-c", code, "x"], env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=tmp_path,
                capture_output=True, text=True,
            )  # fmt: skip
            found.append((done.returncode, done.stdout, done.stderr))
        assert found[0] == found[1]


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        (
            "HUB_BACKEND",
            "wrong",
            "HUB_BACKEND is 'wrong', but wrong: there is no backend of that name. Available: libev,",
        ),
        (
            "HUB_RESOLVER",
            "wrong",
            "HUB_RESOLVER is 'wrong', but there is no resolver 'wrong'; choose from thread, cares,",
        ),
        ("HUB_RESOLVER", "nowhere.at:All", "HUB_RESOLVER is 'nowhere.at:All', but No module named 'nowhere'"),
        ("HUB_PATCH", "wrong", "HUB_PATCH is 'wrong'; it takes 1 (everything)"),
        ("HUBCORE_RESOLVER_THREADS", "x", "HUBCORE_RESOLVER_THREADS is 'x'; it takes a whole number of 1 or more"),
        ("HUBCORE_MAX_BLOCKING_TIME", "-1", "HUBCORE_MAX_BLOCKING_TIME is '-1'; it takes a number of seconds above 0"),
        ("HUBCORE_MONITOR_THREAD", "maybe", "HUBCORE_MONITOR_THREAD is 'maybe'; it takes 1 or 0"),
        ("HUBCORE_FILE", "wrong", "unknown kind of file 'wrong'; choose from posix,"),
    ],
)
def test_what_is_wrong_with_the_environment_is_said_before_the_program_begins(folder, variable, value, words):
    for launcher in (("hubcore", "run"), ("hubcore", "doctor"), ("hubcore.monkey",)):
        done = subprocess.run(
            [sys.executable, "-m", *launcher, "show.py"],
            env=os.environ | {"PYTHONPATH": str(ROOT), variable: value}, cwd=folder, capture_output=True, text=True,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert done.stderr.startswith(f"hubcore: {words}")
        assert len(done.stderr.splitlines()) == 1


def test_a_program_that_imports_hubcore_gets_an_error_whatever_its_arguments_are(tmp_path):
    (tmp_path / "it.py").write_text("try:\n    import hubcore\nexcept ValueError as error:\n    print(error)\n")
    env = os.environ | {"PYTHONPATH": str(ROOT), "HUBCORE_MONITOR_THREAD": "maybe"}
    for given in ((), ("-m", "hubcore"), ("hubcore",)):
        done = subprocess.run([sys.executable, "it.py", *given], env=env, cwd=tmp_path, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("HUBCORE_MONITOR_THREAD is 'maybe'; it takes 1 or 0\n", "")


def test_a_program_from_stdin(tmp_path):
    code = b"import sys\nprint(sys.argv, __name__, '__file__' in globals(), repr(sys.path[0]))\n1/0\n"
    found = []
    for start in ((), ("-m", "hubcore", "run")):
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, *start, "-", "-x"], env=env, cwd=tmp_path, input=code, capture_output=True
        )
        found.append((done.returncode, done.stdout, done.stderr))
    assert found[0] == found[1]
    assert found[0][0] == 1


def test_an_excepthook_that_fails_is_reported_as_python_does(tmp_path):
    (tmp_path / "it.py").write_text("import sys\ndef hook(*a):\n    raise KeyError(2)\nsys.excepthook = hook\n1 / 0\n")
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    told = subprocess.run([sys.executable, "it.py"], env=env, cwd=tmp_path, capture_output=True, text=True).stderr
    assert "Error in sys.excepthook:" in told
    assert command("run", "it.py", cwd=tmp_path, status=1)[1] == told


@pytest.mark.parametrize("name", ["run", "doctor"])
def test_a_wrong_option_is_one_line_with_what_would_be_right(tmp_path, name):
    for given, words in (
        (("--no-thraed", "it.py"), "unrecognized arguments: --no-thraed; did you mean --no-thread?"),
        ((), "no program given; give a script"),
    ):
        _, error = command(name, *given, cwd=tmp_path, status=2)
        assert error.startswith(f"hubcore {name}: error: {words}")
        assert len(error.splitlines()) == 1


def test_the_doctor_has_nothing_to_say_of_a_program_that_is_not_there(tmp_path):
    assert command("doctor", "--patch", "it.py", cwd=tmp_path, status=2) == (
        "",
        "hubcore: cannot run 'it.py': No such file or directory\n",
    )


def test_ctrl_c_ends_it_as_it_ends_python(tmp_path):
    text = "import hubcore\ntry:\n    print('ready', flush=True)\n    hubcore.sleep(60)\nfinally:\n    print('end')\n"
    (tmp_path / "it.py").write_text(text)
    for launcher in ((), ("-m", "hubcore", "run"), ("-m", "hubcore", "doctor")):
        process = subprocess.Popen(
            [sys.executable, *launcher, str(tmp_path / "it.py")],
            env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        said, error = process.communicate(timeout=30)
        assert (process.returncode, said) == (-signal.SIGINT, "end\n")
        assert error.startswith(f'Traceback (most recent call last):\n  File "{tmp_path / "it.py"}", line ')
        assert error.count("Traceback") == error.count("\nKeyboardInterrupt\n") == 1
        assert "/cli/" not in error
