"""pymongo's pool and monitors, which are of threading's locks and threads, against a stand-in for its server."""

import threading
from functools import partial

import pymongo
import pytest

import hubcore
from tests.interplay.many import attempt, give_up, together, wait_until
from tests.interplay.mongod import mongod

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def server(hub):
    with mongod() as server:
        yield server


@pytest.fixture
def connect(server):
    """Makes clients; closes them, and with them their monitors."""
    clients = []

    def connect(**options):
        clients.append(pymongo.MongoClient("127.0.0.1", server.port, serverSelectionTimeoutMS=20_000, **options))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()
    # Its threads notice within half a second.
    wait_until(lambda: not any(thread.name.startswith("pymongo") for thread in threading.enumerate()))


def test_commands_run_at_the_same_time(connect, server):
    client = connect()
    jobs = [hubcore.spawn(client.play.command, "wait", i) for i in range(20)]
    wait_until(lambda: server.waiting == 20)
    server.go_on.set()
    assert [job.get()["number"] for job in jobs] == list(range(20))
    assert client.play.things.find_one({"a": 1}) == {"a": 1}


def test_a_pool_that_is_full_makes_wait(connect, server):
    client = connect(maxPoolSize=3)
    jobs = [hubcore.spawn(client.play.command, "wait", i) for i in range(12)]
    wait_until(lambda: server.waiting == 3)
    server.go_on.set()
    assert [job.get()["number"] for job in jobs] == list(range(12))
    assert server.most == 3


def test_a_wait_for_a_connection_has_a_limit(connect, server):
    client = connect(maxPoolSize=1, waitQueueTimeoutMS=20)
    one = hubcore.spawn(client.play.command, "wait", 1)
    wait_until(lambda: server.waiting == 1)
    with pytest.raises(pymongo.errors.WaitQueueTimeoutError):
        client.play.command("ping")
    server.go_on.set()
    one.get()


@pytest.mark.parametrize("how", ["timeout", "kill"])
def test_a_command_that_is_given_up_leaves_the_pool_usable(connect, server, how):
    client = connect(maxPoolSize=1)
    one = hubcore.spawn(attempt, client.play.command, "wait", 1)
    wait_until(lambda: server.waiting == 1)
    waiting = hubcore.spawn(attempt, client.play.command, "wait", 2)
    hubcore.sleep(0)
    give_up(waiting, how)
    give_up(one, how)
    server.go_on.set()
    answers = together([partial(client.play.things.find_one, {"number": i}) for i in range(5)])
    assert answers == [{"number": i} for i in range(5)]
