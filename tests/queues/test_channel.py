"""Memory channels: sending, receiving, cloning and closing, between greenlets and in time."""

import gc
import math

import pytest

import hubcore
from hubcore import GreenletExit, channel, open_channel, sleep, spawn
from hubcore.channel import BrokenChannel, ClosedChannel, Empty, EndOfChannel, Full
from hubcore.testing import run_python, settle


def waiting(end):
    numbers = end.statistics()
    return numbers.waiting_senders, numbers.waiting_receivers


# -- sending and receiving


@pytest.mark.parametrize("most", [None, math.inf])
def test_a_channel_for_any_number_never_makes_a_sender_wait(hub, most):
    send, receive = open_channel(most)
    for i in range(1000):
        send.send_nowait(i)
    assert [receive.receive_nowait() for _ in range(1000)] == list(range(1000))
    assert receive.statistics().max_items is None


def test_a_sender_waits_for_room(hub):
    send, receive = open_channel(2)
    log = []

    def sender():
        for i in range(4):
            send.send(i)
            log.append(i)

    spawn(sender)
    settle(hub)
    assert log == [0, 1]
    assert receive.receive() == 0
    assert send.statistics().items == 2  # the sender's item came in its place at once, in its order
    settle(hub)
    assert log == [0, 1, 2]
    assert [receive.receive() for _ in range(3)] == [1, 2, 3]


def test_a_channel_for_nothing_is_a_rendezvous(hub):
    send, receive = open_channel(0)
    with pytest.raises(Full):
        send.send_nowait("nobody waits for it")
    first = spawn(receive.receive)
    sleep(0)
    send.send_nowait("taken")
    assert first.get() == "taken"
    second = spawn(send.send, "brought")
    sleep(0)
    assert receive.receive_nowait() == "brought"
    assert second.get() is None


def test_who_waits_is_served_first_come_first_served(hub):
    send, receive = open_channel(0)
    ends = [receive, receive.clone(), receive, receive.clone()]
    got = []
    tasks = [spawn(lambda i=i, end=end: got.append((i, end.receive()))) for i, end in enumerate(ends)]
    settle(hub)
    for item in "abcd":
        send.send(item)
    hubcore.joinall(tasks, raise_error=True)
    assert got == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]


@pytest.mark.parametrize("most", [0, 1, None])
def test_none_is_an_item_like_any_other(hub, most):
    send, receive = open_channel(most)
    task = spawn(send.send, None)
    assert receive.receive() is None
    task.get()


def test_nowait_raises_what_queues_raise(hub):
    send, receive = open_channel(1)
    with pytest.raises(Empty):
        receive.receive_nowait()
    send.send_nowait(1)
    with pytest.raises(Full):
        send.send_nowait(2)


def test_a_timeout_is_a_TimeoutError_and_leaves_no_trace(hub):
    send, receive = open_channel(1)
    with pytest.raises(TimeoutError, match=r"no item within 0\.01 seconds: <ReceiveChannel"):
        receive.receive(timeout=0.01)
    send.send(1)
    with pytest.raises(TimeoutError, match=r"no room within 0\.01 seconds: <SendChannel"):
        send.send(2, timeout=0.01)
    assert waiting(send) == (0, 0)
    assert receive.receive() == 1
    with pytest.raises(Empty):
        receive.receive_nowait()


def test_a_timeout_of_nothing_never_switches(hub):
    send, receive = open_channel(0)
    spawn(pytest.fail, "it switched")
    with pytest.raises(TimeoutError, match="would have to wait"):
        receive.receive(timeout=0)
    with pytest.raises(TimeoutError, match="would have to wait"):
        send.send(1, timeout=0)
    hub.ready.pop()


@pytest.mark.parametrize("timeout", [-1, -0.5])
def test_a_negative_timeout_is_refused(hub, timeout):
    send, receive = open_channel(0)
    with pytest.raises(ValueError, match="must be a non-negative number, not -"):
        receive.receive(timeout=timeout)
    with pytest.raises(ValueError, match="must be a non-negative number, not -"):
        send.send(1, timeout=timeout)


def test_a_deadline_in_virtual_time():
    code = """
        import hubcore
        send, receive = hubcore.open_channel(0)
        loop = hubcore.get_hub().loop
        hubcore.spawn_later(3600, send.send, "late")
        start = loop.now()
        try:
            receive.receive(timeout=3599)
        except TimeoutError:
            print(round(loop.now() - start))
        print(receive.receive(timeout=2), round(loop.now() - start))
    """
    assert run_python(code, "virtual").stdout == "3599\nlate 3600\n"


