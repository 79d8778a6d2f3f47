"""psycopg 3 waits with the patched select.poll, whenever it is imported; a stand-in replaces its package here."""

import pytest

from hubcore.testing import run_python

WAITING = """
def wait_c(): ...
def wait_poll(): ...
def wait_selector(): ...
wait = {choice}
"""


@pytest.mark.parametrize(
    ("choice", "environment", "patch", "becomes"),
    [
        ("wait_c", {}, "patch_select()", "wait_poll"),
        ("wait_selector", {}, "patch_select()", "wait_selector"),  # its own choice where there is no compiled part
        ("wait_c", {"PSYCOPG_WAIT_FUNC": "wait_c"}, "patch_select()", "wait_c"),
        ("wait_c", {}, "patch_socket()", "wait_c"),
    ],
)
def test_what_it_waits_by(tmp_path, choice, environment, patch, becomes):
    package = tmp_path / "psycopg"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "waiting.py").write_text(WAITING.format(choice=choice))
    code = f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        from hubcore import monkey
        {{0}}
        import psycopg.waiting
        {{1}}
        assert psycopg.waiting.wait.__name__ == {becomes!r}
    """
    run_python(code.format(f"monkey.{patch}", ""), env=environment)
    run_python(code.format("", f"monkey.{patch}"), env=environment)
