"""Loads the pytest plugin, for `-p hubcore.testing.plugin` where hubcore's entry points are not installed.

The plugin itself is the module `hubcore_pytest`, outside the package: pytest imports it in every run of an environment
where hubcore is installed, and that must not import hubcore.
"""

from __future__ import annotations

import sys

import pytest

PLUGIN = "hubcore_pytest"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Load the plugin, unless pytest has it already."""
    if any(getattr(plugin, "__name__", None) == PLUGIN for plugin in pluginmanager.get_plugins()):
        return
    if PLUGIN in sys.modules:  # a filter of warnings names it; pytest would warn that it cannot be rewritten any more
        pluginmanager.register(sys.modules[PLUGIN], PLUGIN)
    else:
        pluginmanager.import_plugin(PLUGIN)
