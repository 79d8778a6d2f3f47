"""Fixtures of the interplay tests: real servers, which a session starts once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.interplay import services
from tests.support.certificates import authority, issued

_HERE = Path(__file__).parent
_NONE = SimpleNamespace(id="")  # of tests without parameters


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real servers do not know virtual time, and start once only. pytest hands over the items of all folders."""
    items[:] = [item for item in items if not (_HERE in item.path.parents and _on_virtual_time(item))]
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.together)


def _on_virtual_time(item: pytest.Item) -> bool:
    return "virtual" in getattr(item, "callspec", _NONE).id.split("-")


@pytest.fixture(scope="session")
def servers() -> Iterator[Any]:
    """Gives the running server of a service, started at the first call; skips where it is not installed."""
    with ExitStack() as stack:
        started: dict[str, services.Server] = {}

        def server(service: str) -> services.Server:
            if service not in started:
                require(service)
                started[service] = stack.enter_context(services.running(service))
            return started[service]

        yield server


def require(service: str) -> str:
    """The path of the program of `service`; skips the test, saying what to install, if it is not there."""
    missing = services.missing(service)
    if missing is not None:
        pytest.skip(missing)
    path = services.program(service)
    assert path is not None
    return path


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    """The paths of an authority's certificate ("ca"), and of ones for localhost, other and somebody with their keys."""
    paths = {name: str(tmp_path / f"{name}.pem") for name in ("ca", "localhost", "other", "somebody")}
    for name, path in paths.items():
        if name == "ca":
            authority().cert_pem.write_to_path(path)
        else:
            issued(name).private_key_and_cert_chain_pem.write_to_path(path)
    return paths
