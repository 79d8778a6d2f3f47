"""Runs each `play_*.py` here in a pytest of its own, in which hubcore stands in for the standard library.

A play is a file of tests that use a library as its users do, in many greenlets. It needs a process of its own, because
what it is about is a whole process that is patched before anything is imported.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from tests.interplay.conftest import require

HERE = Path(__file__).parent
BOUND = 120  # seconds that a play may take; the longest takes about ten


class Needs(NamedTuple):
    """What a play needs: modules that can be imported, and services (see services.py) that can be started."""

    modules: tuple[str, ...]
    services: tuple[str, ...] = ()


PLAYS = {
    "ddtrace": Needs(("ddtrace",)),
    "django_files": Needs(("django",)),
    "grpc": Needs(("grpc",)),
    "ldap3": Needs(("ldap3",)),
    "logging": Needs(()),
    "mail": Needs(("aiosmtpd", "pyftpdlib")),
    "psycopg": Needs(("psycopg",), ("postgres",)),
    "psycopg2": Needs(("psycopg2",), ("postgres",)),
    "pymongo": Needs(("pymongo",)),
    "pyopenssl": Needs(("OpenSSL",)),
    "pymysql": Needs(("pymysql",), ("mariadb",)),
    "redis": Needs(("redis",), ("redis",)),
    "requests": Needs(("requests", "urllib3")),
    "sqlalchemy": Needs(("sqlalchemy", "pymysql", "psycopg"), ("mariadb", "postgres")),
    "wrapt": Needs(("wrapt",)),
}


def test_every_play_is_listed():
    assert sorted(PLAYS) == sorted(path.stem.removeprefix("play_") for path in HERE.glob("play_*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAYS)
def test_play(name, hub_backend, tmp_path):
    needs = PLAYS[name]
    for module in needs.modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module} (pip install --group interplay; or make interplay)")
    for service in needs.services:
        require(service)
    report = tmp_path / "report.xml"
    command = [sys.executable, "-X", "faulthandler", "-m", "hubcore", "run", "-m", "pytest"]
    command += ["-q", "-p", "no:cacheprovider", f"--hub-backend={hub_backend}"]
    # pytest would rewrite the asserts of whatever has plugins, and warns that hubcore is there already.
    command += ["-W", "ignore::pytest.PytestAssertRewriteWarning", f"--junitxml={report}"]
    command += [f"--basetemp={tmp_path / 'plays'}", str(HERE / f"play_{name}.py")]
    done = subprocess.run(
        command,
        cwd=HERE.parent.parent,
        env={**os.environ, "HUB_BACKEND": hub_backend},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    skipped = [str(one.get("message")) for one in ElementTree.parse(report).iter("skipped")]
    if skipped and len(skipped) == len(list(ElementTree.parse(report).iter("testcase"))):
        pytest.skip("; ".join(sorted(set(skipped))))
