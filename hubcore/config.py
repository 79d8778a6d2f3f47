"""Settings, as plain module variables; set them before the first hub is made.

An environment variable of the same name with HUB_ or HUBCORE_ in front gives the value at start.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.loop import Loop


def _number(variable: str, default: int, least: int = 0) -> int:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    if not text.isdecimal() or int(text) < least:
        raise ValueError(f"{variable} is {text!r}; it takes a whole number of {least} or more")
    return int(text)


#: Which backend new hubs use: a name, a list separated by commas, `package.module:Class`, a Loop class, or None to let
#: HUB_BACKEND and then the default decide.
backend: str | type[Loop] | None = None

#: How many 16 KiB chunks of ended greenlets' stacks are kept for new ones; 0 turns the cache off. Read once, at import.
arena_cache: int = _number("HUBCORE_ARENA_CACHE", 1024)

#: Whether a greenlet remembers the whole stack that spawned it, and not only the line.
track_spawning_stack: bool = os.environ.get("HUBCORE_TRACK_SPAWNING_STACK", "0") == "1"

#: How many threads at most look up names at once.
resolver_threads: int = _number("HUBCORE_RESOLVER_THREADS", 10, 1)
