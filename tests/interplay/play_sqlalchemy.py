"""SQLAlchemy's QueuePool, which is made of locks and conditions of `threading`, over PyMySQL and psycopg."""

from functools import partial

import pytest
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.pool import QueuePool

import hubcore.event
from tests.interplay.many import attempt, give_up, together, wait_until

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture(params=["mariadb", "postgres"])
def engine(request, servers, hub):
    """An engine with three connections and no more."""
    server = servers(request.param)
    if request.param == "mariadb":
        url = f"mysql+pymysql://root@/?unix_socket={server.path}"
    else:
        url = f"postgresql+psycopg://postgres@/postgres?host={server.path}&port={server.port}"
    engine = sqlalchemy.create_engine(url, poolclass=QueuePool, pool_size=3, max_overflow=0, pool_timeout=30)
    yield engine
    engine.dispose()


class Inside:
    """How many are inside, at most."""

    def __init__(self):
        self.now = self.most = 0

    def __enter__(self):
        self.now += 1
        self.most = max(self.most, self.now)

    def __exit__(self, *_):
        self.now -= 1


def test_many_share_few_connections(engine):
    inside = Inside()
    door = hubcore.event.Event()

    def work(number):
        with engine.connect() as connection, inside:
            if inside.now == 3:
                door.set()
            door.wait(30)
            return connection.execute(text("SELECT :number"), {"number": number}).scalar_one()

    assert [int(value) for value in together([partial(work, i) for i in range(20)])] == list(range(20))
    assert inside.most == 3
    assert engine.pool.checkedout() == 0


def test_a_wait_for_a_connection_has_a_limit(engine):
    short = sqlalchemy.create_engine(engine.url, poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.02)
    with short.connect():
        with pytest.raises(sqlalchemy.exc.TimeoutError):
            short.connect()
    short.dispose()


@pytest.mark.parametrize("how", ["timeout", "kill"])
def test_who_is_given_up_gives_the_connection_back(engine, how):
    sleep = "SELECT SLEEP(60)" if engine.dialect.name == "mysql" else "SELECT pg_sleep(60)"
    asked = []

    def work():
        with engine.connect() as connection:
            asked.append(1)
            connection.execute(text(sleep))

    jobs = [hubcore.spawn(attempt, work) for _ in range(3)]
    wait_until(lambda: len(asked) == 3)
    hubcore.sleep(0.02)
    waiting = hubcore.spawn(attempt, work)
    hubcore.sleep(0)
    give_up(waiting, how)
    for job in jobs:
        give_up(job, how)
    assert engine.pool.checkedout() == 0
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 'next'")).scalar_one() == "next"


def test_transactions(engine):
    with engine.begin() as connection:
        if engine.dialect.name == "mysql":
            connection.execute(text("CREATE DATABASE IF NOT EXISTS play"))
        prefix = "play." if engine.dialect.name == "mysql" else ""
        connection.execute(text(f"DROP TABLE IF EXISTS {prefix}total"))
        connection.execute(text(f"CREATE TABLE {prefix}total (amount int)"))
        connection.execute(text(f"INSERT INTO {prefix}total VALUES (0)"))

    def add():
        with engine.begin() as connection:
            amount = connection.execute(text(f"SELECT amount FROM {prefix}total FOR UPDATE")).scalar_one()
            connection.execute(text(f"UPDATE {prefix}total SET amount = :amount"), {"amount": amount + 1})

    together([add] * 20)
    with engine.connect() as connection:
        assert connection.execute(text(f"SELECT amount FROM {prefix}total")).scalar_one() == 20
