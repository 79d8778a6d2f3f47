"""select: exactly one of several cases is performed, however the wait ends."""

from collections import Counter

import pytest

import hubcore
from hubcore import open_channel, sleep, spawn
from hubcore.channel import BrokenChannel, ClosedChannel, EndOfChannel, Full, seed_select, select
from hubcore.event import AsyncResult, Event
from hubcore.lock import Semaphore
from hubcore.queue import Channel, Empty, LifoQueue, PriorityQueue, Queue, ShutDown, SimpleQueue
from hubcore.testing import run_python, settle

QUEUES = [SimpleQueue, Queue, LifoQueue, PriorityQueue]


class ForeignQueue(Queue):
    """Its storing is Python code, so it is guarded."""

    def _put(self, item):
        self.queue.append(item)

    def _get(self):
        return self.queue.popleft()


class Side:
    """A source for the tests: how to put something in, how to take it out, and what select is given for each."""

    def __init__(self, kind):
        if kind == "memory channel":
            self.into, self.out = open_channel(1)
            self.put, self.get = self.into.send, self.out.receive
            self.put_nowait, self.get_nowait = self.into.send_nowait, self.out.receive_nowait
        elif kind == "rendezvous":
            self.into, self.out = open_channel(0)
            self.put, self.get = self.into.send, self.out.receive
            self.put_nowait, self.get_nowait = self.into.send_nowait, self.out.receive_nowait
        else:
            self.into = self.out = Channel() if kind is Channel else kind(1)
            self.put, self.get = self.out.put, self.out.get
            self.put_nowait, self.get_nowait = self.out.put_nowait, self.out.get_nowait


KINDS = [*QUEUES, ForeignQueue, Channel, "memory channel", "rendezvous"]
HOLDS_NOTHING = [Channel, "rendezvous"]


@pytest.fixture(params=KINDS, ids=lambda kind: kind if isinstance(kind, str) else kind.__name__)
def kind(request):
    return request.param


@pytest.fixture(autouse=True)
def seed():
    seed_select(1)


# -- what goes on


def test_something_is_there_to_take(hub, kind):
    empty, full = Side(kind), Side(kind)
    task = spawn(full.put, 5)
    sleep(0)
    assert select(empty.out, full.out, timeout=0) == (full.out, 5)
    task.get()
    with pytest.raises(TimeoutError, match="would have to wait: select of get from <"):
        select(empty.out, full.out, timeout=0)


def test_something_comes(hub, kind):
    sides = [Side(kind) for _ in range(3)]
    task = spawn(select, *[side.out for side in sides])
    sleep(0)
    sides[1].put_nowait(7)
    assert task.get() == (sides[1].out, 7)
    for side in sides:  # nobody waits there any more
        if kind in HOLDS_NOTHING:
            with pytest.raises(Full):
                side.put_nowait(8)
        else:
            side.put_nowait(8)
            assert side.get_nowait() == 8


def test_there_is_room(hub, kind):
    side = Side(kind)
    task = spawn(side.get)
    sleep(0)
    assert select((side.into, "item"), timeout=0) == (side.into, "item")
    assert task.get() == "item"


def test_room_comes(hub, kind):
    first, second = Side(kind), Side(kind)
    if kind not in HOLDS_NOTHING:
        first.put_nowait(1)
        second.put_nowait(2)
    task = spawn(select, (first.into, 10), (second.into, 20))
    sleep(0)
    assert not task.ready()
    if kind not in HOLDS_NOTHING:
        assert second.get() in (2, 20)
    else:
        assert second.get() == 20
    assert task.get() == (second.into, 20)
    if kind in HOLDS_NOTHING:
        with pytest.raises(Empty):
            first.get_nowait()
    else:
        assert first.get_nowait() == 1
        with pytest.raises(Empty):
            first.get_nowait()


@pytest.mark.parametrize("kind", HOLDS_NOTHING)
def test_two_selects_meet(hub, kind):
    a, b = Side(kind), Side(kind)
    sending = spawn(select, (a.into, 1), (b.into, 2))
    receiving = spawn(select, a.out, b.out)
    assert sending.get() in [(a.into, 1), (b.into, 2)]
    where, what = receiving.get()
    assert (where, what) in [(a.out, 1), (b.out, 2)]
    assert what == sending.value[1]


def test_a_select_does_not_meet_itself(hub):
    send, receive = open_channel(0)
    task = spawn(select, receive, (send, 1))
    sleep(0)
    assert not task.ready()
    other = spawn(select, receive, (send, 2))
    sleep(0)
    assert {task.get(), other.get()} in [{(receive, 2), (send, 2)}, {(receive, 1), (send, 1)}]


def test_a_select_that_sends_and_receives_in_a_channel_with_room(hub):
    send, receive = open_channel(1)
    assert select(receive, (send, 1), timeout=0) == (send, 1)
    assert select(receive, (send, 2), timeout=0) == (receive, 1)


