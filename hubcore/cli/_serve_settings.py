"""The options of `hubcore serve`: from the command line, HUBCORE_SERVE_* and [tool.hubcore.serve] of pyproject.toml."""

from __future__ import annotations

import argparse
import os
import tomllib
from dataclasses import fields

from hubcore._http.limits import SECONDS, Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PREFIX = "HUBCORE_SERVE_"
_LISTS = ("bind",)
_BODY = 1 << 30  # the default of max_body_size here
_OWN = {"max_connections"}  # whose default depends on the machine


class WrongSetting(Exception):
    """A setting is unknown, or its value is wrong; the text says which and what would be right."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to `parser`. None of them has a default there, so that other sources may give it."""
    add = parser.add_argument
    add("app", nargs="?", help="module:attribute; with a module alone: its application, app or create_app()")
    add("--bind", "-b", action="append", metavar="ADDRESS", help="HOST:PORT, unix:PATH or fd:N; again for more")
    add("--workers", "-w", type=_whole, metavar="N", help="processes (1)")
    add(
        "--concurrency", "-c", type=_whole, metavar="N", help="requests that run at a time in each process (any number)"
    )
    add("--reload", action="store_true", default=None, help="start anew when a file changes")
    add("--factory", action="store_true", default=None, help="the attribute makes the application")
    add("--check", action="store_true", help="load the application and exit")
    add("--app-dir", metavar="FOLDER", help="where the module is (the current folder)")
    add("--env-file", metavar="FILE", help="NAME=value lines for the environment")
    add("--access-log", metavar="FILE", help="a line for each request; - is stdout (none)")
    add("--log-format", metavar="FORMAT", help="combined, common, json, or a string of atoms (combined)")
    add("--certfile", metavar="FILE", help="the certificates for TLS")
    add("--keyfile", metavar="FILE", help="the key of the certificate")
    add("--forwarded-allow-ips", metavar="PEERS", help="whose X-Forwarded-* fields to believe: addresses, unix, *")
    add("--header-map", metavar="WAY", help="fields with an underscore: drop, refuse, dangerous (drop)")
    add("--server-header", metavar="TEXT", help="the Server field; empty for none (hubcore)")
    add("--proxy-protocol", action="store_true", default=None, help="demand a PROXY header of each connection")
    add("--proxy-allow-ips", metavar="PEERS", help="who the proxies are (*)")
    add("--backend", metavar="NAME", help="as HUB_BACKEND")
    limits = parser.add_argument_group("limits", "0 is no limit")
    for each in fields(Limits):
        kind = _seconds if each.metadata["unit"] == SECONDS else _whole
        default = {"max_body_size": _BODY, "max_connections": "by the limit of open files"}.get(each.name, each.default)
        help_text = f"{each.metadata['meaning']} ({default})"
        limits.add_argument(f"--{each.name.replace('_', '-')}", type=kind, metavar="N", help=help_text)


def gather(options: argparse.Namespace, environ: Mapping[str, str], folder: str) -> dict[str, Any]:
    """All settings: of the command line, else of `environ`, else of pyproject.toml in `folder`, else the default."""
    names = [name for name in vars(options) if name not in ("command", "own", "check", "leave", "only", "strict")]
    actions = {action.dest: action for action in options.own._actions}
    given = _of_file(folder, names, actions)
    for variable, text in environ.items():
        if variable.startswith(PREFIX):
            name = variable.removeprefix(PREFIX).lower()
            if name not in names:
                raise WrongSetting(f"there is no setting {variable}")
            given[name] = _converted(variable, text.split(",") if name in _LISTS else text, actions[name])
    given |= {name: value for name, value in vars(options).items() if name in names and value is not None}
    settings = dict.fromkeys(names) | {"max_body_size": _BODY, "workers": 1, "bind": []} | given
    if settings["app"] is None:
        raise WrongSetting("name the application: module:attribute")
    return settings


def _of_file(folder: str, names: list[str], actions: dict[str, Any]) -> dict[str, Any]:
    path = os.path.join(folder, "pyproject.toml")
    try:
        with open(path, "rb") as file:
            table = tomllib.load(file).get("tool", {}).get("hubcore", {}).get("serve", {})
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise WrongSetting(f"{path}: {error}") from None
    found = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in names:
            raise WrongSetting(f"{path}: [tool.hubcore.serve] has no setting {key}")
        found[name] = _converted(f"{path}: {key}", value, actions[name])
    return found


def _converted(where: str, value: Any, action: Any) -> Any:
    if action.dest in _LISTS:
        return [value] if isinstance(value, str) else list(value)
    if action.nargs == 0:  # a switch
        if value in (True, "1", "true", "yes", "on"):
            return True
        if value in (False, "", "0", "false", "no", "off"):
            return False
        raise WrongSetting(f"{where} is on or off, not {value!r}")
    try:
        return action.type(str(value)) if action.type is not None else str(value)
    except argparse.ArgumentTypeError as error:
        raise WrongSetting(f"{where}: {error}") from None


def limits_of(settings: dict[str, Any]) -> dict[str, Any]:
    """The limits among `settings`, as WSGIServer takes them."""
    return {each.name: settings[each.name] for each in fields(Limits) if settings[each.name] is not None}


def read_env_file(path: str) -> dict[str, str]:
    """The NAME=value lines of a file, with quotes taken off; WrongSetting where there is another line."""
    found = {}
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise WrongSetting(f"cannot read {path}: {error.strerror}") from None
    for number, raw in enumerate(lines, 1):
        line = raw.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise WrongSetting(f"{path}, line {number}: it takes NAME=value, not {raw!r}")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = value
    return found


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return number
