"""ldap3's asynchronous mode: a thread of each connection reads until another shuts the socket down and closes it."""

import threading

import pytest

import hubcore
from tests.interplay.ldapd import ldap3, ldapd
from tests.interplay.many import attempt, give_up, together, wait_until

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def connect(request, certificates, hub):
    """Makes connections to a server of the test's own; `connect.server` is that server."""
    with ldapd(certificates["localhost"] if request.param else None) as server:

        def make(strategy=ldap3.ASYNC, **options):
            where = ldap3.Server("127.0.0.1", server.port, use_ssl=request.param, get_info=ldap3.NONE)
            return ldap3.Connection(where, client_strategy=strategy, auto_bind=True, **options)

        make.server = server
        yield make


def receivers():
    return [thread for thread in threading.enumerate() if "Receiver" in type(thread).__name__]


def search(connection, base):
    number = connection.search(base, "(uid=*)", attributes=["uid"])
    entries, outcome = connection.get_response(number, timeout=20)
    assert outcome["description"] == "success"
    return [entry["dn"] for entry in entries]


@pytest.mark.parametrize("options", [{}, {"receive_timeout": 20}], ids=["without", "with a timeout"])
def test_the_receiver_ends_with_its_connection(options, connect):
    """With a timeout ldap3 goes on after any error of recv: only the end of the input ends the thread."""
    for _ in range(5):
        connection = connect(**options)
        assert len(receivers()) == 1
        assert search(connection, "cn=3,dc=example") == [f"uid={each},cn=3,dc=example" for each in range(3)]
        connection.unbind()
        wait_until(lambda: not receivers())
    wait_until(lambda: not connect.server.connections)


def test_many_connections_at_once(connect):
    def work():
        connection = connect()
        found = [len(search(connection, f"cn={count},dc=example")) for count in (1, 20, 5)]
        connection.unbind()
        return found

    assert together([work] * 10) == [[1, 20, 5]] * 10
    wait_until(lambda: not receivers())


def test_answers_come_in_any_order(connect):
    connection = connect()
    late = connection.search("ou=late,dc=example", "(uid=*)")
    wait_until(lambda: connect.server.waiting == 1)
    with pytest.raises(hubcore.Timeout), hubcore.Timeout(0.05):
        connection.get_response(late, timeout=20)
    connect.server.go_on.set()
    assert connection.get_response(late, timeout=20)[1]["description"] == "success"
    connection.unbind()
    wait_until(lambda: not receivers())


@pytest.mark.parametrize("how", ["kill", "timeout"])
def test_who_waits_for_an_answer_can_give_up(how, connect):
    connection = connect()
    late = connection.search("ou=late,dc=example", "(uid=*)")
    waiting = hubcore.spawn(attempt, connection.get_response, late, 20)
    wait_until(lambda: connect.server.waiting == 1)
    give_up(waiting, how)
    connect.server.go_on.set()
    assert search(connection, "cn=2,dc=example") == ["uid=0,cn=2,dc=example", "uid=1,cn=2,dc=example"]
    connection.unbind()
    wait_until(lambda: not receivers())


def test_the_other_strategies(connect):
    for strategy in (ldap3.SYNC, ldap3.SAFE_SYNC, ldap3.SAFE_RESTARTABLE):
        connection = connect(strategy)
        connection.search("cn=2,dc=example", "(uid=*)", attributes=["uid"])
        connection.unbind()
    wait_until(lambda: not connect.server.connections)
