"""Loads hubcore's pytest plugin where its entry points are not installed, and gives every test a limit of time."""

import pytest

PLUGIN = "hubcore.testing.plugin"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Load the plugin, unless pytest has found it by its entry point already."""
    if not any(getattr(plugin, "__name__", None) == PLUGIN for plugin in pluginmanager.get_plugins()):
        pluginmanager.import_plugin(PLUGIN)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A hang is a failure in tests without a hub, too."""
    for item in items:
        if item.get_closest_marker("hang_after") is None:
            usual = item.config.getoption("--hub-hang-after")
            seconds = 0 if item.get_closest_marker("soak") else 600 if item.get_closest_marker("slow") else usual
            item.add_marker(pytest.mark.hang_after(seconds))
