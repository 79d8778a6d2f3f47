"""Wrong arguments: the error names the value and what would be right, and nothing is half done."""

import pytest

import hubcore
from hubcore import event, monkey, pool, queue, server, socket, ssl, subprocess, threadpool, util  # fmt: skip
from hubcore import os as hub_os
from hubcore.backends import loop_class
from hubcore.hub import kill


def nothing(*args):
    """What is called where it is about something else."""


def task():
    return hubcore.Greenlet(nothing)


def never_starts(call):
    """A greenlet that `call` was to be made with is as it was."""
    one = task()
    try:
        call(one)
    finally:
        assert not one.dead
        assert not one.has_links()


NOTHING = event.Event()
SECONDS = "a number of seconds, not 'x'"
RAISABLE = "an exception class, not 5"
CALLABLE = "callable, not 5"
MEMBERS = "only a greenlet can be a member of a group, not 5"
PAIR = r"a pair \(host, port\), not "
ADDRESS = r"must be \(host, port\) with a port from 0 to 65535, not "
NO_FILE = r"No such file or directory: '/nowhere\.pem'"
CASES = [
    (lambda: loop_class(5), TypeError, "the backend asked for is 5; it takes a name, such as 'libev', or a subclass"),
    # Times.
    (lambda: hubcore.Timeout("x"), TypeError, SECONDS),
    (lambda: hubcore.Timeout(float("nan")), ValueError, "a number of seconds, not nan"),
    (lambda: hubcore.Timeout.start_new("x"), TypeError, SECONDS),
    (lambda: hubcore.with_timeout("x", nothing), TypeError, SECONDS),
    (lambda: hubcore.sleep("1"), TypeError, "a number of seconds, not '1'"),
    (lambda: hubcore.sleep(None), TypeError, "a number of seconds, not None"),
    (lambda: hubcore.spawn_later("x", nothing), TypeError, SECONDS),
    (lambda: hubcore.spawn_later(None, nothing), TypeError, "a number of seconds, not None"),
    (lambda: hubcore.spawn_later(-1, nothing), ValueError, "-1 seconds from now; seconds must be >= 0"),
    (lambda: task().join("x"), TypeError, SECONDS),
    (lambda: task().get(timeout="x"), TypeError, SECONDS),
    (lambda: event.Event().wait("x"), TypeError, SECONDS),
    (lambda: queue.Queue().get(timeout="x"), TypeError, SECONDS),
    (lambda: hubcore.wait([event.Event()], timeout="x"), TypeError, SECONDS),
    (lambda: hubcore.iwait([event.Event()], timeout="x"), TypeError, SECONDS),
    (lambda: never_starts(lambda one: hubcore.killall([one], timeout="x")), TypeError, SECONDS),
    (lambda: hubcore.get_hub().join("x"), TypeError, SECONDS),
    (lambda: hubcore.get_hub().loop.timer("x"), TypeError, SECONDS),
    (lambda: subprocess.run(["true"], timeout="x"), TypeError, SECONDS),
    (lambda: subprocess.call(["true"], timeout="x"), TypeError, SECONDS),
    (lambda: util.assert_switches("x"), TypeError, SECONDS),
    # What is run, raised, called.
    (lambda: hubcore.spawn(5), TypeError, CALLABLE),
    (lambda: hubcore.spawn_raw(5), TypeError, CALLABLE),
    (lambda: hubcore.spawn_later(1, 5), TypeError, CALLABLE),
    (lambda: pool.Pool(1).spawn(5), TypeError, CALLABLE),
    (lambda: threadpool.ThreadPool(1).spawn(5), TypeError, CALLABLE),
    (lambda: hubcore.get_hub().spawn_threadsafe(5), TypeError, CALLABLE),
    (lambda: hubcore.Timeout(1, 5), TypeError, "an exception instance or class, a text, False or None, not 5"),
    (lambda: hubcore.Timeout(1, int), TypeError, "an exception instance or class, .* not <class 'int'>"),
    (lambda: never_starts(lambda one: kill(one, 5)), TypeError, RAISABLE),
    (lambda: never_starts(lambda one: one.kill(5)), TypeError, RAISABLE),
    (lambda: never_starts(lambda one: hubcore.killall([one], 5)), TypeError, RAISABLE),
    (lambda: event.AsyncResult().set_exception(5), TypeError, "must be an exception instance, not 5"),
    (lambda: task().link(5), TypeError, "a link must be callable, not 5"),
    (lambda: hubcore.signal_handler("x", nothing), TypeError, r"must be a number, such as signal\.SIGTERM, not 'x'"),
    (lambda: hubcore.signal_handler(15, 5), TypeError, "a signal handler must be callable, not 5"),
    (lambda: hub_os.fork_and_watch(5), TypeError, "callback must be callable or None, not 5"),
    (lambda: hub_os.forkpty_and_watch(5), TypeError, "callback must be callable or None, not 5"),
    (lambda: hubcore.fork(5), TypeError, "callback must be callable or None, not 5"),
    # Greenlets, and what is waited for.
    (lambda: hubcore.joinall(5), TypeError, r"joinall\(\) takes a list or another iterable, not 5"),
    (lambda: never_starts(hubcore.joinall), TypeError, r"not <Greenlet .*; to wait for one object, pass \[<Greenlet "),
    (lambda: never_starts(lambda one: hubcore.joinall([one, 5])), TypeError, "cannot wait for 5: expected a greenlet"),
    (lambda: hubcore.wait(NOTHING), TypeError, r"wait\(\) takes a list .*; to wait for one object, pass \[<Event "),
    (lambda: hubcore.iwait(NOTHING), TypeError, r"iwait\(\) takes a list .*; to wait for one object, pass \[<Event "),
    (lambda: hubcore.wait([NOTHING], count="x"), TypeError, "count must be an integer, .* not 'x'"),
    (lambda: hubcore.killall(5), TypeError, r"killall\(\) takes a list or another iterable, not 5"),
    (lambda: never_starts(lambda one: hubcore.killall([one, 5])), TypeError, "only a greenlet can be killed, not 5"),
    (lambda: hubcore.kill(None), TypeError, "only a greenlet can be killed, not None"),
    # Pools.
    (lambda: pool.Pool("x"), TypeError, "size must be an integer, or None for any number, not 'x'"),
    (lambda: pool.Pool(-1), ValueError, "size must be >= 0, or None for any number, not -1"),
    (
        lambda: pool.Pool(1, int),
        TypeError,
        r"greenlet_class must be a class with a start\(\) method, not <class 'int'>",
    ),
    (lambda: pool.Group(5), TypeError, r"Group\(\) takes greenlets, or an iterable of greenlets, not 5"),
    (lambda: pool.Group().add(5), TypeError, MEMBERS),
    (lambda: pool.Group().start(5), TypeError, MEMBERS),
    (lambda: pool.Pool(1).add(5), TypeError, MEMBERS),
    (lambda: pool.Group().imap(nothing, [1], maxsize="x"), TypeError, "maxsize must be an integer, .* not 'x'"),
    (lambda: pool.Group().apply_async(nothing, callback=5), TypeError, "callback must be callable or None, not 5"),
    (lambda: pool.Group().map_async(nothing, [1], 5), TypeError, "callback must be callable or None, not 5"),
    (lambda: threadpool.ThreadPool("x"), TypeError, "maxsize must be an integer, not 'x'"),
    (lambda: threadpool.ThreadPool(-1), ValueError, "maxsize must be >= 0, not -1"),
    (lambda: threadpool.ThreadPool(1, hub=5), TypeError, r"hub must be a Hub .* or None, not 5"),
    (
        lambda: setattr(threadpool.ThreadPool(1), "size", "x"),
        TypeError,
        "size must be an integer, not 'x'",
    ),
    (lambda: threadpool.ThreadPoolExecutor("x"), TypeError, "max_workers must be an integer, or None, not 'x'"),
    (lambda: threadpool.ThreadPoolExecutor(0), ValueError, "max_workers must be greater than 0"),
    # The network.
    (lambda: socket.create_connection("localhost"), ValueError, PAIR + "'localhost'"),
    (lambda: socket.create_connection(("localhost",)), ValueError, PAIR + r"\('localhost',\)"),
    (lambda: socket.create_connection(5), TypeError, PAIR + "5"),
    (lambda: socket.wait_read(-1), ValueError, "must be the number of an open file, not -1"),
    (lambda: socket.wait_read("x"), ValueError, "must be the number of an open file, not 'x'"),
    (lambda: socket.wait(5), TypeError, r"takes an io watcher \(hub.loop.io\), not 5; for an fd use wait_read"),
    (lambda: server.StreamServer("no port", nothing), ValueError, "'no port' is neither host:port nor a path"),
    (lambda: server.StreamServer(("a",), nothing), TypeError, ADDRESS + r"\('a',\)"),
    (lambda: server.StreamServer(("a", "b"), nothing), TypeError, ADDRESS + r"\('a', 'b'\)"),
    (lambda: server.StreamServer(("a", 65536), nothing), OverflowError, ADDRESS + r"\('a', 65536\)"),
    (lambda: server.StreamServer("a:65536", nothing), OverflowError, ADDRESS + r"\('a', 65536\)"),
    (lambda: server.DatagramServer(-1, nothing), OverflowError, ADDRESS + r"\('', -1\)"),
    (lambda: server.StreamServer(None, nothing), TypeError, "listener must be an address or a socket, not None"),
    (lambda: server.StreamServer(0, 5), TypeError, "a server's handle must be callable, not 5"),
    (lambda: server.StreamServer(0, nothing, backlog="x"), TypeError, "backlog must be a whole number .* not 'x'"),
    (lambda: server.StreamServer(0, nothing, spawn="x"), TypeError, "a pool or its size, not 'x'"),
    (lambda: server.StreamServer(0, nothing, certfile="/nowhere.pem"), FileNotFoundError, NO_FILE),
    (lambda: ssl.create_default_context(cafile="/nowhere.pem"), FileNotFoundError, NO_FILE),
    # Hubs and patches.
    (
        lambda: monkey.patch_all("socket"),
        TypeError,
        r"patch_all\(\): socket must be True or False, not 'socket'; .*patch_s",
    ),
    (lambda: monkey.patch_all(thread="no"), TypeError, r"patch_all\(\): thread must be True or False, not 'no'"),
    (lambda: monkey.patch_all(strict="yes"), TypeError, r"patch_all\(\): strict must be True or False, not 'yes'"),
    (lambda: monkey.patch_thread("no"), TypeError, r"patch_thread\(\): threading must .* not 'no'"),
    (lambda: monkey.patch_socket("dns"), TypeError, r"patch_socket\(\): dns must .* not 'dns'"),
    (lambda: monkey.patch_os("no"), TypeError, r"patch_os\(\): fds must .* not 'no'"),
    (lambda: monkey.patch_select("no"), TypeError, r"patch_select\(\): aggressive must .* not 'no'"),
    (lambda: monkey.patch_sys("no"), TypeError, r"patch_sys\(\): stdin must .* not 'no'"),
    (lambda: monkey.patch_module("socket", socket), TypeError, "the object to patch must be a module, not 'socket'"),
    (lambda: monkey.patch_module(hub_os, hub_os, "fork"), TypeError, r"names, not 'fork'; .* pass \['fork'\]"),
    (lambda: monkey.patch_item("time", "sleep", nothing), TypeError, "a module, not 'time'"),
    (lambda: monkey.remove_item("time", "sleep"), TypeError, "a module, not 'time'"),
    (lambda: monkey.is_module_patched(hub_os), TypeError, "the name of a module, not <module 'hubcore.os'"),
    (lambda: monkey.is_object_patched(hub_os, "fork"), TypeError, "the name of a module, not <module 'hubcore.os'"),
]


def test_each_is_refused_by_name_and_leaves_nothing_behind(hub):
    wrong = []
    for number, (call, kind, words) in enumerate(CASES):
        try:
            with pytest.raises(kind, match=words) as raised:
                call()
            assert raised.type is kind
        except (Exception, pytest.fail.Exception) as error:
            wrong.append(f"case {number} ({words}): {error!r}")
    assert not wrong, "\n".join(wrong)
    assert not monkey.is_anything_patched()


def test_what_says_yes_or_no_otherwise_is_taken(hub):
    monkey.patch_sys(1, 0, None)
    assert hubcore.Timeout(True).seconds is True
    with pytest.raises(ValueError, match="boom"), hubcore.Timeout(-1, ValueError("boom")):
        hubcore.sleep(1)


def test_a_certificate_that_cannot_be_read_is_named(tmp_path):
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("nothing of the kind")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(ssl.SSLError) as raised:
        context.load_cert_chain(wrong)
    assert repr(wrong) in raised.value.__notes__[0]