def test_things_that_are_only_ready(hub):
    event, result, lock = Event(), AsyncResult(), Semaphore(0)
    _send, receive = open_channel(0)
    for make_ready, which in [(event.set, event), (result.set, result), (lock.release, lock)]:
        task = spawn(select, receive, which)
        sleep(0)
        assert not task.ready()
        make_ready()
        assert task.get() == (which, None)
        assert select(receive, which, timeout=0) == (which, None)
        assert which.linkcount() == 0
    assert lock.counter == 1  # it was not acquired


def test_a_greenlet_is_ready_when_it_has_ended(hub):
    _send, receive = open_channel(0)
    task = spawn(sleep, 0.001)
    assert select(receive, task) == (task, None)
    assert select(task, timeout=0) == (task, None)


def test_a_greenlet_that_goes_on_keeps_no_link(hub):
    send, receive = open_channel(1)
    task = spawn(sleep, 10)
    sleep(0)
    selecting = spawn(select, receive, task)
    sleep(0)
    assert task.has_links()
    send.send(1)
    assert selecting.get() == (receive, 1)
    assert not task.has_links()
    task.kill()


def test_the_same_case_twice_is_one_chance_more(hub):
    queue = SimpleQueue()
    task = spawn(select, queue, queue)
    sleep(0)
    queue.put(1)
    assert task.get() == (queue, 1)
    assert not len(queue)


def test_joining_counts_what_select_put(hub):
    queue = Queue()
    select((queue, 1))
    assert queue.unfinished_tasks == 1
    assert select(queue) == (queue, 1)
    queue.task_done()
    assert queue.join(timeout=0)


@pytest.mark.parametrize("how", ["put", "select"])
def test_a_putter_whose_item_cannot_be_stored_is_told_and_who_gets_is_not(hub, how):
    queue = PriorityQueue(2, [1, 2])
    task = spawn(queue.put, "no number") if how == "put" else spawn(select, (queue, "no number"))
    sleep(0)
    assert queue.get() == 1
    with pytest.raises(TypeError, match="'<' not supported"):
        task.get(timeout=1)


# -- choosing


def test_each_of_those_that_can_go_on_is_chosen_about_equally_often(hub):
    ends = [open_channel(None) for _ in range(3)]
    for send, _receive in ends:
        for _ in range(900):
            send.send(1)
    chosen = Counter(select(Event(), *[receive for _send, receive in ends])[0] for _ in range(900))
    assert all(250 < chosen[receive] < 350 for _send, receive in ends), chosen


def test_the_choice_is_the_same_after_the_same_seed(hub):
    def choices():
        queues = [SimpleQueue(items=range(20)) for _ in range(3)]
        return [queues.index(select(*queues)[0]) for _ in range(20)]

    seed_select(42)
    first = choices()
    second = choices()
    seed_select(42)
    assert choices() == first != second


# -- ends


def test_an_ended_channel_raises_and_says_which(hub):
    send, receive = open_channel(0)
    _other_send, other = open_channel(0)
    task = spawn(pytest.raises, EndOfChannel, select, other, receive)
    sleep(0)
    send.close()
    assert task.get().value.channel is receive
    with pytest.raises(EndOfChannel) as raised:
        select(other, receive, timeout=0)
    assert raised.value.channel is receive
    assert other.statistics().waiting_receivers == 0


def test_a_closed_end_raises(hub):
    send, receive = open_channel(0)
    task = spawn(pytest.raises, ClosedChannel, select, receive, Event())
    sleep(0)
    receive.close()
    assert task.get().value.channel is receive
    with pytest.raises(ClosedChannel):
        select(receive)
    with pytest.raises(BrokenChannel):
        select((send, 1))


def test_a_channel_breaks(hub):
    send, receive = open_channel(0)
    task = spawn(pytest.raises, BrokenChannel, select, (send, 1), Event())
    sleep(0)
    receive.close()
    assert task.get().value.channel is send


def test_a_queue_is_shut_down(hub):
    empty, full = Queue(), Queue(1, [0])
    task = spawn(pytest.raises, ShutDown, select, empty, Event())
    other = spawn(pytest.raises, ShutDown, select, (full, 1), Event())
    sleep(0)
    empty.shutdown()
    full.shutdown()
    assert "no item is left in it" in str(task.get().value)
    assert "nothing is left" not in str(other.get().value)
    for case in (empty, (full, 1)):
        with pytest.raises(ShutDown):
            select(case)
    assert select(full) == (full, 0)


# -- waits that end otherwise


def assert_nobody_waits(sides, kind):
    for side in sides:
        if kind in HOLDS_NOTHING:
            with pytest.raises(Full):
                side.put_nowait(1)
            with pytest.raises(Empty):
                side.get_nowait()
        else:
            side.put_nowait(1)
            assert side.get_nowait() == 1


def test_time_is_up(hub, kind):
    sides = [Side(kind), Side(kind)]
    event = Event()
    with pytest.raises(TimeoutError, match=r"no case could go on within 0\.01 seconds: select of "):
        select(event, *[side.out for side in sides], timeout=0.01)
    assert event.linkcount() == 0
    assert_nobody_waits(sides, kind)


