"""guest: the hub of a thread in which an asyncio loop runs already."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from hubcore.backends.asyncio_ import AsyncioLoop, waits_in_hub
from hubcore.hub import Hub, get_hub, get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def guest() -> AsyncIterator[Hub]:
    """See hubcore.aio.guest."""
    host = asyncio.get_running_loop()
    if waits_in_hub(host):
        yield get_hub()
        return
    hub = get_hub_if_any()
    if hub is not None and not isinstance(hub.loop, AsyncioLoop):
        if hub.parked.count or len(hub.ready) or len(hub.loop.deadlines):
            raise RuntimeError(
                f"this thread has a hub in use already, {hub!r}; enter guest() before greenlets are spawned, or choose "
                "HUB_BACKEND=asyncio for the whole program"
            )
        hub.destroy()
        hub = None
    own = hub is None
    if hub is None:
        hub = Hub(AsyncioLoop)
    loop = hub.loop
    assert isinstance(loop, AsyncioLoop)
    loop.begin()
    try:
        yield hub
    finally:
        if own and not hub.destroyed:
            loop.leave()
            hub.destroy()
