"""Group and Pool: adding and removing members, handing over room, killing and joining."""

import gc
import weakref

import pytest

import hubcore
from hubcore import Greenlet, GreenletExit, Timeout, spawn
from hubcore.event import Event
from hubcore.pool import Group, Pool, PoolFull, pass_value
from hubcore.testing import settle

pytestmark = pytest.mark.usefixtures("hub")
UNIT = 0.01  # seconds, because backends but the virtual one really wait


def sleep(units):
    hubcore.sleep(units * UNIT)


def fail(error):
    raise error


@pytest.fixture
def quiet(hub):
    """Failures here are meant."""
    hub.exception_stream = None


def test_members_leave_when_they_end():
    group, go = Group(), Event()
    first, second = group.spawn(sleep, 1), group.spawn(go.wait)
    assert len(group) == 2
    assert first in group
    assert set(group) == {first, second}
    first.join()
    assert list(group) == [second]
    assert group.join(timeout=0.1 * UNIT) is False
    go.set()
    assert group.join() is True
    assert not len(group)
    assert group.join() is True


def test_a_group_begins_with_what_it_is_given_and_takes_what_has_ended():
    ended = spawn(int)
    ended.join()
    group = Group([spawn(sleep, 1), ended])
    assert len(group) == 1
    group.add(next(iter(group)))
    assert len(group) == 1
    group.join()
    assert len(Group(spawn(int), spawn(int))) == 2


def test_discarded_is_not_killed():
    group = Group()
    member = group.spawn(sleep, 1)
    group.discard(member)
    group.discard(member)
    assert group.join() is True
    assert member.get() is None


@pytest.mark.usefixtures("quiet")
def test_join_raises_what_failed_before_it_once():
    group = Group()
    group.spawn(fail, ValueError("first"))
    sleep(1)
    group.spawn(fail, KeyError("second"))
    sleep(1)
    assert not len(group)
    assert group.join() is True
    with pytest.raises(ValueError, match="first"):
        group.join(raise_error=True)
    assert group.join(raise_error=True) is True


@pytest.mark.usefixtures("quiet")
def test_join_raises_when_all_have_ended():
    group = Group()
    group.spawn(fail, ValueError("first"))
    other = group.spawn(sleep, 5)
    with pytest.raises(ValueError, match="first"):
        group.join(raise_error=True)
    assert other.ready()


@pytest.mark.usefixtures("quiet")
def test_a_group_that_nobody_joins_keeps_no_members():
    class Argument:
        pass

    group = Group()
    kept = []
    for _ in range(5):
        argument = Argument()
        kept.append(weakref.ref(argument))
        group.spawn(fail, ValueError()).join()
        group.spawn(lambda held: None, argument).join()
    del argument
    gc.collect()
    assert not any(each() for each in kept)


def test_a_dropped_group_goes_at_once():
    group = Group()
    group.spawn(sleep, 1)
    gone = weakref.ref(group)
    del group
    assert gone() is None
    sleep(2)


def test_kill_ends_all_also_those_that_come_meanwhile():
    group = Group()
    said = []

    def stubborn():
        try:
            sleep(100)
        finally:
            group.spawn(child)

    def child():
        said.append("began")
        sleep(100)

    group.spawn(stubborn)
    hubcore.sleep(0)
    group.kill()
    assert not len(group)
    assert said in ([], ["began"])


def test_kill_returns_after_its_timeout():
    group = Group()

    def stubborn():
        try:
            sleep(100)
        except GreenletExit:
            sleep(1000)

    group.spawn(stubborn)
    hubcore.sleep(0)
    group.kill(timeout=1 * UNIT)
    assert len(group) == 1
    group.kill(block=False)
    group.join()


def test_a_member_that_kills_its_group_is_the_last():
    group = Group()
    after = []

    def killer():
        group.kill()
        after.append("not reached")

    other = group.spawn(sleep, 100)
    group.spawn(killer)
    assert group.join() is True
    assert isinstance(other.value, GreenletExit)
    assert after == []


def test_killone_ends_members_only():
    group = Group()
    member, stranger = group.spawn(sleep, 100), spawn(sleep, 1)
    group.killone(stranger)
    group.killone(member)
    assert member.dead
    assert not stranger.dead
    stranger.join()


def test_a_pool_has_room_for_its_size():
    pool = Pool(2)
    most = []

    def work():
        most.append(len(pool))
        sleep(1)

    for _ in range(6):
        pool.spawn(work)
    pool.join()
    assert len(most) == 6
    assert max(most) == 2
    assert pool.free_count() == 2
    assert not pool.full()


def test_no_room_in_time_is_pool_full():
    pool, go = Pool(1), Event()
    pool.spawn(go.wait)
    assert pool.full()
    late = Greenlet(int)
    with pytest.raises(PoolFull):
        pool.add(late, blocking=False)
    with pytest.raises(PoolFull):
        pool.start(late, timeout=1 * UNIT)
    assert pool.wait_available(UNIT) == 0
    assert late not in pool
    spawn(go.set)
    pool.start(late, timeout=2000 * UNIT)
    assert late.get() == 0
    pool.join()
    assert pool.wait_available() == 1


def test_a_pool_without_a_size_is_never_full():
    pool = Pool()
    for _ in range(50):
        pool.spawn(int)
    assert pool.free_count() == 1
    assert pool.wait_available() == 1
    pool.join()