def test_a_cancelled_scope_ends_the_wait(hub):
    _send, receive = open_channel(0)
    event = Event()
    with hubcore.move_on_after(0.01) as scope:
        select(receive, event)
    assert scope.cancelled_caught
    assert (receive.statistics().waiting_receivers, event.linkcount()) == (0, 0)


def test_a_kill_leaves_all_places(hub, kind):
    sides = [Side(kind), Side(kind)]
    event = Event()
    task = spawn(select, event, *[side.out for side in sides])
    sleep(0)
    task.kill()
    assert event.linkcount() == 0
    assert_nobody_waits(sides, kind)


def test_what_came_between_the_kill_and_the_unwinding_is_not_lost(hub, kind):
    side = Side(kind)
    task = spawn(select, side.out, Event())
    sleep(0)
    task.kill(block=False)
    if kind in HOLDS_NOTHING:
        with pytest.raises(Full):
            side.put_nowait(1)
    else:
        side.put_nowait(1)
    settle(hub)
    assert task.ready()
    if kind not in HOLDS_NOTHING:
        assert side.get_nowait() == 1


def test_what_was_handed_over_before_a_throw_goes_back(hub, kind):
    sides = [Side(kind), Side(kind)]
    victim = spawn(pytest.raises, KeyError, select, *[side.out for side in sides])
    sleep(0)
    sides[0].put_nowait("item")
    hub.loop.run_callback(victim.throw, KeyError)
    hub.ready.push(hub.ready.pop())  # the throw comes before the wake-up
    settle(hub)
    assert victim.ready()
    assert sides[0].get_nowait() == "item"
    assert_nobody_waits(sides, kind)


def test_a_case_that_raises_while_the_others_wait_leaves_no_trace(hub):
    _send, receive = open_channel(0)

    class Broken:
        def ready(self):
            return False

        def rawlink(self, callback):
            raise KeyError("no links")

        def unlink(self, callback):
            pass

    for _ in range(10):  # in either order
        with pytest.raises(KeyError):
            select(receive, Broken())
    assert receive.statistics().waiting_receivers == 0


def test_a_greenlet_may_select_in_the_hub_without_waiting(hub):
    queue = SimpleQueue(items=[1])
    seen = []

    def callback():
        seen.append(select(queue, timeout=0))
        with pytest.raises(TimeoutError):
            select(queue, timeout=0)
        with pytest.raises(hubcore.exceptions.BlockingSwitchOutError):
            select(queue)
        seen.append("done")

    hub.loop.run_callback(callback)
    sleep(0.001)
    assert seen == [(queue, 1), "done"]


def test_a_select_that_can_go_on_never_switches(hub):
    queue = SimpleQueue(items=[1])
    spawn(pytest.fail, "it switched")
    assert select(queue, Event()) == (queue, 1)
    with pytest.raises(TimeoutError):
        select(queue, timeout=0)
    hub.ready.pop()


def test_deadlines_in_virtual_time():
    code = """
        import hubcore
        from hubcore.channel import open_channel, select
        (send, receive), (_keep, never) = open_channel(0), open_channel(0)
        loop = hubcore.get_hub().loop
        start = loop.now()
        def minutely():
            for i in range(3):
                hubcore.sleep(60)
                send.send(i)
        hubcore.spawn(minutely)
        for _ in range(4):
            try:
                print(select(receive, never, timeout=61)[1], round(loop.now() - start))
            except TimeoutError:
                print("time is up", round(loop.now() - start))
    """
    assert run_python(code, "virtual").stdout == "0 60\n1 120\n2 180\ntime is up 241\n"


# -- bad input


@pytest.mark.parametrize("case", [5, None, (), ("a", "b"), (SimpleQueue(), 1, 2), open_channel(0)[0]])
def test_what_is_no_case_is_refused(hub, case):
    with pytest.raises(TypeError, match=r"select\(\) takes receiving channels and queues"):
        select(Event(), case)


def test_the_wrong_end_is_refused(hub):
    send, receive = open_channel(0)
    with pytest.raises(TypeError, match=r"pairs \(channel or queue, item\)"):
        select(send)
    with pytest.raises(TypeError, match=r"pairs \(channel or queue, item\)"):
        select((receive, 1))


def test_no_case_at_all_is_refused(hub):
    with pytest.raises(TypeError, match="needs at least one case to wait for"):
        select()


def test_a_queue_both_ways_is_refused(hub):
    queue = SimpleQueue()
    with pytest.raises(ValueError, match="cannot both get from and put to <SimpleQueue"):
        select(queue, (queue, 1))


def test_a_negative_timeout_is_refused(hub):
    with pytest.raises(ValueError, match="non-negative number, not -1"):
        select(Event(), timeout=-1)


def test_the_wait_says_for_what(hub):
    _send, receive = open_channel(0)
    event = Event()
    task = spawn(select, receive, event)
    sleep(0)
    text = repr(task.waiting_on)
    assert text.startswith("select of ")
    assert "get from <ReceiveChannel at 0x" in text
    assert repr(event)[:20] in text
    assert task.waiting_on.cross_thread
    task.kill()