# -- closing


def test_receivers_get_what_is_left_and_then_the_end(hub):
    send, receive = open_channel(5)
    other = send.clone()
    send.send(1)
    send.close()
    other.send(2)
    task = spawn(list, receive)
    sleep(0)
    assert not task.ready()  # a clone is still open
    other.send(3)
    other.close()
    assert task.get() == [1, 2, 3]
    with pytest.raises(
        EndOfChannel, match="all senders are closed and all items are received: <ReceiveChannel"
    ) as raised:
        receive.receive()
    assert raised.value.channel is receive
    with pytest.raises(EndOfChannel):
        receive.receive_nowait()


def test_the_end_comes_to_all_who_wait(hub):
    send, receive = open_channel(0)
    tasks = [spawn(list, end) for end in (receive, receive.clone(), receive.clone())]
    sleep(0)
    send.close()
    hubcore.joinall(tasks, raise_error=True)
    assert [task.value for task in tasks] == [[], [], []]


def test_senders_learn_that_nobody_is_left_to_receive(hub):
    send, receive = open_channel(1)
    other = receive.clone()
    send.send("dropped")
    task = spawn(pytest.raises, BrokenChannel, send.send, "never sent")
    sleep(0)
    receive.close()
    sleep(0)
    assert not task.ready()
    other.close()
    assert task.get().value.channel is send
    with pytest.raises(BrokenChannel, match="all receivers are closed: <SendChannel"):
        send.send_nowait(1)
    assert send.statistics().items == 0


def test_closing_an_end_wakes_those_who_wait_at_it_and_no_others(hub):
    send, receive = open_channel(0)
    clone = receive.clone()
    at_closed = spawn(pytest.raises, ClosedChannel, receive.receive)
    at_clone = spawn(clone.receive)
    sleep(0)
    receive.close()
    assert at_closed.get().value.channel is receive
    assert waiting(clone) == (0, 1)
    send.send("for the clone")
    assert at_clone.get() == "for the clone"


def test_a_sender_whose_end_is_closed_has_not_sent(hub):
    send, receive = open_channel(0)
    clone = send.clone()
    at_closed = spawn(pytest.raises, ClosedChannel, send.send, "withdrawn")
    at_clone = spawn(clone.send, "sent")
    sleep(0)
    send.close()
    assert receive.receive() == "sent"
    at_clone.get()
    assert at_closed.get().value.channel is send


@pytest.mark.parametrize("side", [0, 1])
def test_a_closed_end_is_good_for_nothing(hub, side):
    end = open_channel(1)[side]
    end.close()
    end.close()
    assert end.closed
    uses = [lambda: end.send(1), lambda: end.send_nowait(1)] if side == 0 else [end.receive, end.receive_nowait]
    for use in [*uses, end.clone]:
        with pytest.raises(ClosedChannel, match="this end was closed: <"):
            use()


def test_ends_are_context_managers(hub):
    send, receive = open_channel(1)
    with receive:
        with send as entered:
            assert entered is send
            send.send(1)
        assert send.closed
        assert list(receive) == [1]
    assert receive.closed


def test_the_errors_are_one_family():
    for kind in (EndOfChannel, BrokenChannel, ClosedChannel):
        assert issubclass(kind, channel.ChannelError)
        assert kind is getattr(hubcore.exceptions, kind.__name__)


# -- dropping


def test_dropping_the_last_sender_is_the_end(hub):
    send, receive = open_channel(1)
    task = spawn(list, receive)
    send.send(1)
    clone = send.clone()
    del send
    gc.collect()
    sleep(0)
    assert not task.ready()
    del clone
    gc.collect()
    assert task.get() == [1]


def test_dropping_the_last_receiver_breaks_the_channel(hub):
    send, receive = open_channel(0)
    task = spawn(pytest.raises, BrokenChannel, send.send, 1)
    sleep(0)
    del receive
    gc.collect()
    task.get()


def test_an_end_in_a_cycle_is_closed_by_the_collector(hub):
    send, receive = open_channel(0)
    cycle = [send]
    cycle.append(cycle)
    task = spawn(list, receive)
    sleep(0)
    del send, cycle
    gc.collect()
    assert task.get() == []


def test_a_greenlet_that_dies_drops_its_end(hub):
    send, receive = open_channel(1)

    def producer(end):
        end.send(1)
        raise GreenletExit

    spawn(producer, send)
    del send
    sleep(0)
    gc.collect()
    assert list(receive) == [1]


