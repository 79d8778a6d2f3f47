"""redis-py against a Redis server: pools, blocking commands, pub/sub, TLS, a server that dies."""

from functools import partial
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import hubcore
from hubcore.testing import settle
from tests.interplay import services
from tests.interplay.many import attempt, give_up, together, wait_until

pytestmark = pytest.mark.usefixtures("hub")

NEVER_AGAIN = Retry(NoBackoff(), 0)


@pytest.fixture
def connect(servers, hub):
    """Makes clients of the session's server, which begins empty; closes them."""
    server = servers("redis")
    clients = []

    def connect(**options):
        kind = options.pop("pool", redis.ConnectionPool)
        options.setdefault("retry", NEVER_AGAIN)
        pool = kind.from_url(f"unix://{server.path}", decode_responses=True, **options)
        clients.append(redis.Redis(connection_pool=pool))
        return clients[-1]

    connect().flushall()
    yield connect
    for client in clients:
        client.connection_pool.disconnect()


def blocked(client):
    return client.info("clients")["blocked_clients"]


def test_many_wait_for_what_one_pushes(connect):
    client = connect()
    waiting = [hubcore.spawn(client.blpop, f"list{i}") for i in range(20)]
    wait_until(lambda: blocked(client) == 20)
    for i in range(20):
        client.rpush(f"list{i}", i)
    assert [one.get() for one in waiting] == [(f"list{i}", str(i)) for i in range(20)]


def test_transactions_do_not_mix(connect):
    client = connect()

    def work(number):
        for _ in range(20):
            with client.pipeline() as pipe:
                pipe.incr("total")
                pipe.set(f"mine:{number}", "x" * number)
                pipe.get(f"mine:{number}")
                assert pipe.execute()[2] == "x" * number

    together([partial(work, i) for i in range(20)])
    assert client.get("total") == "400"


def test_optimistic_locking_sees_the_others(connect):
    client = connect()

    def add_one(pipe):
        value = int(pipe.get("number") or 0)
        pipe.multi()
        pipe.set("number", value + 1)

    together([lambda: client.transaction(add_one, "number")] * 10)
    assert client.get("number") == "10"


def test_a_lock_is_held_by_one_at_a_time(connect):
    client = connect()
    inside = []

    def work():
        with client.lock("door", timeout=30, blocking_timeout=30, sleep=0.001):
            inside.append(1)
            hubcore.sleep(0.002)
            assert len(inside) == 1
            inside.pop()

    together([work] * 10)


def test_publish_and_subscribe(connect):
    client = connect()
    heard = []

    def listen(number):
        with client.pubsub(ignore_subscribe_messages=True) as subscription:
            subscription.subscribe("news")
            for message in subscription.listen():
                if message["data"] == "end":
                    return
                heard.append((number, message["data"]))

    listeners = [hubcore.spawn(listen, i) for i in range(5)]
    wait_until(lambda: client.pubsub_numsub("news")[0][1] == 5)
    for word in ("one", "two", "end"):
        client.publish("news", word)
    hubcore.joinall(listeners, raise_error=True)
    assert sorted(heard) == [(i, word) for i in range(5) for word in ("one", "two")]


def test_a_pool_that_is_full_makes_wait(connect):
    client = connect(pool=redis.BlockingConnectionPool, max_connections=3, timeout=30)
    observer = connect()
    waiting = [hubcore.spawn(client.blpop, "list") for _ in range(10)]
    wait_until(lambda: blocked(observer) == 3)
    settle(hubcore.get_hub())
    assert blocked(observer) == 3
    for i in range(10):
        observer.rpush("list", i)
    assert sorted(int(one.get()[1]) for one in waiting) == list(range(10))


def test_a_long_answer_comes_in_parts_while_others_work(connect):
    client = connect()
    value = "0123456789" * 500_000
    client.set("long", value)
    answers = together([lambda: client.get("long")] * 4 + [client.ping])
    assert answers == [value] * 4 + [True]


@pytest.mark.parametrize("how", ["timeout", "kill"])
def test_a_command_that_is_given_up_leaves_the_pool_usable(connect, how):
    client, observer = connect(max_connections=1), connect()
    one = hubcore.spawn(attempt, client.blpop, "list")
    wait_until(lambda: blocked(observer) == 1)
    give_up(one, how)
    observer.rpush("list", "for nobody")
    # Its answer must not become the answer to what is asked next.
    assert [client.echo(f"{i}") for i in range(3)] == ["0", "1", "2"]


def test_a_timeout_of_the_librarys_own(connect):
    client = connect(socket_timeout=0.02)
    with pytest.raises(redis.TimeoutError):
        client.blpop("list", timeout=0)
    assert client.echo("next") == "next"


def test_a_server_that_is_killed_and_comes_back():
    with services.running("redis") as server:
        client = redis.Redis(host="127.0.0.1", port=server.port, retry=NEVER_AGAIN)
        waiting = [hubcore.spawn(client.blpop, "list") for _ in range(5)]
        wait_until(lambda: blocked(client) == 5)
        server.kill()
        for one in waiting:
            with pytest.raises(redis.ConnectionError):
                one.get(timeout=30)
        with pytest.raises(redis.ConnectionError):
            client.ping()
        server.start()
        assert client.ping()
        assert sorted(together([lambda: client.incr("n")] * 5)) == [1, 2, 3, 4, 5]
        client.close()


def test_over_tls(certificates):
    with services.running("redis", {"server.pem": Path(certificates["localhost"]).read_bytes()}) as server:
        options = {"port": server.port, "ssl": True, "retry": NEVER_AGAIN, "decode_responses": True}
        client = redis.Redis(host="localhost", ssl_ca_certs=certificates["ca"], **options)
        waiting = [hubcore.spawn(client.blpop, f"list{i}") for i in range(5)]
        wait_until(lambda: blocked(client) == 5)
        value = "x" * 1_000_000
        for i in range(5):
            client.rpush(f"list{i}", value)
        assert [one.get() for one in waiting] == [(f"list{i}", value) for i in range(5)]
        client.close()
        stranger = redis.Redis(host="localhost", **options)
        with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
            stranger.ping()
