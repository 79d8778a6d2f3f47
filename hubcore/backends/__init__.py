"""The choice of a backend: by name, by preference list, or by `package.module:Class`."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from hubcore import config
from hubcore._base.hints import Iterator
from hubcore.exceptions import BackendUnavailable
from hubcore.loop import PROTOCOL_VERSION, Loop

ENTRY_POINT_GROUP = "hubcore.backends"

#: The backends that come with hubcore. They are in a table, not in entry points: reading the entry points of all
#: installed distributions takes longer than all the rest of `import hubcore`.
BUILT_IN = {
    "libev": "hubcore.backends.libev:LibevLoop",
    "libuv": "hubcore.backends.libuv:LibuvLoop",
    "select": "hubcore.backends.select_:SelectLoop",
    "virtual": "hubcore.backends.virtual:VirtualLoop",
    "asyncio": "hubcore.backends.asyncio_:AsyncioLoop",
    "sim": "hubcore.testing.sim._lone:SimLoop",
}
#: The default choice: the first of these that is built.
DEFAULT = "libev,libuv,select"


def loop_class(choice: str | type[Loop] | None = None) -> type[Loop]:
    """Return the loop class of `choice`; without one, `config.backend`, then HUB_BACKEND, then the default decides.

    A choice is a class, a name, `package.module:Class`, or several of these separated by commas: the first available
    one is taken. Raises BackendUnavailable, an ImportError that lists the available backends, if none is available;
    TypeError if the choice is neither a string nor a Loop class.
    """
    if sys.is_finalizing():
        raise RuntimeError("the interpreter is being finalized: no greenlet can be started, nor can this thread wait")
    source = "the backend asked for"
    if choice is None and config.backend:
        choice, source = config.backend, "hubcore.config.backend"
    if choice is None and os.environ.get("HUB_BACKEND", "").strip():
        choice, source = os.environ["HUB_BACKEND"], "HUB_BACKEND"
    if choice is None:
        choice, source = DEFAULT, "the default"
    if isinstance(choice, type):
        return _checked(choice, repr(choice))
    if not isinstance(choice, str):
        raise TypeError(f"{source} is {choice!r}; it takes a name, such as 'libev', or a subclass of hubcore.loop.Loop")
    names = [name.strip() for name in choice.split(",") if name.strip()]
    if not names:
        raise BackendUnavailable(f"{source} names no backend: {choice!r}; {_what_there_is()}")
    failures = []
    for name in names:
        try:
            return _load(name)
        except ImportError as error:
            failures.append(f"{name}: {error}")
    raise BackendUnavailable(f"{source} is {choice!r}, but " + "; ".join(failures) + f". {_what_there_is()}")


def _load(name: str) -> type[Loop]:
    if name in BUILT_IN:
        target = BUILT_IN[name]
    elif ":" in name:
        target = name
    else:
        target = dict(entry_points()).get(name, "")
        if not target:
            raise ImportError("there is no backend of that name")
    module, _, attribute = target.partition(":")
    if not all(part.isidentifier() for part in module.split(".")):
        raise ImportError(f"{module!r} is not a module name")
    try:
        found = getattr(import_module(module), attribute)
    except AttributeError as error:
        raise ImportError(f"module {module!r} has no {attribute!r}") from error
    return _checked(found, target)


def _checked(found: object, name: str) -> type[Loop]:
    if not (isinstance(found, type) and issubclass(found, Loop)):
        raise ImportError(f"{name} is {found!r}, which is not a subclass of hubcore.loop.Loop")
    version = found.protocol_version
    if version == PROTOCOL_VERSION:
        return found
    if not isinstance(version, int):
        raise ImportError(
            f"{name} does not name the version of the Loop protocol that it was written for (protocol_version is "
            f"{version!r}); this hubcore speaks version {PROTOCOL_VERSION}: see hubcore.loop, and name it in the class"
        )
    remedy = "a newer hubcore" if version > PROTOCOL_VERSION else "a newer release of the backend"
    raise ImportError(
        f"{name} was written for version {version} of the Loop protocol and this hubcore speaks version "
        f"{PROTOCOL_VERSION}; install {remedy}"
    )


def entry_points() -> Iterator[tuple[str, str]]:
    """Yield name and target of each backend that installed distributions register in the group hubcore.backends."""
    from importlib import metadata

    for entry in metadata.entry_points(group=ENTRY_POINT_GROUP):
        yield entry.name, entry.value


def available() -> dict[str, type[Loop] | ImportError]:
    """Return every known backend by name: its loop class, or the error that says why it is not available."""
    found: dict[str, type[Loop] | ImportError] = {}
    for name in [*BUILT_IN, *(name for name, _ in entry_points() if name not in BUILT_IN)]:
        try:
            found[name] = _load(name)
        except ImportError as error:
            found[name] = error
    return found


def _what_there_is() -> str:
    ready, missing = [], []
    for name, found in available().items():
        if isinstance(found, ImportError):
            missing.append(f"{name} ({found})")
        else:
            ready.append(name)
    text = f"Available: {', '.join(ready)}; or package.module:Class"
    return text + (f". Not available: {'; '.join(missing)}" if missing else "")
