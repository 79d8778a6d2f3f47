"""`gevent.config`: gevent's settings, as attributes that read and write `hubcore.config`, and GEVENT_* variables.

A setting that has no meaning for hubcore is kept and has no effect; a program that changes it is warned once.
"""

from __future__ import annotations

import os
import warnings

from hubcore import config as own
from hubcore._gevent.settings import SETTINGS, Setting, as_written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Config:
    """gevent's settings. An unknown name is an AttributeError, a wrong value a ValueError that names both."""

    settings: dict[str, Setting] = SETTINGS

    def __init__(self) -> None:
        self.__dict__["_kept"] = {}
        self.__dict__["_warned"] = set()

    def __getattr__(self, name: str) -> Any:
        setting = _setting(name)
        if setting.read:
            return setting.read()
        if setting.own:
            return getattr(own, setting.own)
        return self._kept.get(name, setting.default)

    def __setattr__(self, name: str, value: Any) -> None:
        setting = _setting(name)
        if isinstance(value, str) or (setting.own and isinstance(value, (int, float)) and not isinstance(value, bool)):
            value = as_written(setting, str(value), f"gevent.config.{name}")
        if setting.write is not None:
            value = setting.write(value)
        if setting.own:
            setattr(own, setting.own, value)
            return
        self._kept[name] = value
        if value != setting.default and name not in self._warned:
            self._warned.add(name)
            warnings.warn(f"gevent.config.{name} has no effect on hubcore", RuntimeWarning, stacklevel=2)

    def __dir__(self) -> list[str]:
        return sorted({*self.settings, "print_help", "set", "settings"})

    def set(self, name: str, value: Any) -> None:
        """Set the setting `name` to `value`."""
        setattr(self, name, value)

    def print_help(self) -> None:
        """Print each setting: its environment variable, its value, and what it is on hubcore."""
        for name, setting in sorted(self.settings.items()):
            meaning = f"hubcore.config.{setting.own}" if setting.own else "no effect on hubcore"
            print(f"{name} ({setting.variable}): {getattr(self, name)!r}; {meaning}")


def from_environment() -> dict[str, Any]:
    """Return what the GEVENT_* variables ask for: values by the names of `hubcore.config`.

    A variable of hubcore's own takes precedence over gevent's of the same meaning. ValueError if one is wrong.
    """
    found: dict[str, Any] = {}
    for setting in SETTINGS.values():
        text = os.environ.get(setting.variable, "").strip()
        if text and setting.own and not any(os.environ.get(each, "").strip() for each in setting.variables):
            found[setting.own] = as_written(setting, text, setting.variable)
    return found


def _setting(name: str) -> Setting:
    try:
        return SETTINGS[name]
    except KeyError:
        raise AttributeError(f"gevent.config has no setting {name!r}; it has {', '.join(sorted(SETTINGS))}") from None
