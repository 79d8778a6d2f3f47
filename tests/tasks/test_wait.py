"""Waiting for several: joinall, wait, iwait."""

import pytest

import hubcore
from hubcore import Greenlet, Timeout, iwait, joinall, sleep, spawn, spawn_later, wait
from hubcore._sync.wait import _Gathering
from hubcore.event import Event


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


def boom():
    raise ValueError("boom")


def failing(seconds=0.0):
    task = spawn_later(seconds, boom)
    task._add_observer()  # it is meant to fail: not to be reported
    return task


def staggered(n=3):
    return [spawn_later(0.01 * (n - i), int, i) for i in range(n)]


def test_joinall_returns_what_has_ended_in_the_order_of_ending():
    tasks = staggered()
    assert joinall(tasks) == tasks[::-1]
    assert joinall(tasks) == tasks, "those that had ended come in the order given"
    assert joinall([]) == []
    assert joinall(iter(tasks)) == tasks


def test_joinall_stops_at_its_timeout_and_at_its_count():
    tasks = [*staggered(2), spawn(sleep, 100)]
    assert joinall(tasks, timeout=0.2) == [tasks[1], tasks[0]]
    assert joinall(tasks, count=1) == [tasks[0]]
    assert joinall(tasks, count=0) == []
    assert not tasks[2].has_links()
    tasks[2].kill()
    assert len(joinall(tasks, count=10)) == 3


def test_joinall_does_not_raise_failures_unless_asked_to():
    tasks = [failing(), spawn(int)]
    assert set(joinall(tasks)) == set(tasks)
    with pytest.raises(ValueError, match="boom"):
        joinall(tasks, raise_error=True)


def test_joinall_with_raise_error_raises_as_soon_as_one_fails_and_reports_nothing(caplog):
    slow = spawn(sleep, 1)
    with pytest.raises(ValueError, match="boom"):
        joinall([slow, spawn(boom)], raise_error=True)
    assert not slow.ready()
    assert not slow.has_links()
    assert not caplog.records
    slow.kill()


def test_wait_returns_what_is_ready():
    go = Event()
    tasks = [spawn(go.wait), spawn(go.wait), spawn(int)]
    assert wait(tasks, count=1) == [tasks[2]]
    assert wait(tasks, timeout=0) == [tasks[2]]
    go.set()
    assert set(wait(tasks)) == set(tasks)


def test_wait_for_nothing_in_particular_waits_until_nothing_is_left():
    slow = spawn(sleep, 0.2)
    assert wait(timeout=0.001) is False
    assert wait() is True
    assert slow.ready()


def test_iwait_yields_in_the_order_of_ending():
    tasks = staggered()
    assert list(iwait(tasks)) == tasks[::-1]
    assert list(iwait([])) == []


def test_iwait_stops_at_its_timeout_and_at_its_count():
    tasks = [*staggered(2), spawn(sleep, 100)]
    assert list(iwait(tasks, timeout=0.2)) == [tasks[1], tasks[0]]
    assert list(iwait(tasks, count=1)) == [tasks[0]]
    assert not tasks[2].has_links()
    tasks[2].kill()


def test_iwait_as_a_context_manager_lets_go_of_what_was_not_iterated():
    go = Event()
    tasks = [spawn(go.wait), spawn(int)]
    with iwait(tasks) as ready:
        assert next(ready) is tasks[1]
        assert tasks[0].has_links()
    assert not tasks[0].has_links()
    go.set()
    joinall(tasks)


def test_an_iwait_that_is_dropped_lets_go_too():
    tasks = staggered()
    for _ in iwait(tasks):
        break
    assert not tasks[0].has_links()
    joinall(tasks)


def test_iwait_refuses_what_it_cannot_wait_for_and_leaves_no_link():
    with pytest.raises(TypeError):
        iwait(None)
    with pytest.raises(TypeError):
        iwait(3)
    task = spawn(int)
    with pytest.raises(TypeError, match=r"cannot wait for <object object at .*>: expected a greenlet"):
        iwait([task, object()])
    assert not task.has_links()
    with pytest.raises(TypeError, match=r"cannot wait for <object object at .*>: expected a greenlet"):
        wait([task, object()])
    assert not task.has_links()
    task.join()


