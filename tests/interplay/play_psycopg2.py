"""psycopg2 against a PostgreSQL server: it waits in C, and asks a callback to do it where there is one."""

import psycopg2
import psycopg2.extensions
import pytest
from psycopg2 import errors

import hubcore
from hubcore import socket
from tests.interplay import services
from tests.interplay.many import attempt, give_up, wait_until

pytestmark = pytest.mark.usefixtures("hub")


def wait(connection, timeout=None):
    """What docs/interplay.md tells users to pass to set_wait_callback."""
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        if state == psycopg2.extensions.POLL_READ:
            socket.wait_read(connection.fileno(), timeout)
        elif state == psycopg2.extensions.POLL_WRITE:
            socket.wait_write(connection.fileno(), timeout)
        else:
            raise psycopg2.OperationalError(f"unexpected answer of poll(): {state!r}")


@pytest.fixture(autouse=True)
def callback():
    psycopg2.extensions.set_wait_callback(wait)
    yield
    psycopg2.extensions.set_wait_callback(None)


def open_connection(server):
    connection = psycopg2.connect(host=server.path, port=server.port, user="postgres")
    connection.autocommit = True
    return connection


@pytest.fixture
def connect(servers, hub):
    connections = []

    def connect():
        connections.append(open_connection(servers("postgres")))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


def run(connection, statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def waiting(connection):
    return run(connection, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")[0][0]


def test_queries_run_at_the_same_time(connect):
    holder = connect()
    run(holder, "SELECT pg_advisory_lock(1)")

    def work():
        connection = connect()
        run(connection, "SELECT pg_advisory_lock(1)")
        run(connection, "SELECT pg_advisory_unlock(1)")
        return run(connection, "SELECT pg_backend_pid()")[0][0]

    jobs = [hubcore.spawn(work) for _ in range(20)]
    wait_until(lambda: waiting(holder) == 20)
    run(holder, "SELECT pg_advisory_unlock(1)")
    assert len({job.get() for job in jobs}) == 20


@pytest.mark.parametrize("how", ["timeout", "kill"])
def test_a_query_that_is_given_up_closes_its_connection(connect, how):
    holder, connection = connect(), connect()
    run(holder, "SELECT pg_advisory_lock(1)")
    one = hubcore.spawn(attempt, run, connection, "SELECT pg_advisory_lock(1)")
    wait_until(lambda: waiting(holder) == 1)
    give_up(one, how)
    with pytest.raises(psycopg2.InterfaceError, match="closed"):
        run(connection, "SELECT 'next'")
    assert run(connect(), "SELECT 'next'") == [("next",)]


def test_a_query_that_is_cancelled_from_another_greenlet(connect):
    holder, connection = connect(), connect()
    run(holder, "SELECT pg_advisory_lock(1)")
    one = hubcore.spawn(run, connection, "SELECT pg_advisory_lock(1)")
    wait_until(lambda: waiting(holder) == 1)
    connection.cancel()
    with pytest.raises(errors.QueryCanceled):
        one.get()
    assert run(connection, "SELECT 'next'") == [("next",)]


def test_a_server_that_is_killed():
    with services.running("postgres") as server:
        holder, connection = open_connection(server), open_connection(server)
        run(holder, "SELECT pg_advisory_lock(1)")
        one = hubcore.spawn(run, connection, "SELECT pg_advisory_lock(1)")
        wait_until(lambda: waiting(holder) == 1)
        server.kill()
        with pytest.raises(psycopg2.OperationalError):
            one.get(timeout=30)
        holder.close()
        connection.close()
