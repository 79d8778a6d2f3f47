"""`hubcore patch-hook`, and the effect of HUB_PATCH at the start of a Python."""

import os
import subprocess
import sys
import sysconfig

import pytest

from hubcore.cli import main, patch_hook
from tests.support.paths import ROOT


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    return tmp_path


def started(site, value, *options):
    """What a Python says that starts with the folder `site` and HUB_PATCH=`value`."""
    code = (
        f"import site, sys; site.addsitedir({str(site)!r}); site.addsitedir({str(site)!r})\n"
        "print(*sorted(name for name in sys.modules if name.split('.')[0] == 'hubcore')[:1])\n"
        "import socket, queue; print(socket.socket.__module__, queue.SimpleQueue.__module__)\n"
    )
    env = {name: text for name, text in os.environ.items() if name != "HUB_PATCH"}
    env |= {"PYTHONPATH": str(ROOT)} | ({} if value is None else {"HUB_PATCH": value})
    done = subprocess.run(
        [sys.executable, *options, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.split("\n")[:2], done.stderr


def test_it_is_installed_and_removed(site, capsys):
    assert main(["patch-hook", "status"]) == 1
    assert main(["patch-hook", "install"]) == 0
    assert main(["patch-hook", "install"]) == 0
    assert (site / "hubcore_patch.pth").read_text() == patch_hook.LINE
    assert main(["patch-hook", "status"]) == 0
    assert main(["patch-hook", "remove"]) == 0
    assert main(["patch-hook", "remove"]) == 0
    assert list(site.iterdir()) == []
    assert "not installed: " in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_said(site, monkeypatch, capsys):
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(site / "nowhere"))
    assert main(["patch-hook", "install"]) == 1
    assert "cannot install" in capsys.readouterr().err


def test_hub_patch_decides_at_start(site):
    main(["patch-hook", "install"])
    assert started(site, None) == (["", "socket _queue"], "")  # and nothing of hubcore is imported
    assert started(site, "1") == (["hubcore", "hubcore.socket hubcore.queue"], "")
    assert started(site, "queue") == (["hubcore", "socket hubcore.queue"], "")
    assert started(site, "0") == (["hubcore", "socket _queue"], "")


def test_what_is_wrong_is_said_and_the_program_goes_on(site):
    main(["patch-hook", "install"])
    lines, error = started(site, "sockets")
    assert lines == ["hubcore", "socket _queue"]
    assert error.startswith("hubcore: not patched: HUB_PATCH is 'sockets'; it takes 1 (everything)")
    assert len(error.splitlines()) == 1  # once, though site.py reads the folder of a virtual environment twice


def test_a_backend_or_resolver_that_there_is_not_is_said_at_the_start(site, monkeypatch):
    main(["patch-hook", "install"])
    for variable in ("HUB_BACKEND", "HUB_RESOLVER"):
        with monkeypatch.context() as patch:
            patch.setenv(variable, "wrong")
            lines, error = started(site, "1")
        assert lines == ["hubcore", "socket _queue"]
        assert error.startswith(f"hubcore: not patched: {variable} is 'wrong', but ")
        assert len(error.splitlines()) == 1


def test_it_is_harmless_where_hubcore_is_gone(site):
    main(["patch-hook", "install"])
    code = f"import sys; sys.modules['hubcore'] = None\nimport site; site.addsitedir({str(site)!r}); print('on')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"HUB_PATCH": "1"}, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("on\n", "")
