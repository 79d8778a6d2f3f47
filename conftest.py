"""Loads hubcore's pytest plugin where its entry points are not installed, and gives every test a limit of time."""

import pytest

from hubcore.testing.conformance.loop_fixture import loop as loop
from hubcore.testing.plugin import pytest_addoption as pytest_addoption


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A hang is a failure in tests without a hub, too."""
    for item in items:
        if item.get_closest_marker("hang_after") is None:
            usual = item.config.getoption("--hub-hang-after")
            seconds = 0 if item.get_closest_marker("soak") else 600 if item.get_closest_marker("slow") else usual
            item.add_marker(pytest.mark.hang_after(seconds))
