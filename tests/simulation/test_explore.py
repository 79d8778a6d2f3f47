"""Many seeds, reduction, replay; faults that fire and are counted; runs that do not replay."""

import random
import time

import pytest

from hubcore import sleep, socket, spawn
from hubcore.testing import sim
from hubcore.testing.sim._explore import from_json, search
from hubcore.testing.sim._settings import order_for
from hubcore.testing.sim._shrink import _minimal
from tests.simulation.worlds import echo, here


def quick(main, *args, **settings):
    """Explore in this process."""
    return sim.explore(main, *args, fork=False, **{"order": "fifo", "shrink": 5.0, **settings})


def test_nothing_is_found_where_nothing_is_wrong():
    seeds = []
    assert quick(lambda simulation: seeds.append(simulation.seed), seeds=5) is None
    assert seeds == [0, 0, 1, 2, 3, 4]  # the first one twice
    seeds.clear()
    quick(lambda simulation: seeds.append(simulation.seed), seeds=[7, 3])
    assert seeds == [7, 7, 3]


def test_the_orders_are_drawn_from_the_seed():
    assert {order_for(seed, "mixed") for seed in range(30)} == {"fifo", "random", "pct"}
    assert order_for(5, "pct") == "pct"


def partitioned_in_vain(simulation):
    """Fails if the third host was cut off from the test at a certain time."""
    for name in ("a", "b", "c"):
        simulation.host(name, echo)
    simulation.faults("partition", "pause", every=(0.5, 1.5), lasting=(1, 2), until=30)
    while simulation.now < 30:
        try:
            socket.create_connection(("c", 7), timeout=0.5).close()
        except TimeoutError:
            raise AssertionError("c cannot be reached") from None
        sleep(0.3)


def test_a_failure_is_reduced_to_the_fault_that_matters():
    with pytest.raises(sim.SimulationFailure) as caught:
        quick(partitioned_in_vain, seeds=50)
    failure = caught.value
    assert isinstance(failure.error, AssertionError)
    assert failure.__cause__ is failure.error
    (fault,) = failure.faults
    assert fault.kind == "partition"
    assert fault.lasting <= 2
    text = str(failure)
    assert text.startswith("AssertionError: c cannot be reached\nseed ")
    assert "fault" in text
    assert "faults that fired: partition" in text
    assert failure.log == text.split("\n    ")[-len(failure.log) :] or failure.log[0] in text
    # Replayed, it fails; without the fault, it does not.
    with pytest.raises(AssertionError, match="cannot be reached"):
        here(partitioned_in_vain, seed=failure.seed, faults=failure.faults)
    here(partitioned_in_vain, seed=failure.seed, faults=[])


def racing(simulation):
    """Fails if the greenlets that add run in another order than that of their start."""
    order = []
    for greenlet in [spawn(order.append, number) for number in range(4)]:
        greenlet.join()
    assert order == sorted(order), "out of order"


def test_a_failure_that_needs_another_order_says_which_changes():
    failure = search(
        racing, (), seeds=50, shrink=5.0, fork=False, timeout=100, order="random", latency=0.001, faults=None
    )
    assert failure.reduction.fifo_fails is False
    assert len(failure.reduction.settings.only) == 1
    assert "1 change of order needed" in failure.lines()[0]
    settings, warnings = from_json(failure.as_json())
    assert settings == failure.reduction.settings
    assert warnings == []
    here(racing, order="fifo", seed=failure.first.seed)


@pytest.mark.parametrize("text", ["{}", '{"seed": 1}', "[]", '{"seed": "x", "timeout": 1, "order": "fifo"}'])
def test_a_file_that_is_none_is_refused(text):
    with pytest.raises((ValueError, TypeError)):
        from_json(text)


@pytest.mark.parametrize("needed", [[], [3], [0, 19], [2, 7, 11], list(range(20))])
def test_delta_debugging_leaves_what_is_needed(needed):
    tries = []

    def fails(items):
        tries.append(items)
        return set(needed) <= set(items)

    assert _minimal(list(range(20)), fails) == (needed or [0]) or (
        not needed and len(_minimal(list(range(20)), fails)) == 1
    )
    assert len(tries) < 500


def test_the_reduction_keeps_to_its_budget():
    def main(simulation):
        simulation.host("a")
        simulation.faults(every=(0.1, 0.2), until=20)
        time.sleep(0.05)  # real
        sleep(20)
        raise AssertionError("always")

    start = time.monotonic()
    with pytest.raises(sim.SimulationFailure):
        quick(main, seeds=1, shrink=0.0)
    assert time.monotonic() - start < 10


