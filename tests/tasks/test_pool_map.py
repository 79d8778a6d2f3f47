"""apply, map, imap and their variants, in greenlets and in threads."""

import pytest

import hubcore
from hubcore import GreenletExit, Timeout, spawn
from hubcore.pool import Group, Pool
from hubcore.testing import settle
from hubcore.threadpool import ThreadPool

pytestmark = pytest.mark.usefixtures("hub")
UNIT = 0.01  # seconds, because backends but the virtual one really wait


def sleep(units):
    hubcore.sleep(units * UNIT)


@pytest.fixture(
    params=[Group, lambda: Pool(3), lambda: Pool(1), lambda: ThreadPool(3)], ids=["group", "3", "1", "threads"]
)
def pool(request):
    made = request.param()
    yield made
    assert hubcore.wait(timeout=20)


def double(number):
    return 2 * number


def fails_at(*bad):
    def call(number):
        if number in bad:
            raise ValueError(number)
        return number

    return call


def broken_input():
    yield 1
    yield 2
    raise RuntimeError("input")


def steps(iterator, count):
    found = []
    for _ in range(count):
        try:
            found.append(next(iterator))
        except Exception as error:
            found.append(type(error))
    return found


def test_map_keeps_the_order(pool):
    assert pool.map(double, range(50)) == [2 * i for i in range(50)]
    assert pool.map(double, iter([])) == []


def test_map_raises_the_first_failure_in_the_order_of_items(pool):
    with pytest.raises(ValueError, match="3"):
        pool.map(fails_at(3, 5), range(10))


def test_the_other_calls_of_a_failing_map_are_made(pool):
    called = []

    def call(number):
        called.append(number)
        if number == 1:
            raise ValueError(number)

    with pytest.raises(ValueError, match="1"):
        pool.map(call, range(20))
    while len(called) < 20:
        hubcore.sleep(0.001)
    assert sorted(called) == list(range(20))


def test_an_input_that_fails_ends_a_map(pool):
    with pytest.raises(RuntimeError, match="input"):
        pool.map(double, broken_input())
    with pytest.raises(ValueError, match="1"):
        pool.map(fails_at(1), broken_input())


@pytest.mark.parametrize("wrong", ["function", "items"])
def test_what_cannot_be_mapped(pool, wrong):
    for name in ("map", "imap", "imap_unordered"):
        with pytest.raises(TypeError):
            getattr(pool, name)(*((3, [1]) if wrong == "function" else (double, 3)))
    with pytest.raises(ValueError, match="maxsize"):
        pool.imap(double, [1], maxsize=0)


def test_imap_gives_results_in_order_and_goes_on_after_a_failure(pool):
    assert list(pool.imap(double, range(20))) == [2 * i for i in range(20)]
    assert list(pool.imap(max, [1, 5, 2], [4, 3, 2])) == [4, 5, 2]
    assert steps(pool.imap(fails_at(1), range(3)), 5) == [0, ValueError, 2, StopIteration, StopIteration]
    assert steps(pool.imap(double, broken_input()), 4) == [2, 4, RuntimeError, StopIteration]
    assert list(pool.imap(double)) == []


def test_imap_unordered_gives_them_all(pool):
    assert sorted(pool.imap_unordered(double, range(20))) == [2 * i for i in range(20)]
    found = steps(pool.imap_unordered(fails_at(1), range(3)), 5)
    assert sorted(each for each in found if isinstance(each, int)) == [0, 2]
    assert found.count(ValueError) == 1
    assert found[3:] == [StopIteration, StopIteration]
    found = steps(pool.imap_unordered(double, broken_input()), 4)
    assert found[2:] == [RuntimeError, StopIteration]


def test_imap_unordered_gives_what_is_there_first():
    def work(seconds):
        sleep(seconds)
        return seconds

    assert list(Pool(3).imap_unordered(work, [3, 1, 2])) == [1, 2, 3]
    assert list(Pool(3).imap(work, [3, 1, 2])) == [3, 1, 2]


@pytest.mark.parametrize("name", ["imap", "imap_unordered"])
def test_maxsize_holds_the_input_back(pool, name):
    read = []

    def items():
        for number in range(10):
            read.append(number)
            yield number

    iterator = getattr(pool, name)(double, items(), maxsize=2)
    hubcore.sleep(0.05)
    assert read == [0, 1]
    found = [next(iterator)]
    hubcore.sleep(0.05)
    assert read == [0, 1, 2]
    assert sorted(found + list(iterator)) == [2 * i for i in range(10)]


