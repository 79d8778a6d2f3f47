"""Every primitive under random use by greenlets and a foreign thread, against a model; see sync_plays.

A failure names the play and its seed.
"""

import pytest

from tests.support.queue_plays import ChannelPlay, QueuePlay, ShutDownPlay
from tests.support.sync_plays import BarrierPlay, ConditionPlay, EventPlay, Foreign, RLockPlay, SemaphorePlay, play

PLAYS = [
    SemaphorePlay,
    RLockPlay,
    EventPlay,
    ConditionPlay,
    BarrierPlay,
    QueuePlay,
    ShutDownPlay,
    ChannelPlay,
]
SEEDS = {"virtual": 800}


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLAYS)
def test_what_the_model_says_is_true(hub, kind):
    foreign = Foreign()
    try:
        for seed in range(SEEDS.get(hub.backend, 10)):
            play(hub, kind, seed, foreign)
    finally:
        foreign.close()
