"""Failures of calls in other threads and hubs: an unread failure is reported once, a read one never."""

import contextlib
import gc
import threading

import pytest

import hubcore
from hubcore import GreenletExit, Timeout, event
from hubcore._core import waiter as _waiter
from hubcore.hub import Hub
from hubcore.testing import settle
from hubcore.threadpool import ThreadPool


def boom(error=ValueError):
    raise error("boom")


def in_a_pool(hub, *args):
    return ThreadPool(1).spawn(boom, *args)


def in_the_hub(hub, *args):
    return hub.spawn_threadsafe(boom, *args)


START = pytest.mark.parametrize("start", [in_a_pool, in_the_hub])


def all_over(hub):
    """Let everything end that is under way, and be collected."""
    hub.join()
    gc.collect()
    settle(hub)


@START
def test_a_failure_that_nobody_reads_is_reported_once_with_its_traceback(hub, caplog, start):
    start(hub)
    all_over(hub)
    assert len(caplog.records) == 1
    assert caplog.text.count("ValueError: boom") == 1
    assert "in boom" in caplog.text


@START
def test_it_is_reported_also_of_a_result_that_was_only_waited_for(hub, caplog, start):
    result = start(hub)
    hubcore.wait([result])
    assert result.ready()
    assert not result.successful()
    all_over(hub)
    assert not caplog.records  # somebody may read it yet
    del result
    all_over(hub)
    assert len(caplog.records) == 1


@START
@pytest.mark.parametrize(
    "read",
    [
        lambda result: result.get(),
        lambda result: result.result(),
        lambda result: result.wait() or result.exception,
        lambda result: result.wait() or result.exc_info,
        lambda result: result.rawlink(event.AsyncResult()) or (hubcore.wait([result]) and hubcore.sleep(0)),
    ],
    ids=["get", "result", "exception", "exc_info", "link"],
)
def test_a_failure_that_somebody_reads_is_not_reported(hub, caplog, start, read):
    with contextlib.suppress(ValueError):
        read(start(hub))
    all_over(hub)
    assert not caplog.records


@START
def test_an_end_on_purpose_is_not_reported(hub, caplog, start):
    start(hub, GreenletExit)
    all_over(hub)
    assert not caplog.records


@pytest.mark.skipif(_waiter.__file__.endswith(".py"), reason="hubcore's own frames refer to the result, a cycle")
@START
def test_what_ends_the_program_ends_it(hub, caplog, start):
    start(hub, SystemExit)
    with pytest.raises(SystemExit, match="boom"):
        hubcore.sleep(5)
    all_over(hub)
    assert not caplog.records


def test_a_call_that_was_given_up_is_not_reported(hub, caplog):
    opened = threading.Event()

    def late():
        assert opened.wait(20)
        boom()

    with pytest.raises(Timeout), Timeout(0.001):
        ThreadPool(1).apply(late)
    opened.set()
    all_over(hub)
    assert not caplog.records


def test_the_hubs_own_error_handler_deals_with_it_in_its_thread(hub_backend):
    seen = []

    class Own(Hub):
        def handle_error(self, context, kind, *rest):
            seen.append((context.ready(), kind, threading.get_ident()))

    hub = Own()
    try:
        in_a_pool(hub)
        all_over(hub)
    finally:
        hub.destroy()
    assert seen == [(True, ValueError, threading.get_ident())]
