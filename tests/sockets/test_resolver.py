"""Lookups: the standard library's answers and errors, while other greenlets run."""

import socket as stdlib
import threading

import pytest

import hubcore
from hubcore import config, socket, spawn
from hubcore._base.worker_threads import Workers
from hubcore.resolver import thread as _resolver
from hubcore.testing import run_python, settle
from tests.sockets.test_socket_errors import outcome

pytestmark = pytest.mark.usefixtures("hub")

GETADDRINFO = [
    ("localhost", 80), ("localhost", "http"), ("localhost", "80"), ("127.0.0.1", "http"), (None, 80), (None, None),
    ("localhost", None), ("::1", 1), ("", 1), (b"localhost", b"80"), ("127.1", 1), ("localhost", True), (None, "http"),
    ("127.0.0.1", 70000), ("localhost", 2**40), ("localhost", -1), ("fe80::1%lo", 1),
    ("localhost", 80, stdlib.AF_INET, stdlib.SOCK_STREAM), ("localhost", 80, 0, 0, stdlib.IPPROTO_UDP),
    ("127.0.0.1", 80, 0, 0, 0, stdlib.AI_NUMERICHOST), ("localhost", "80", 0, 0, 0, stdlib.AI_NUMERICSERV),
    # What is wrong:
    ("localhost", 80, 0, 0, 0, stdlib.AI_NUMERICHOST), ("localhost", "no such service"), ("nowhere.invalid", 1),
    ("a" * 70, 1), ("localhost", 1.0), ("localhost", []), (3, 1), ([], 1), (bytearray(b"localhost"), 1),
    ("localhost", 80, "x"), ("localhost", 80, 99), ("localhost", 80, 0, 77), ("lo\0cal", 1), ("ü" * 70, 1),
]  # fmt: skip


@pytest.mark.parametrize("arguments", GETADDRINFO, ids=repr)
def test_getaddrinfo(arguments):
    assert outcome(socket.getaddrinfo, *arguments) == outcome(stdlib.getaddrinfo, *arguments)


HOSTS = [
    "localhost", "127.0.0.1", "127.1", "", "255.255.255.255", "::1", b"localhost", bytearray(b"localhost"),
    "nowhere.invalid", 3, None, [], "a" * 70, "x\0y",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS, ids=repr)
@pytest.mark.parametrize("function", ["gethostbyname", "gethostbyname_ex", "gethostbyaddr"])
def test_looking_up_one_host(function, host):
    assert outcome(getattr(socket, function), host) == outcome(getattr(stdlib, function), host)


ADDRESSES = [
    (("127.0.0.1", 80), 0), (("127.0.0.1", 80), stdlib.NI_NUMERICHOST | stdlib.NI_NUMERICSERV), (("::1", 80, 0, 0), 0),
    (("localhost", 80), 0), (("x",), 0), ("x", 0), ((1, 2), 0), (("127.0.0.1", 80), "x"), (("127.0.0.1", "80"), 0),
    (([], 80), 0), (("256.0.0.1", 80), 0),
]  # fmt: skip


@pytest.mark.parametrize("arguments", ADDRESSES, ids=repr)
def test_getnameinfo(arguments):
    assert outcome(socket.getnameinfo, *arguments) == outcome(stdlib.getnameinfo, *arguments)


@pytest.mark.parametrize("name", ["", "localhost", "127.0.0.1", "nowhere.invalid", "::", "0.0.0.0"])
def test_getfqdn(name):
    assert socket.getfqdn(name) == stdlib.getfqdn(name)


class Blocked:
    """A resolver's call that lasts until the test lets it go on."""

    __name__ = "blocked"

    def __init__(self, result="answer"):
        self.calls = []
        self.go_on = threading.Event()
        self.result = result

    def __call__(self, *arguments):
        self.calls.append(arguments)
        assert self.go_on.wait(30)
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


def test_other_greenlets_run_during_a_look_up(hub):
    call = Blocked()
    looking = spawn(_resolver._look_up, call, "a")
    settle(hub)
    assert not looking.ready()
    assert "look-up blocked('a',)" in repr(looking.waiting_on)
    call.go_on.set()
    assert looking.get() == "answer"


def test_the_same_look_up_in_flight_is_made_once(hub):
    call = Blocked()
    jobs = [spawn(_resolver._look_up, call, name) for name in ("a", "a", "b", "a")]
    settle(hub)
    call.go_on.set()
    hubcore.joinall(jobs, raise_error=True)
    assert sorted(call.calls) == [("a",), ("b",)]
    assert _resolver._look_up(call, "a") == "answer"
    assert len(call.calls) == 3, "an answer is not kept: the system's resolver knows how long it is good for"


