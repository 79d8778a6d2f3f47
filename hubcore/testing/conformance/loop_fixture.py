"""The fixture `loop`: a loop without a hub."""

from __future__ import annotations

import pytest

from hubcore_pytest import fail_on, has_passed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubcore.loop import Loop


@pytest.fixture
def loop(hub_backend: str, request: pytest.FixtureRequest) -> Iterator[Loop]:
    """A fresh loop without a hub. The test fails if it leaves anything behind in the loop or in the process."""
    from hubcore.backends import loop_class
    from hubcore.testing import leaks

    before = leaks.process()
    loop = loop_class()()
    born = leaks.Born.of(loop)
    yield loop
    passed = has_passed(request)
    lines = leaks.left_in_loop(loop, born) if passed and not loop.closed else []
    loop.close()
    fail_on(lines + (leaks.left_by_process(before) if passed else []))