def test_a_timeout_or_a_kill_in_the_middle_of_a_wait_leaves_no_link():
    slow = spawn(sleep, 1)
    for function in (joinall, wait, lambda objects: list(iwait(objects))):
        with pytest.raises(Timeout), Timeout(0.01):
            function([slow])
        assert not slow.has_links()
        waiting = spawn(function, [slow])
        sleep(0)
        assert slow.has_links()
        waiting.kill()
        assert not slow.has_links()
    slow.kill()


def test_anything_with_rawlink_and_unlink_can_be_waited_for(hub):
    class Flag:
        links = ()

        def rawlink(self, callback):
            self.links = [callback]

        def unlink(self, callback):
            self.links.remove(callback)

    flag = Flag()
    hub.loop.run_callback(lambda: flag.links[0](flag))
    assert wait([flag]) == [flag]
    assert flag.links == []


def test_one_task_may_be_waited_for_twice_in_one_call():
    task = spawn(int)
    assert joinall([task, task]) == [task, task]


def test_joining_a_thousand_of_any_order():
    tasks = [spawn_later(0.0001 * ((i * 37) % 100), int, i) for i in range(1000)]
    assert len(joinall(tasks)) == 1000
    assert all(hubcore.Greenlet.successful(task) for task in tasks)


def test_what_another_thread_makes_ready_between_the_look_and_the_wait_is_not_lost(hub):
    import threading
    from collections import deque

    from hubcore._sync.wait import _Gathering

    class Interrupted(deque):
        """Another thread comes between this look at the length and whatever the looker does next."""

        def __len__(self):
            found = super().__len__()
            if threads:
                thread = threads.pop()
                thread.start()
                thread.join()
            return found

    gathering = _Gathering()
    gathering.ready = Interrupted()
    threads = [threading.Thread(target=gathering.notify, args=("it",))]
    assert gathering.wait_for(1, "a thread", 5.0)
    assert gathering.ready == deque(["it"])


def test_many_who_wait_may_all_stop_waiting(hub):
    for waited_for in (Event(), spawn(sleep, 1)):
        links = [_Gathering() for _ in range(5_000)]
        for link in links:
            waited_for.rawlink(link)
        for link in reversed(links):
            waited_for.unlink(link)
        waited_for.rawlink(links[0])
        waited_for.unlink(links[0])
        if isinstance(waited_for, Event):
            assert waited_for.linkcount() == 0
        else:
            assert not waited_for.has_links()
            waited_for.kill()


@pytest.mark.parametrize("many", [3, 200])
def test_what_is_linked_twice_is_told_twice_and_in_order(hub, many):
    for waited_for, finish in ((Event(), Event.set), (spawn(sleep, 1), Greenlet.kill)):
        links = [_Gathering() for _ in range(many)]
        seen = []
        waited_for.rawlink(seen.append)
        for link in (*links, links[0], links[1], links[1]):
            waited_for.rawlink(link)
        for link in (links[1], links[2], links[2], links[-1]):
            waited_for.unlink(link)
        finish(waited_for)
        sleep(0)
        assert len(links[0].ready) == 2
        assert len(links[1].ready) == 2
        assert len(links[2].ready) == 0
        assert len(links[-2].ready) == (2 if many == 3 else 1)
        assert len(links[-1].ready) == 0
        assert seen == [waited_for]


def test_a_link_among_many_is_undone_by_what_equals_it(hub):
    for waited_for in (Event(), spawn(sleep, 1)):
        seen = []
        for link in (_Gathering() for _ in range(200)):
            waited_for.rawlink(link)
        waited_for.rawlink(seen.append)
        waited_for.unlink(seen.append)  # another bound method, which is equal
        waited_for.set() if isinstance(waited_for, Event) else waited_for.kill()
        sleep(0)
        assert seen == []
