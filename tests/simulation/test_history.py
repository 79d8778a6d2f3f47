"""Histories: the search against a brute force, and what is told of one that nothing explains."""

import itertools
import random
from math import inf

import pytest

from hubcore.testing import sim
from hubcore.testing.sim._history import Operation, Search


def brute_force(model, operations):
    """Whether some order of the operations, those that may not have happened left out or not, is right."""
    must = [each for each in operations if each.ended < inf]
    may = [each for each in operations if each.ended == inf]
    for count in range(len(may) + 1):
        for some in itertools.combinations(may, count):
            for order in itertools.permutations([*must, *some]):
                if any(later.ended < earlier.began for i, earlier in enumerate(order) for later in order[i + 1 :]):
                    continue
                state = model.init
                for each in order:
                    right, state = model.step(state, each.name, each.argument, each.result)
                    if not right:
                        break
                else:
                    return True
    return False


def drawn_history(rng):
    """A few operations of two or three processes on a register, of which some ended and some may have happened."""
    events = []
    for process in range(rng.randint(1, 3)):
        events += [process] * (2 * rng.randint(1, 2))
    rng.shuffle(events)
    open_since, operations = {}, []
    for number, process in enumerate(events, 1):
        if process not in open_since:
            open_since[process] = number
            continue
        began = open_since.pop(process)
        name = rng.choice(["read", "write", "cas"])
        argument = {"read": None, "write": rng.randint(0, 2), "cas": (rng.randint(0, 2), rng.randint(0, 2))}[name]
        result = {"read": rng.randint(0, 2), "write": None, "cas": rng.random() < 0.5}[name]
        ended = float(number)
        if rng.random() < 0.2:
            ended, result = inf, sim.UNKNOWN
        operations.append(Operation(process, name, argument, result, began, ended, 0.0))
    return sorted(operations, key=lambda each: each.began)


def check_drawn_history(rng):
    """Whether an order explains a history that is drawn; AssertionError where search and brute force differ."""
    model = sim.CasRegister(0)
    operations = drawn_history(rng)
    answer = Search(model, operations).run()
    assert answer == brute_force(model, operations), operations
    return answer


@pytest.mark.parametrize("rounds", [2000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_the_search_agrees_with_a_brute_force(rounds):
    answers = [check_drawn_history(random.Random(f"history {number}")) for number in range(rounds)]
    assert 0.1 < sum(answers) / len(answers) < 0.9


def history_of(*operations):
    """A history of operations one after the other: process, name, argument, result."""
    history = sim.History()
    for process, name, argument, result in operations:
        with history.call(process, name, *([] if argument is None else [argument])) as call:
            call.returned(result)
    return history


def test_a_stale_read_is_told_with_what_was_beside_it():
    history = history_of(
        ("a", "write", 1, None), ("b", "write", 2, None), ("a", "read", None, 1), ("b", "read", None, 2)
    )
    with pytest.raises(sim.NotLinearizable) as caught:
        history.check(sim.Register())
    text = str(caught.value)
    assert "this one cannot be placed: 0.0000 a: read() -> 1" in text
    assert "the state could be: 2" in text
    assert len(caught.value.operations) == 3  # the shortest beginning
    assert caught.value.in_question[0].result == 1


def test_an_exception_leaves_open_whether_it_happened_and_refused_says_that_it_did_not():
    for seen, refused, right in ((None, False, True), (5, False, True), (5, True, False)):
        history = sim.History()
        with pytest.raises(TimeoutError), history.call("a", "write", 5) as call:
            if refused:
                call.refused()
            raise TimeoutError
        with history.call("b", "read") as call:
            call.returned(seen)
        if right:
            history.check(sim.Register)
        else:
            with pytest.raises(sim.NotLinearizable):
                history.check(sim.Register)


def test_an_operation_under_way_may_have_happened():
    history = sim.History()
    with history.call("a", "write", 5):
        with history.call("b", "read") as call:
            call.returned(5)
        history.check(sim.Register())
        assert len(history) == 1
        assert len(history.operations) == 2


def test_operations_side_by_side_come_in_any_order_that_explains_them():
    history = sim.History()
    with history.call("a", "write", 1):
        with history.call("b", "write", 2):
            pass
        with history.call("c", "read") as call:
            call.returned(2)
    with history.call("c", "read") as call:
        call.returned(1)
    history.check(sim.Register())


def test_counter_and_keys():
    history_of(("a", "add", 2, 2), ("b", "add", 3, None), ("a", "read", None, 5)).check(sim.Counter)
    with pytest.raises(sim.NotLinearizable):
        history_of(("a", "add", 2, 2), ("a", "read", None, 3)).check(sim.Counter)
    history = sim.History()
    for name, argument, result in (
        ("put", ("x", 1), None), ("put", ("y", 2), None), ("get", ("x",), 1), ("cas", ("y", 2, 3), True),
        ("cas", ("y", 2, 4), False), ("delete", ("x",), None), ("get", ("x",), None), ("get", ("y",), 3),
    ):  # fmt: skip
        with history.call("a", name, *argument) as call:
            call.returned(result)
    history.check(sim.KeyValue())
    with history.call("a", "get", "y") as call:
        call.returned(2)
    with pytest.raises(sim.NotLinearizable, match="of key 'y'"):
        history.check(sim.KeyValue())


def test_a_model_of_ones_own():
    class Stack:
        init = ()

        def step(self, state, operation, argument, result):
            if operation == "push":
                return True, (*state, argument)
            return result is sim.UNKNOWN or state[-1:] == (result,), state[:-1]

    history_of(("a", "push", 1, None), ("a", "push", 2, None), ("b", "pop", None, 2)).check(Stack)
    with pytest.raises(sim.NotLinearizable):
        history_of(("a", "push", 1, None), ("a", "push", 2, None), ("b", "pop", None, 1)).check(Stack)


def test_bad_input():
    history = history_of(("a", "jump", None, None))
    with pytest.raises(ValueError, match="Register has no operation 'jump'; it has 'read' and 'write'"):
        history.check(sim.Register)
    with pytest.raises(TypeError, match="init and step"):
        history.check(object())
    with pytest.raises(TypeError, match="by its name"):
        history.call("a", 5)


def test_a_history_that_takes_too_long_says_what_to_do(monkeypatch):
    monkeypatch.setattr("hubcore.testing.sim._history.MOST_STATES", 1000)
    history = sim.History()
    for number in range(30):
        with pytest.raises(TimeoutError), history.call(number, "write", number):
            raise TimeoutError
    with history.call("a", "read") as call:
        call.returned("never written")
    with pytest.raises(RuntimeError, match="fewer operations at a time"):
        history.check(sim.Register)
