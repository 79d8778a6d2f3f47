"""Finds the WSGI application that `hubcore serve` is to run."""

from __future__ import annotations

import importlib
import inspect
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

_ATTRIBUTES = ("application", "app")
_FACTORIES = ("create_app", "make_app")


class NoApplication(Exception):
    """There is no application of that name; the text says what is wrong and what would be right."""


def find_application(name: str, *, factory: bool = False) -> Callable[..., Any]:
    """The application that `name`, module:attribute or module, stands for. Imports the module.

    Without an attribute it is `application` or `app`, or what `create_app()` or `make_app()` returns. The attribute is
    called with `factory`, or if it ends with "()". Errors of the module itself pass through.
    """
    module_name, colon, attribute = name.partition(":")
    if not module_name or (colon and not attribute):
        raise NoApplication(f"{name!r} names no application; it takes module:attribute, such as app:application")
    if module_name.endswith(".py"):
        right = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise NoApplication(f"{module_name} is a file; name the module: {right}{colon}{attribute}")
    module = _module(module_name)
    if attribute.endswith("()"):
        attribute, factory = attribute.removesuffix("()"), True
    if attribute:
        found = _attribute(module, attribute)
    else:
        found, factory = _search(module, factory)
        attribute = "its application"
    if factory:
        found = found()
    _check(f"{module_name}:{attribute}" if colon else module_name, found)
    application: Callable[..., Any] = found
    return application


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, and what it needs is not
        if os.path.isdir(name.replace(".", "/")) and not os.access(name.replace(".", "/"), os.R_OK):
            raise NoApplication(f"the folder of the module {name!r} cannot be read") from None
        place = sys.path[0] or os.getcwd()
        raise NoApplication(f"there is no module {name!r} in {place}; --app-dir names another folder") from None


def _attribute(module: ModuleType, path: str) -> Any:
    found: Any = module
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            others = ", ".join(_candidates(module)) or "none that could be one"
            raise NoApplication(f"the module {module.__name__!r} has no {path!r}; it has {others}") from None
    return found


def _search(module: ModuleType, factory: bool) -> tuple[Any, bool]:
    for name in () if factory else _ATTRIBUTES:
        if callable(getattr(module, name, None)):
            return getattr(module, name), False
    for name in _FACTORIES:
        if callable(getattr(module, name, None)):
            return getattr(module, name), True
    if not factory and hasattr(module, "__path__"):
        try:
            return _search(importlib.import_module(f"{module.__name__}.wsgi"), False)  # a project of Django's
        except ModuleNotFoundError as error:
            if error.name != f"{module.__name__}.wsgi":
                raise
    others = ", ".join(_candidates(module)) or "none that could be one"
    raise NoApplication(
        f"the module {module.__name__!r} has no application, app or create_app; name another one, such as "
        f"{module.__name__}:NAME; it has {others}"
    )


def _candidates(module: ModuleType) -> list[str]:
    """Names of the module that might be applications."""
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ][:8]


def _check(name: str, found: Any) -> None:
    if not callable(found):
        raise NoApplication(f"{name} is no application, which is callable; it is {found!r:.100}")
    call = found if inspect.isroutine(found) or inspect.isclass(found) else type(found).__call__
    if inspect.iscoroutinefunction(call):
        raise NoApplication(
            f"{name} is an ASGI application, and hubcore serve runs WSGI ones; run it by an ASGI server, or wrap it "
            "by a2wsgi.ASGIMiddleware"
        )
    try:
        inspect.signature(found).bind({}, print)
    except TypeError:
        raise NoApplication(
            f"{name} does not take (environ, start_response); if it makes the application, add --factory"
        ) from None
    except ValueError:
        pass  # there is no signature