@pytest.mark.parametrize("name", ["imap", "imap_unordered"])
def test_a_dropped_iterator_leaves_no_greenlet(name):
    pool = Pool(2)
    iterator = getattr(pool, name)(double, range(100), maxsize=2)
    next(iterator)
    del iterator
    settle(hubcore.get_hub())
    assert hubcore.get_hub().parked.count == 0


def test_a_dropped_iterator_without_maxsize_still_has_the_calls_made():
    pool, called = Pool(2), []
    pool.imap(called.append, range(10))
    sleep(1)
    assert called == list(range(10))


def test_a_step_of_imap_that_timed_out_can_be_taken_again():
    iterator = Pool(2).imap(lambda seconds: sleep(seconds) or seconds, [2, 1])
    with pytest.raises(Timeout), Timeout(1 * UNIT):
        next(iterator)
    assert list(iterator) == [2, 1]


def test_two_may_share_one_iterator():
    iterator = Pool(3).imap_unordered(double, range(10))
    first, second = spawn(list, iterator), spawn(list, iterator)
    assert sorted(first.get() + second.get()) == [2 * i for i in range(10)]


def test_a_killed_map_starts_no_further_call():
    pool, called = Pool(2), []

    def work(number):
        called.append(number)
        sleep(10)

    mapping = spawn(pool.map, work, range(10))
    sleep(1)
    mapping.kill()
    assert len(pool) == 2
    pool.join()
    assert called == [0, 1]


def test_a_killed_call_has_its_greenlet_exit_as_result():
    pool = Pool(2)
    mapping = spawn(pool.map, sleep, [10, 20])
    sleep(1)
    pool.kill()
    assert [type(each) for each in mapping.get()] == [GreenletExit, GreenletExit]


def test_a_timeout_within_a_call_comes_out_of_the_map(pool):
    def call(number):
        raise Timeout(7)

    with pytest.raises(Timeout):
        pool.map(call, [1])


def test_failures_of_mapped_calls_are_the_mappings_alone(caplog):
    pool = Pool(2)
    with pytest.raises(ValueError, match="1"):
        pool.map(fails_at(1), range(3))
    assert pool.join(raise_error=True)
    assert not caplog.records


def test_apply_calls_with_arguments_and_raises(pool):
    assert pool.apply(dict, ([("a", 1)],), {"b": 2}) == {"a": 1, "b": 2}
    with pytest.raises(ValueError, match="2"):
        pool.apply(fails_at(2), (2,))


def test_apply_within_a_member_needs_no_room(pool):
    assert pool.apply(lambda: pool.apply(lambda: "inner")) == "inner"


def test_callbacks_get_results(pool):
    said = []
    assert pool.apply_cb(double, (2,), callback=said.append) == 4
    assert pool.map_cb(double, [1], callback=said.append) == [2]
    assert pool.map_async(double, [2, 3], said.append).get() == [4, 6]
    assert pool.apply_async(double, (5,), callback=said.append).get() == 10
    while len(said) < 4:
        hubcore.sleep(0.001)
    assert sorted(map(str, said)) == sorted(["4", "[2]", "[4, 6]", "10"])


def test_apply_async_does_not_wait_for_room():
    pool = Pool(1)
    pool.spawn(sleep, 1)
    said = []
    later = pool.apply_async(double, (1,), callback=said.append)
    assert pool.full()
    assert later.get() == 2
    settle(hubcore.get_hub())
    assert said == [2]


@pytest.mark.parametrize("made", [Group, lambda: Pool(3), lambda: Pool(None)], ids=["group", "3", "any"])
def test_who_joins_finds_the_callbacks_called(made):
    pool = made()
    said = []
    for number in range(3):
        pool.apply_async(double, (number,), callback=said.append)
    pool.join()
    assert said == [0, 2, 4]


def test_apply_async_with_a_callback_hides_no_failure(caplog):
    pool = Pool(1)
    said = []
    pool.apply_async(double, (None,), callback=said.append)
    pool.join()
    assert said == []
    assert len(caplog.records) == 1
    assert "TypeError" in caplog.text