@pytest.mark.parametrize(("size", "error"), [(-1, ValueError), ("x", TypeError), (1.5, TypeError)])
def test_a_size_that_is_none(size, error):
    with pytest.raises(error):
        Pool(size)


def test_nothing_starts_in_a_pool_of_none():
    pool = Pool(0)
    assert pool.full()
    with pytest.raises(Timeout), Timeout(1 * UNIT):
        pool.spawn(int)
    assert not len(pool)


def test_a_pool_grows_and_shrinks_as_celery_does_it():
    pool = Pool(1)
    pool.spawn(sleep, 5)
    waiting = spawn(pool.spawn, sleep, 5)
    settle(hubcore.get_hub())
    assert len(pool) == 1
    pool._semaphore.counter += 1
    pool.size += 1
    settle(hubcore.get_hub())
    assert waiting.ready()
    assert len(pool) == 2
    pool._semaphore.counter -= 1
    pool.size -= 1
    pool.join()
    pool.spawn(sleep, 1)
    assert pool.full()
    pool.join()


@pytest.mark.parametrize("moment", range(4))
def test_whoever_is_killed_while_waiting_for_room_takes_none(moment):
    pool = Pool(1)
    pool.spawn(sleep, 2)
    waiting = spawn(pool.spawn, sleep, 1)
    hubcore.sleep(0)
    sleep(moment)  # at 2 the room has just been handed over
    waiting.kill()
    pool.join()
    assert pool.free_count() == 1
    assert pool._semaphore.counter == 1


def test_room_comes_back_however_a_member_ends(quiet):
    pool = Pool(1)
    for end in (int, lambda: fail(ValueError()), lambda: fail(GreenletExit())):
        pool.spawn(end)
    pool.spawn(sleep, 100).kill()
    unstarted = Greenlet(int)
    pool.add(unstarted)
    unstarted.kill()
    discarded = pool.spawn(sleep, 1)
    pool.discard(discarded)
    assert pool.free_count() == pool._semaphore.counter == 1
    discarded.join()


def test_members_are_of_the_pools_class():
    class Special(Greenlet):
        pass

    assert isinstance(Pool(1, greenlet_class=Special).spawn(int), Special)
    assert isinstance(Pool(1).spawn(int), Greenlet)
    hubcore.sleep(0)


def test_pass_value_equals_its_callback():
    assert pass_value(sorted) == sorted
    assert hash(pass_value(sorted)) == hash(sorted)
    said = []
    spawn(int).link(pass_value(said.append))
    sleep(1)
    assert said == [0]


def test_a_size_that_is_no_whole_number_is_named():
    for size in ("x", 1.5):
        with pytest.raises(TypeError, match=f"size must be an integer, or None for any number, not {size!r}"):
            Pool(size)


def test_who_waits_for_room_is_said_to():
    pool = Pool(1)
    member = pool.spawn(lambda: pool.spawn(int).get())
    hubcore.idle()
    assert repr(member.waiting_on) == f"<room in {pool!r}>"
    member.kill()


def test_the_spawn_site_is_the_pools_callers():
    task = Pool(1).spawn(int)
    line = test_the_spawn_site_is_the_pools_callers.__code__.co_firstlineno + 1
    assert task.spawn_site == (__file__, line, "test_the_spawn_site_is_the_pools_callers")
    task.join()


def test_the_spawn_site_of_a_callback_is_the_call_that_gave_it():
    sites = []
    pool = Pool(1)
    pool.apply_async(int, callback=lambda result: sites.append(hubcore.getcurrent().spawn_site))
    pool.join()
    here = test_the_spawn_site_of_a_callback_is_the_call_that_gave_it.__code__
    assert sites == [(__file__, here.co_firstlineno + 3, here.co_name)]
    task = hubcore.spawn(int)
    task.link(lambda source: sites.append(hubcore.getcurrent().spawn_site))
    task.join()
    assert sites[1] == (__file__, here.co_firstlineno + 8, here.co_name)


def stubborn(log):
    try:
        sleep(100)
    except BaseException as error:
        log.append(type(error))
        try:
            sleep(1)
            log.append("cleaned up")
        except BaseException as again:
            log.append(type(again))


@pytest.mark.parametrize("again", ["kill", "killone"])
@pytest.mark.parametrize("kind", [Group, lambda: Pool(3)])
def test_a_group_kills_a_member_once(kind, again):
    log = []
    group = kind()
    task = group.spawn(stubborn, log)
    sleep(0)
    group.kill(block=False)
    sleep(0)
    if again == "kill":
        group.kill(ValueError)  # waits for the end
        assert task.dead
    else:
        group.killone(task, ValueError)
        assert not task.dead  # at once
    group.join()
    assert log == [GreenletExit, "cleaned up"]


def test_killone_kills_once_and_kill_of_the_greenlet_itself_kills_again():
    log = []
    group = Group()
    task = group.spawn(stubborn, log)
    sleep(0)
    group.killone(task, block=False)
    sleep(0)
    group.killone(task, block=False)
    group.kill(block=False)
    task.kill(KeyError)
    assert log == [GreenletExit, KeyError]


def test_a_member_that_left_and_came_again_can_be_killed_again():
    log = []
    group = Group()
    task = group.spawn(stubborn, log)
    sleep(0)
    group.kill(block=False)
    sleep(0)
    group.discard(task)
    group.add(task)
    group.kill(KeyError)
    assert log == [GreenletExit, KeyError]
