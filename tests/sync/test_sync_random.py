"""Every primitive under random use by greenlets and a foreign thread, against a model; see sync_plays.

A failure names the play and its seed.
"""

import pytest

from tests.support.patched_condition import use_cooperative_locks
from tests.support.queue_plays import ChannelPlay, QueuePlay, ShutDownPlay
from tests.support.sync_plays import (
    BarrierPlay,
    ConditionPlay,
    EventPlay,
    Foreign,
    PatchedConditionPlay,
    RLockPlay,
    SemaphorePlay,
    play,
)

PLAYS = [
    SemaphorePlay,
    RLockPlay,
    EventPlay,
    ConditionPlay,
    PatchedConditionPlay,
    BarrierPlay,
    QueuePlay,
    ShutDownPlay,
    ChannelPlay,
]
SEEDS = {"virtual": 800}


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLAYS)
def test_what_the_model_says_is_true(hub, kind, monkeypatch):
    foreign = Foreign()
    if kind is PatchedConditionPlay:
        use_cooperative_locks(monkeypatch)
    try:
        for seed in range(SEEDS.get(hub.backend, 10)):
            play(hub, kind, seed, foreign)
    finally:
        foreign.close()
