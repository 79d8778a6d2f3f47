"""Channels between greenlets of any threads, and threads without a hub; and select over several channels.

    send, receive = open_channel(10)

`send` and `receive` are the two ends. Either can be cloned; each clone is closed separately. After the last sending end
is closed, receivers get the items that are left and then the end of the channel, which ends their iteration.
"""

from __future__ import annotations

from queue import Empty, Full

from hubcore._base.package import publish_all
from hubcore._queues.memory_channel import ChannelStatistics, ReceiveChannel, SendChannel, open_channel
from hubcore._queues.selection import seed_select, select
from hubcore.exceptions import BrokenChannel, ChannelError, ClosedChannel, EndOfChannel

__all__ = [
    "BrokenChannel",
    "ChannelError",
    "ChannelStatistics",
    "ClosedChannel",
    "Empty",
    "EndOfChannel",
    "Full",
    "ReceiveChannel",
    "SendChannel",
    "open_channel",
    "seed_select",
    "select",
]


publish_all(globals())
