"""PyMySQL against a MariaDB server: queries at the same time, TLS on a connection that began without, lost servers."""

from functools import partial
from pathlib import Path

import pymysql
import pytest

import hubcore
from tests.interplay import services
from tests.interplay.many import attempt, give_up, together, wait_until

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def connect(servers, hub):
    """Makes connections to the session's server, in the database `play`; closes them."""
    server = servers("mariadb")
    connections = []

    def connect(**options):
        connections.append(pymysql.connect(unix_socket=server.path, user="root", **options))
        return connections[-1]

    run(connect(), "CREATE DATABASE IF NOT EXISTS play")
    yield partial(connect, database="play")
    for connection in connections:
        if connection.open:
            connection.close()


def run(connection, statement, *arguments):
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall()


def waiting(connection):
    """How many queries wait for a lock of the name that they asked for, as the server sees it."""
    ((count,),) = run(connection, "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'")
    return count


def test_queries_run_at_the_same_time(connect):
    holder = connect()
    run(holder, "SELECT GET_LOCK('door', 0)")

    def work():
        connection = connect()
        got = run(connection, "SELECT GET_LOCK('door', 30), CONNECTION_ID()")
        run(connection, "SELECT RELEASE_LOCK('door')")
        return got[0]

    jobs = [hubcore.spawn(work) for _ in range(20)]
    wait_until(lambda: waiting(holder) == 20)
    run(holder, "SELECT RELEASE_LOCK('door')")
    results = [job.get() for job in jobs]
    assert [got for got, _ in results] == [1] * 20
    assert len({ident for _, ident in results}) == 20


def test_transactions_wait_for_each_other(connect):
    first = connect()
    run(first, "CREATE OR REPLACE TABLE account (id INT PRIMARY KEY, amount INT) ENGINE=InnoDB")
    run(first, "INSERT INTO account VALUES (1, 0)")
    first.commit()

    def add():
        connection = connect()
        for _ in range(5):
            ((amount,),) = run(connection, "SELECT amount FROM account WHERE id = 1 FOR UPDATE")
            hubcore.sleep(0)
            run(connection, "UPDATE account SET amount = %s WHERE id = 1", amount + 1)
            connection.commit()

    together([add] * 5)
    first.commit()
    assert run(first, "SELECT amount FROM account") == ((25,),)


def test_a_long_result_comes_in_parts_while_others_work(connect):
    def stream(number):
        connection = connect(cursorclass=pymysql.cursors.SSCursor)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT seq, REPEAT('{number}', 1000) FROM seq_1_to_2000")
            rows = 0
            for position, text in cursor:
                rows += 1
                assert (position, text) == (rows, str(number) * 1000)
        return rows

    assert together([partial(stream, i) for i in range(4)]) == [2000] * 4
    big = b"\0\xff" * 1_000_000
    ((back,),) = run(connect(), "SELECT %s", big)
    assert back == big


@pytest.mark.parametrize("how", ["timeout", "kill"])
def test_a_query_that_is_given_up_closes_its_connection(connect, how):
    holder, connection = connect(), connect()
    run(holder, "SELECT GET_LOCK('door', 0)")
    one = hubcore.spawn(attempt, run, connection, "SELECT GET_LOCK('door', 30)")
    wait_until(lambda: waiting(holder) == 1)
    give_up(one, how)
    with pytest.raises(pymysql.err.InterfaceError):
        run(connection, "SELECT 'next'")
    connection.connect()
    assert run(connection, "SELECT 'next'") == (("next",),)


def test_a_timeout_of_the_librarys_own(connect):
    holder, connection = connect(), connect(read_timeout=0.05)
    run(holder, "SELECT GET_LOCK('door', 0)")
    with pytest.raises(pymysql.err.OperationalError, match="timed out"):
        run(connection, "SELECT GET_LOCK('door', 30)")


def test_a_query_that_another_connection_kills(connect):
    holder, connection = connect(), connect()
    run(holder, "SELECT GET_LOCK('door', 0)")
    one = hubcore.spawn(run, connection, "SELECT GET_LOCK('door', 30)")
    wait_until(lambda: waiting(holder) == 1)
    run(holder, f"KILL CONNECTION {connection.thread_id()}")
    with pytest.raises(pymysql.err.OperationalError):
        one.get()


def test_a_server_that_is_killed_and_comes_back():
    with services.running("mariadb") as server:
        options = {"host": "localhost", "port": server.port, "user": "root"}
        holder = pymysql.connect(**options)
        run(holder, "SELECT GET_LOCK('door', 0)")
        others = [pymysql.connect(**options) for _ in range(3)]
        jobs = [hubcore.spawn(run, one, "SELECT GET_LOCK('door', 30)") for one in others]
        wait_until(lambda: waiting(holder) == 3)
        server.kill()
        for job in jobs:
            with pytest.raises(pymysql.err.OperationalError, match=r"2013|2006"):
                job.get(timeout=30)
        with pytest.raises(pymysql.err.OperationalError, match="2003"):
            pymysql.connect(**options)
        server.start()
        for one in others:
            one.connect()
        assert together([lambda one=one: run(one, "SELECT 1") for one in others]) == [((1,),)] * 3
        for one in (*others, holder):
            one.close()


def test_over_tls(certificates):
    with services.running("mariadb", {"server.pem": Path(certificates["localhost"]).read_bytes()}) as server:
        options = {"host": "localhost", "port": server.port, "user": "root"}

        def work(number):
            connection = pymysql.connect(ssl={"ca": certificates["ca"]}, **options)
            try:
                ((_, cipher),) = run(connection, "SHOW STATUS LIKE 'Ssl_cipher'")
                assert cipher
                ((text,),) = run(connection, f"SELECT REPEAT('{number}', 100000)")
                return text
            finally:
                connection.close()

        assert together([partial(work, i) for i in range(5)]) == [str(i) * 100_000 for i in range(5)]
        with pytest.raises(pymysql.err.OperationalError, match="certificate verify failed"):
            pymysql.connect(ssl={"ca": certificates["other"]}, **options)