def test_a_program_that_does_not_replay_is_told_apart_and_where():
    drawn = random.SystemRandom()
    real = []

    def main(simulation):
        sleep(5)
        real.append(None)
        for _ in range(len(real)):  # what is left of the run before: another state each time
            sleep(1)

    assert drawn
    with pytest.raises(sim.Nondeterminism, match=r"two runs of seed 0 differ(?s:.*)event \d+, one run(?s:.*)the other"):
        quick(main, seeds=3)


# -- the kinds of faults

KINDS = ["partition", "kill", "crash", "pause", "reset", "clock", "slow", "disk"]


def busy(simulation, kind):
    """A world in which a fault of each kind has something to happen to."""

    def serve(name):
        path = simulation.hosts[name].path
        open(f"{path}/file", "a").close()
        echo()

    for name in ("a", "b"):
        simulation.host(name, serve, name)
    simulation.faults(kind, every=(0.5, 1.0), lasting=(0.2, 0.4), until=20)
    kept = []
    while simulation.now < 20:
        try:
            kept.append(socket.create_connection((simulation.random.choice("ab"), 7), timeout=0.2))
        except OSError:
            pass
        sleep(0.2)
    sleep(2)
    alive = [host.alive for host in simulation.hosts.values()]
    for connection in kept:
        connection.close()
    # All is well again: what must recover can be asked for.
    for name in ("a", "b"):
        socket.create_connection((name, 7), timeout=5).close()
    return alive, [event.kind for event in simulation.log]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_fires_shows_in_the_log_and_is_over_at_the_end(kind):
    alive, kinds = here(busy, kind, seed=3)
    assert all(alive)
    assert kinds.count("was reset" if kind == "reset" else kind) >= 5
    assert kinds.count("start") >= 3


def test_faults_that_hit_nothing_are_counted_as_such():
    def main(simulation):
        simulation.host("a").kill()
        simulation.faults("kill", every=(1, 1), lasting=(0.1, 0.1), until=4.5)
        sleep(10)
        raise KeyError

    with pytest.raises(KeyError) as caught:
        here(main)
    assert "faults that fired: kill 0 of 4 (4 fell on a host that was down)" in caught.value.__notes__[0]


def test_faults_that_are_given_replace_those_that_would_be_drawn():
    def main(simulation):
        simulation.host("a")
        simulation.faults("kill", until=50)
        sleep(60)
        return [
            (round(event.time), event.kind, event.host) for event in simulation.log if event.kind in ("kill", "start")
        ]

    given = [sim.Fault(7.0, "kill", ("a",), 3.0), sim.Fault(20.0, "kill", ("nowhere",), 1.0)]
    assert here(main, faults=given)[2:] == [(7, "kill", "a"), (10, "start", "a")]
    assert here(main, faults=[[7, "kill", ["a"], 3]])[2:] == [(7, "kill", "a"), (10, "start", "a")]  # as JSON has it
    assert str(given[0]) == "7.000 s  kill a for 3 s"


def test_what_a_fault_draws_does_not_depend_on_the_others():
    def main(simulation):
        host = simulation.host("a")
        seen = []
        while simulation.now < 30:
            sleep(1)
            seen.append(host.clock_here.offset)
        return {round(offset, 9) for offset in seen if offset}

    first, second = sim.Fault(5.0, "clock", ("a",), 3.0), sim.Fault(15.0, "clock", ("a",), 3.0)
    both = here(main, faults=[first, second])
    assert len(both) == 2
    assert here(main, faults=[first]) | here(main, faults=[second]) == both


def test_each_order_replays():
    def main(simulation):
        order = []

        def work(number):
            for _ in range(3):
                order.append(number)
                sleep(0)

        for greenlet in [spawn(work, number) for number in range(5)]:
            greenlet.join()
        return order

    found = {}
    for order in ("fifo", "random", "pct"):
        found[order] = [here(main, seed=seed, order=order) for seed in range(5)]
        assert found[order] == [here(main, seed=seed, order=order) for seed in range(5)]
    assert len({tuple(each) for each in found["fifo"]}) == 1
    assert len({tuple(each) for each in found["random"]}) == 5
    assert len({tuple(each) for each in found["pct"]}) > 1


@pytest.mark.parametrize("order", ["random", "pct"])
def test_no_order_starves_a_greenlet_that_others_wait_for(order):
    def main(simulation):
        done = []
        spawn(done.append, 1)
        while not done:
            sleep(0)
        return simulation.now

    for seed in range(20):
        assert here(main, seed=seed, order=order) < 1
