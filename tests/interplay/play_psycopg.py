"""psycopg 3 against a PostgreSQL server: queries at the same time, LISTEN, COPY, lost servers."""

from functools import partial

import psycopg
import psycopg.waiting
import pytest

import hubcore
from tests.interplay import services
from tests.interplay.many import attempt, give_up, together, wait_until

pytestmark = pytest.mark.usefixtures("hub")


def open_connection(server, **options):
    return psycopg.connect(host=server.path, port=server.port, user="postgres", autocommit=True, **options)


@pytest.fixture
def connect(servers, hub):
    """Makes connections to the session's server; closes them."""
    server = servers("postgres")
    connections = []

    def connect(**options):
        connections.append(open_connection(server, **options))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


def run(connection, statement, *arguments):
    return connection.execute(statement, arguments).fetchall()


def waiting(connection):
    """How many queries wait for an advisory lock, as the server sees it."""
    return run(connection, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")[0][0]


def test_it_is_compiled_and_waits_in_python():
    assert psycopg.pq.__impl__ in ("binary", "c")
    assert psycopg.waiting.wait is psycopg.waiting.wait_poll


def test_queries_run_at_the_same_time(connect):
    holder = connect()
    run(holder, "SELECT pg_advisory_lock(1)")

    def work():
        with connect() as connection:
            run(connection, "SELECT pg_advisory_lock(1)")
            run(connection, "SELECT pg_advisory_unlock(1)")
            return run(connection, "SELECT pg_backend_pid()")[0][0]

    jobs = [hubcore.spawn(work) for _ in range(20)]
    wait_until(lambda: waiting(holder) == 20)
    run(holder, "SELECT pg_advisory_unlock(1)")
    assert len({job.get() for job in jobs}) == 20


def test_transactions_wait_for_each_other(connect):
    first = connect()
    first.execute("CREATE TEMP TABLE unused (a int)")
    first.execute("DROP TABLE IF EXISTS account")
    first.execute("CREATE TABLE account (id int PRIMARY KEY, amount int)")
    first.execute("INSERT INTO account VALUES (1, 0)")

    def add():
        connection = connect()
        for _ in range(5):
            with connection.transaction():
                ((amount,),) = run(connection, "SELECT amount FROM account WHERE id = 1 FOR UPDATE")
                hubcore.sleep(0)
                connection.execute("UPDATE account SET amount = %s WHERE id = 1", (amount + 1,))

    together([add] * 5)
    assert run(first, "SELECT amount FROM account") == [(25,)]


def test_one_notifies_and_many_listen(connect):
    def listen():
        connection = connect()
        connection.execute("LISTEN news")
        ready.append(1)
        return [notice.payload for notice in connection.notifies(stop_after=2)]

    ready = []
    listeners = [hubcore.spawn(listen) for _ in range(5)]
    wait_until(lambda: len(ready) == 5)
    sender = connect()
    sender.execute("NOTIFY news, 'one'")
    sender.execute("NOTIFY news, 'two'")
    assert [job.get() for job in listeners] == [["one", "two"]] * 5


def test_copy_and_long_results(connect):
    def both_ways(number):
        connection = connect()
        connection.execute("CREATE TEMP TABLE lines (number int, text text)")
        with connection.cursor() as cursor:
            with cursor.copy("COPY lines FROM STDIN") as copy:
                for i in range(2000):
                    copy.write_row((i, str(number) * 500))
            with cursor.copy("COPY lines TO STDOUT") as copy:
                size = sum(len(part) for part in copy)
            cursor.execute("SELECT * FROM lines ORDER BY number")
            assert cursor.fetchall() == [(i, str(number) * 500) for i in range(2000)]
        with connection.pipeline():
            results = [connection.execute("SELECT %s::int", (i,)) for i in range(50)]
        assert [result.fetchone()[0] for result in results] == list(range(50))
        return size

    sizes = together([partial(both_ways, i) for i in range(4)])
    assert len(set(sizes)) == 1
    assert sizes[0] > 2000 * 500


@pytest.mark.parametrize("how", ["timeout", "kill"])
def test_a_query_that_is_given_up_can_be_cancelled(connect, how):
    holder, connection = connect(), connect()
    run(holder, "SELECT pg_advisory_lock(1)")
    one = hubcore.spawn(attempt, run, connection, "SELECT pg_advisory_lock(1)")
    wait_until(lambda: waiting(holder) == 1)
    give_up(one, how)
    # psycopg takes an unfamiliar exception for one that says nothing of the query, which goes on.
    with pytest.raises(psycopg.OperationalError, match="another command is already in progress"):
        run(connection, "SELECT 'next'")
    connection.close()
    run(holder, "SELECT pg_advisory_unlock(1)")
    assert run(connect(), "SELECT 'next'") == [("next",)]


def test_a_query_that_is_cancelled_from_another_greenlet(connect):
    holder, connection = connect(), connect()
    run(holder, "SELECT pg_advisory_lock(1)")
    one = hubcore.spawn(run, connection, "SELECT pg_advisory_lock(1)")
    wait_until(lambda: waiting(holder) == 1)
    connection.cancel_safe()
    with pytest.raises(psycopg.errors.QueryCanceled):
        one.get()
    assert run(connection, "SELECT 'next'") == [("next",)]


def test_a_connection_that_the_server_ends(connect):
    holder, connection = connect(), connect()
    run(holder, "SELECT pg_advisory_lock(1)")
    one = hubcore.spawn(run, connection, "SELECT pg_advisory_lock(1)")
    wait_until(lambda: waiting(holder) == 1)
    run(holder, "SELECT pg_terminate_backend(%s)", connection.info.backend_pid)
    with pytest.raises(psycopg.OperationalError, match="terminating connection"):
        one.get()


def test_a_server_that_is_killed_and_comes_back():
    with services.running("postgres") as server:
        holder = open_connection(server)
        run(holder, "SELECT pg_advisory_lock(1)")
        others = [open_connection(server) for _ in range(3)]
        jobs = [hubcore.spawn(run, one, "SELECT pg_advisory_lock(1)") for one in others]
        wait_until(lambda: waiting(holder) == 3)
        server.kill()
        for job in jobs:
            with pytest.raises(psycopg.OperationalError):
                job.get(timeout=30)
        with pytest.raises(psycopg.OperationalError):
            open_connection(server)
        server.start()
        with open_connection(server) as again:
            assert run(again, "SELECT 1") == [(1,)]
        for one in (*others, holder):
            one.close()
