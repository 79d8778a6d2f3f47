"""The heap of deadlines behaves as a list sorted by time and start order."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hubcore
from hubcore import sleep, spawn
from hubcore._core.deadlines import Deadline, DeadlineHeap


class Numbered(Deadline):
    """Notes when it fires."""

    def __init__(self, number, fired):
        super().__init__()
        self.number = number
        self.fired = fired

    def _fire(self, now):
        self.fired.append((self.number, now))


NUMBERS = st.integers(0, 29)
TIMES = st.one_of(st.integers(0, 5).map(float), st.floats(0, 5, allow_subnormal=False))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), NUMBERS, TIMES),
        st.tuples(st.just("remove"), NUMBERS, st.none()),
        st.tuples(st.just("set_ref"), NUMBERS, st.booleans()),
        st.tuples(st.just("fire_due"), st.none(), TIMES),
    ),
    max_size=200,
)


@given(STEPS)
def test_it_behaves_as_a_sorted_list(steps):
    fired = []
    deadlines = [Numbered(number, fired) for number in range(30)]
    heap = DeadlineHeap()
    model = []  # of (time, start order, number)
    ref = dict.fromkeys(range(30), True)
    for order, (verb, number, value) in enumerate(steps):
        if verb == "fire_due":
            heap.fire_due(value)
            due = sorted(entry for entry in model if entry[0] <= value)
            assert fired == [(entry[2], value) for entry in due]
            fired.clear()
            model = [entry for entry in model if entry[0] > value]
        elif verb == "set_ref":
            heap.set_ref(deadlines[number], value)
            ref[number] = value
        else:
            model = [entry for entry in model if entry[2] != number]
            if verb == "add":
                heap.add(deadlines[number], value)
                model.append((value, order, number))
            else:
                heap.remove(deadlines[number])
        assert len(heap) == len(model)
        assert heap.earliest() == min(model)[0] if model else heap.earliest() == inf
        assert heap.refs == sum(ref[entry[2]] for entry in model)
        assert [deadline.scheduled for deadline in deadlines] == [
            any(entry[2] == number for entry in model) for number in range(30)
        ]
    heap.fire_due(inf)
    assert [number for number, _ in fired] == [entry[2] for entry in sorted(model)]
    assert (len(heap), heap.refs) == (0, 0)


def test_equal_times_fire_in_start_order():
    fired = []
    heap = DeadlineHeap()
    for number in range(1000):
        heap.add(Numbered(number, fired), 1.0)
    heap.fire_due(1.0)
    assert [number for number, _ in fired] == list(range(1000))


def test_a_deadline_added_again_goes_to_the_end_of_its_time():
    fired = []
    heap = DeadlineHeap()
    first, second = Numbered(1, fired), Numbered(2, fired)
    heap.add(first, 1.0)
    heap.add(second, 1.0)
    heap.add(first, 1.0)
    heap.fire_due(2.0)
    assert [number for number, _ in fired] == [2, 1]


def test_what_is_added_while_firing_waits_for_the_next_call():
    class Again(Numbered):
        def _fire(self, now):
            super()._fire(now)
            heap.add(self, 0.0)

    fired = []
    heap = DeadlineHeap()
    again = Again(1, fired)
    heap.add(again, 0.0)
    heap.fire_due(5.0)
    assert len(fired) == 1
    heap.fire_due(5.0)
    assert len(fired) == 2


def test_what_is_removed_while_firing_does_not_fire():
    class Killer(Numbered):
        def _fire(self, now):
            super()._fire(now)
            for victim in victims:
                heap.remove(victim)

    fired = []
    heap = DeadlineHeap()
    victims = [Numbered(number, fired) for number in range(10)]
    heap.add(Killer("killer", fired), 1.0)
    for victim in victims:
        heap.add(victim, 1.0)
    heap.fire_due(1.0)
    assert fired == [("killer", 1.0)]
    assert heap.refs == 0


def test_it_is_out_of_the_heap_when_it_fires():
    class Looks(Numbered):
        def _fire(self, now):
            self.fired.append((self.scheduled, len(heap), self.at))

    fired = []
    heap = DeadlineHeap()
    heap.add(Looks(1, fired), 2.0)
    heap.fire_due(3.0)
    assert fired == [(False, 0, 2.0)]


def test_one_for_ever_never_fires():
    fired = []
    heap = DeadlineHeap()
    forever = Numbered(1, fired)
    heap.add(forever, inf)
    heap.fire_due(1e300)
    assert fired == []
    assert heap.earliest() == inf
    heap.remove(forever)
    heap.remove(forever)
    assert len(heap) == 0


def test_a_deadline_must_say_what_happens():
    heap = DeadlineHeap()
    heap.add(Deadline(), 0.0)
    with pytest.raises(NotImplementedError, match="does not implement _fire"):
        heap.fire_due(1.0)


def test_nothing_can_be_due_at_nan_which_would_keep_all_else_from_being_due():
    heap = DeadlineHeap()
    with pytest.raises(ValueError, match="nan"):
        heap.add(Deadline(), float("nan"))
    assert len(heap) == heap.refs == 0


def test_a_timeout_of_nan_is_an_error_of_the_call_and_stops_no_other_timer(hub):
    nan = float("nan")
    sleeper = spawn(sleep, 10)
    for call in (
        lambda: hub.park(hub.new_waiter("nothing"), nan),
        lambda: sleeper.join(nan),
        lambda: sleeper.get(timeout=nan),
        lambda: hubcore.wait([sleeper], nan),
        lambda: hubcore.joinall([sleeper], nan),
        lambda: hub.join(nan),
    ):
        with pytest.raises(ValueError, match="nan"):
            call()
    sleep(0.001)
    assert not sleeper.has_links()
    sleeper.kill()