def test_a_dropped_item_may_use_the_channel_in_its_finalizer(hub):
    send, receive = open_channel(None)
    seen = []

    class Item:
        def __del__(self):
            try:
                send.send(1)
            except BrokenChannel:
                seen.append(send.statistics().items)

    for _ in range(3):
        send.send(Item())
    receive.close()
    gc.collect()
    assert seen == [2, 1, 0] or len(seen) == 3
    assert send.statistics().items == 0


def test_nothing_is_said_of_open_ends_at_exit():
    done = run_python("import hubcore\nends = hubcore.open_channel(1)\nends[0].send(1)")
    assert (done.stdout, done.stderr) == ("", "")


# -- being thrown out of a wait


def test_what_a_receiver_was_handed_that_is_thrown_out_is_the_next_again(hub):
    send, receive = open_channel(1)
    victim = spawn(pytest.raises, KeyError, receive.receive)
    sleep(0)
    send.send("first")  # wakes the victim, whose turn has not come
    send.send("second")
    hub.loop.run_callback(victim.throw, KeyError)
    hub.ready.push(hub.ready.pop())  # the throw comes before the wake-up
    settle(hub)
    assert victim.ready()
    assert [receive.receive_nowait(), receive.receive_nowait()] == ["first", "second"]


def test_what_a_receiver_cannot_take_goes_to_the_next_who_waits(hub):
    send, receive = open_channel(0)
    victim = spawn(pytest.raises, KeyError, receive.receive)
    heir = spawn(receive.receive)
    sleep(0)
    send.send("item")
    hub.loop.run_callback(victim.throw, KeyError)
    hub.ready.push(hub.ready.pop())
    assert heir.get() == "item"
    assert victim.ready()


def test_a_killed_receiver_leaves_its_place(hub):
    send, receive = open_channel(0)
    victim = spawn(receive.receive)
    sleep(0)
    victim.kill()
    assert waiting(send) == (0, 0)
    with pytest.raises(Full):
        send.send_nowait(1)


def test_a_killed_sender_has_not_sent(hub):
    send, receive = open_channel(0)
    victim = spawn(send.send, 1)
    sleep(0)
    victim.kill()
    with pytest.raises(Empty):
        receive.receive_nowait()


# -- looking


def test_statistics(hub):
    send, receive = open_channel(1)
    clone = send.clone()
    send.send(1)
    task = spawn(clone.send, 2)
    sleep(0)
    numbers = receive.statistics()
    assert numbers == (1, 1, 2, 1, 1, 0)
    assert repr(numbers) == (
        "ChannelStatistics(items=1, max_items=1, open_senders=2, open_receivers=1, "
        "waiting_senders=1, waiting_receivers=0)"
    )
    assert [receive.receive(), receive.receive()] == [1, 2]
    task.get()


def test_an_end_says_what_it_is(hub):
    send, receive = open_channel(3)
    send.send(1)
    text = repr(send)
    assert text.startswith("<SendChannel at 0x")
    assert text.endswith(" 1 of 3 items, 0 sending, 0 receiving>")
    receive.close()
    assert repr(receive).endswith(" closed>")


def test_a_wait_says_for_what(hub):
    _send, receive = open_channel(0)
    task = spawn(receive.receive)
    sleep(0)
    assert repr(task.waiting_on).startswith("receive from <ReceiveChannel at 0x")
    assert task.waiting_on.on is receive
    task.kill()


@pytest.mark.parametrize("most", [-1, -10])
def test_a_negative_bound_is_refused(most):
    with pytest.raises(ValueError, match="'max_items' must be 0 or more, not -"):
        open_channel(most)


@pytest.mark.parametrize("most", [1.5, "3", []])
def test_a_bound_that_is_no_number_is_refused(most):
    with pytest.raises(TypeError, match=r"must be an integer, math\.inf or None, not "):
        open_channel(most)


@pytest.mark.parametrize("kind", [channel.SendChannel, channel.ReceiveChannel])
def test_ends_are_not_made_by_hand(kind):
    with pytest.raises(TypeError, match=r"cannot make a \w+ directly; call open_channel"):
        kind()
    assert str(kind[int]).endswith(f"{kind.__name__}[int]")


def test_the_package_imports_channels_when_they_are_asked_for():
    code = """
        import sys, hubcore
        assert "hubcore.channel" not in sys.modules
        hubcore.open_channel(0)
        assert hubcore.open_channel is hubcore.channel.open_channel
        try:
            hubcore.no_such_name
        except AttributeError as error:
            print(error)
    """
    assert run_python(code).stdout == "module 'hubcore' has no attribute 'no_such_name'\n"