def test_each_that_waits_gets_an_error_of_its_own(hub):
    call = Blocked(stdlib.gaierror(-2, "Name or service not known"))
    jobs = [spawn(_resolver._look_up, call, "a") for _ in range(3)]
    settle(hub)
    call.go_on.set()
    for job in jobs:
        with pytest.raises(stdlib.gaierror, match="not known") as caught:
            job.get()
        assert caught.value.errno == -2
    assert len({id(job.exception) for job in jobs}) == 3


def test_a_killed_greenlet_waits_no_more_and_the_others_do(hub):
    call = Blocked()
    killed, other = spawn(_resolver._look_up, call, "a"), spawn(_resolver._look_up, call, "a")
    settle(hub)
    killed.kill()
    assert killed.ready()
    with pytest.raises(hubcore.Timeout), hubcore.Timeout(0.01):
        _resolver._look_up(call, "a")
    assert not other.ready()
    call.go_on.set()
    assert other.get() == "answer"
    assert call.calls == [("a",)]


def test_threads_share_a_look_up(hub):
    call = Blocked()
    looking = spawn(_resolver._look_up, call, "a")
    settle(hub)
    answers = []

    def elsewhere():
        answers.append(_resolver._look_up(call, "a"))
        hubcore.get_hub().destroy()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    while len(_resolver._under_way[("blocked", ("a",))].waiters) < 2:
        hubcore.sleep(0)
    call.go_on.set()
    assert looking.get() == "answer"
    thread.join(20)
    assert answers == ["answer"]
    assert call.calls == [("a",)]


def test_a_list_that_is_returned_is_the_callers_own(hub):
    jobs = [spawn(socket.getaddrinfo, "localhost", 80) for _ in range(2)]
    hubcore.joinall(jobs, raise_error=True)
    jobs[0].value.clear()
    assert jobs[1].value


def test_an_address_needs_no_thread(monkeypatch):
    monkeypatch.setattr(_resolver, "_look_up", lambda *args: pytest.fail("a thread was asked"))
    assert socket.gethostbyname("192.0.2.1") == "192.0.2.1"
    assert socket.getaddrinfo("192.0.2.1", 80, type=socket.SOCK_STREAM)[0][4] == ("192.0.2.1", 80)
    assert socket.getaddrinfo(None, 80)
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", 9))


def test_there_are_at_most_as_many_threads_as_the_setting_says(hub, monkeypatch):
    monkeypatch.setattr(config, "resolver_threads", 2)
    monkeypatch.setattr(_resolver, "_workers", None)
    call = Blocked()
    jobs = [spawn(_resolver._look_up, call, i) for i in range(5)]
    settle(hub)
    while len(call.calls) < 2:
        hubcore.sleep(0)
    assert _resolver._workers._threads == 2
    call.go_on.set()
    hubcore.joinall(jobs, raise_error=True)
    assert len(call.calls) == 5


def test_a_setting_that_is_wrong_is_an_error_each_time(monkeypatch):
    monkeypatch.setattr(config, "resolver_threads", 0)
    monkeypatch.setattr(_resolver, "_workers", None)
    for _ in range(2):
        with pytest.raises(ValueError, match="1 or more"):
            socket.gethostbyname("localhost")


def test_no_thread_to_be_had_is_an_error_for_all_that_wait(monkeypatch):
    def refuse(*args):
        raise RuntimeError("can't start new thread")

    workers = Workers(2)
    monkeypatch.setattr(_resolver, "_workers", workers)
    monkeypatch.setattr("hubcore._base.worker_threads._idle", [])
    monkeypatch.setattr("hubcore._base.worker_threads.start_new_thread", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        socket.gethostbyname("localhost")
    monkeypatch.undo()
    monkeypatch.setattr(_resolver, "_workers", workers)
    assert socket.gethostbyname("localhost") == "127.0.0.1"


def test_a_forked_child_looks_up_anew(hub_backend):
    """Neither the threads nor what they work on are in the child."""
    done = run_python(
        """
        import os, threading
        import hubcore
        from hubcore.resolver import thread as _resolver

        go_on = threading.Event()
        parent = os.getpid()

        def call(*args):
            if os.getpid() == parent:
                assert go_on.wait(30)
            return os.getpid()

        looking = hubcore.spawn(_resolver._look_up, call, "a")
        hubcore.sleep(0)
        pid = hubcore.fork()
        if pid == 0:
            os._exit(0 if _resolver._look_up(call, "a") == os.getpid() else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        go_on.set()
        print(status, looking.get() == parent)
        """,
        hub_backend,
    )
    assert done.stdout == "0 True\n"


def test_a_look_up_keeps_the_hub_alive(hub):
    call = Blocked()
    looking = spawn(_resolver._look_up, call, "a")
    settle(hub)
    timer = threading.Timer(0.02, call.go_on.set)
    timer.start()
    assert looking.get() == "answer"  # no LoopExit
    timer.join()
    assert hub.join(timeout=10)
