"""The simulated network: what passes, how long it takes, and what TCP and UDP make of what does not."""

import errno
import struct

import pytest

from hubcore import sleep, socket, spawn
from tests.simulation.worlds import echo, here, read, sink

ROUND_TRIPS = 3 * 0.01  # seconds that a few packets take at most


def connected(simulation, program=echo, **options):
    simulation.host("db", program)
    return socket.create_connection(("db", 7), **options)


def test_a_partition_holds_what_is_sent_until_it_heals():
    def main(simulation):
        with connected(simulation) as connection:
            simulation.partition("test", "db")
            connection.sendall(b"x")
            connection.settimeout(20)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            simulation.heal()
            healed = simulation.now
            assert connection.recv(1) == b"x"
            assert simulation.now - healed < 30  # at the next time that TCP tries again

    here(main)


@pytest.mark.parametrize("way", [("test", "db"), ("db", "test")])
def test_a_partition_in_one_direction(way):
    def main(simulation):
        received = []

        def program():
            with socket.create_server(("", 7)) as listener:
                connection = listener.accept()[0]
                while data := connection.recv(100):
                    received.append(data)
                    connection.sendall(data)

        with connected(simulation, program) as connection:
            simulation.partition(*way, oneway=True)
            connection.sendall(b"x")
            sleep(5)
            assert received == ([] if way[0] == "test" else [b"x"])
            connection.settimeout(1)
            with pytest.raises(TimeoutError):
                connection.recv(1)

    here(main)


def test_hosts_in_no_group_reach_all():
    def main(simulation):
        for name in ("a", "b", "c"):
            simulation.host(name, echo)
        simulation.partition("a", ["b"])
        for name in ("a", "b", "c"):
            socket.create_connection((name, 7), timeout=5).close()

        def reach(name):
            socket.create_connection((name, 7), timeout=5).close()
            return True

        with pytest.raises(TimeoutError):
            simulation.hosts["a"].spawn(reach, "b").get()
        return simulation.hosts["a"].spawn(reach, "c").get()

    assert here(main)


def test_connecting_to_nowhere_times_out_as_the_kernel_does():
    def main(simulation):
        simulation.host("db", echo)
        simulation.partition("test", "db")
        with pytest.raises(TimeoutError) as caught:
            socket.create_connection(("db", 7))
        assert caught.value.errno == errno.ETIMEDOUT
        assert simulation.now == pytest.approx(127, abs=0.1)

    here(main)


def test_an_address_that_no_host_has():
    def main(simulation):
        with pytest.raises(OSError) as caught:
            socket.create_connection(("10.0.0.99", 7))
        assert caught.value.errno == errno.EHOSTUNREACH
        with pytest.raises(socket.gaierror):
            socket.create_connection(("nowhere", 7))

    here(main)


def test_a_connection_that_is_cut_off_for_long_is_given_up():
    def main(simulation):
        with connected(simulation) as connection:
            simulation.partition("test", "db")
            connection.sendall(b"x")
            start = simulation.now
            with pytest.raises(TimeoutError) as caught:
                connection.recv(1)
            assert caught.value.errno == errno.ETIMEDOUT
            assert 900 < simulation.now - start < 1050

    here(main)


def test_user_timeout_and_keep_alive():
    def main(simulation):
        with connected(simulation) as connection, socket.create_connection(("db", 7)) as idle:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 5000)
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3)):
                idle.setsockopt(socket.IPPROTO_TCP, option, value)
            sleep(300)  # a peer that answers is left alone
            simulation.partition("test", "db")
            connection.sendall(b"x")
            start = simulation.now
            with pytest.raises(TimeoutError):
                connection.recv(1)
            assert 5 <= simulation.now - start < 15
            with pytest.raises(TimeoutError):
                idle.recv(1)
            assert simulation.now - start < 200

    here(main)


def test_a_large_message_arrives_whole_over_a_bad_network_in_pieces_of_many_sizes():
    data = bytes(number * 7 % 251 for number in range(256_000))
    sizes = set()

    def main(simulation):
        with connected(simulation) as connection:
            simulation.link("test", "db", loss=0.1, reorder=0.3, latency=(0.001, 0.05))
            spawn(connection.sendall, data)
            found = b""
            while len(found) < len(data):
                piece = connection.recv(4096)
                sizes.add(len(piece))
                found += piece
            return found

    assert here(main, timeout=1e5) == data
    assert len(sizes) > 5


def test_a_slow_reader_holds_up_the_sender():
    def main(simulation):
        def program():
            with socket.create_server(("", 7)) as listener:
                connection = listener.accept()[0]
                while connection.recv(1000):
                    sleep(1)

        with connected(simulation, program) as connection:
            connection.sendall(bytes(500_000))
            return simulation.now

    assert 300 < here(main) < 500


def test_bandwidth():
    def main(simulation):
        with connected(simulation) as connection:
            simulation.link("test", "db", bandwidth=10_000)
            start = simulation.now
            spawn(connection.sendall, bytes(50_000))
            assert len(read(connection, 50_000)) == 50_000
            return simulation.now - start

    assert 5 < here(main) < 7


def test_hold_keeps_packets_in_their_order():
    def main(simulation):
        with connected(simulation) as connection:
            simulation.link("test", "db", hold=True, oneway=True)
            for letter in b"abcdef":
                connection.sendall(bytes([letter]))
            connection.settimeout(100)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            simulation.link("test", "db", hold=False)
            return read(connection, 6), simulation.now

    data, now = here(main)
    assert data == b"abcdef"
    assert now < 100 + 3


def test_reset_between_hosts():
    def main(simulation):
        with connected(simulation) as first, socket.create_connection(("db", 7)) as second:
            assert simulation.reset("test", "db") == 2
            for connection in (first, second):
                with pytest.raises(ConnectionResetError):
                    connection.recv(1)
            assert simulation.reset("test", "db") == 0

    here(main)


def test_a_full_backlog_keeps_clients_waiting():
    def main(simulation):
        def program():
            with socket.create_server(("", 7), backlog=1) as listener:
                sleep(10)
                while True:
                    listener.accept()[0].close()

        simulation.host("db", program)
        attempts = []
        for _ in range(6):
            attempts.append(spawn(socket.create_connection, ("db", 7)))
            sleep(0.5)
        assert sum(attempt.ready() for attempt in attempts) == 2
        for attempt in attempts:
            attempt.get().close()
        return simulation.now

    assert 10 < here(main) < 60


def test_a_port_is_in_use_for_a_minute_after_its_connections():
    def main(simulation):
        with socket.socket() as listener:
            listener.bind(("", 80))
            listener.listen()
            client = socket.create_connection(("127.0.0.1", 80))
            connection = listener.accept()[0]
        connection.close()  # first
        sleep(1)
        client.close()
        sleep(1)
        with socket.socket() as again, pytest.raises(OSError) as caught:
            again.bind(("", 80))
        assert caught.value.errno == errno.EADDRINUSE
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError):
                again.bind(("", 80))  # what lingers was made without
        sleep(60)
        with socket.socket() as again:
            again.bind(("", 80))

    here(main)


def test_linger_resets():
    def main(simulation):
        connection = connected(simulation, sink)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        sleep(1)
        assert any(event.kind == "was reset" for event in simulation.log)

    here(main)


def test_half_closed():
    def main(simulation):
        with connected(simulation) as connection:
            connection.sendall(b"last words")
            connection.shutdown(socket.SHUT_WR)
            assert read(connection, 100) == b"last words"
            with pytest.raises(BrokenPipeError):
                connection.send(b"x")

    here(main)


def test_ipv6():
    def main(simulation):
        simulation.host("six", echo, 7, socket.AF_INET6, ip="fd00::7")
        with pytest.raises(OSError) as caught:
            socket.create_connection(("six", 7))
        assert caught.value.errno == errno.ENETUNREACH  # the test's own host has no such address
        simulation.host("peer", ip="fd00::8").spawn(lambda: socket.create_connection(("six", 7)).close()).get()
        listener = socket.create_server(("::", 8), family=socket.AF_INET6, dualstack_ipv6=True)
        with listener, socket.create_connection(("127.0.0.1", 8)) as client:
            connection, address = listener.accept()
            connection.close()
            return address[0], client.getpeername()[0]

    assert here(main) == ("::ffff:127.0.0.1", "127.0.0.1")


# -- UDP


def receiver(simulation, count):
    """A host that notes what it receives."""
    received = []

    def program():
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("", 53))
            while True:
                received.append(sock.recvfrom(65535)[0])

    simulation.host("ns", program)
    return received


@pytest.mark.parametrize(
    ("link", "judge"),
    [
        ({}, lambda found: sorted(found) == list(range(200))),
        ({"loss": 0.5}, lambda found: 50 < len(found) < 150 and len(set(found)) == len(found)),
        ({"duplicate": 0.5}, lambda found: 250 < len(found) < 350 and set(found) == set(range(200))),
        ({"reorder": 0.5}, lambda found: sorted(found) == list(range(200)) and found != sorted(found)),
    ],
    ids=["good", "loss", "duplicate", "reorder"],
)
def test_datagrams(link, judge):
    def main(simulation):
        received = receiver(simulation, 200)
        simulation.link("test", "ns", latency=0.01, **link)
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            for number in range(200):
                sock.sendto(struct.pack("i", number), ("ns", 53))
                sleep(0.02 if "reorder" not in link else 0.001)
        sleep(1)
        return [struct.unpack("i", data)[0] for data in received]

    assert judge(here(main))


def test_a_connected_socket_learns_that_nobody_is_there():
    def main(simulation):
        simulation.host("ns")
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.connect(("ns", 53))
            sock.send(b"x")
            with pytest.raises(ConnectionRefusedError):
                sock.recv(1)
            with pytest.raises(OSError) as caught:
                sock.send(bytes(65508))
            assert caught.value.errno == errno.EMSGSIZE

    here(main)


def test_broadcast_and_multicast():
    def main(simulation):
        got = []

        def program(name):
            with socket.socket(type=socket.SOCK_DGRAM) as sock:
                sock.bind(("", 53))
                if name == "a":
                    group = socket.inet_aton("224.1.1.1") + socket.inet_aton("0.0.0.0")
                    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
                while True:
                    got.append((name, sock.recv(100)))

        for name in ("a", "b"):
            simulation.host(name, program, name)
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            with pytest.raises(PermissionError):
                sock.sendto(b"x", ("<broadcast>", 53))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.sendto(b"all", ("<broadcast>", 53))
            sleep(1)
            sock.sendto(b"group", ("224.1.1.1", 53))
            sleep(1)
        return sorted(got[:2]), got[2:]

    assert here(main) == ([("a", b"all"), ("b", b"all")], [("a", b"group")])


# -- names


def test_names():
    def main(simulation):
        simulation.host("db", ip="10.7.0.1")
        assert socket.gethostbyname("db") == "10.7.0.1"
        assert socket.gethostbyaddr("10.7.0.1")[0] == "db"
        assert socket.getnameinfo(("10.7.0.1", 80), 0) == ("db", "http")
        assert {found[4][0] for found in socket.getaddrinfo("localhost", "http")} == {"127.0.0.1", "::1"}
        assert socket.getfqdn("10.7.0.1") == "db"
        with pytest.raises(socket.gaierror) as caught:
            socket.getaddrinfo("nowhere", 80)
        assert caught.value.errno == socket.EAI_NONAME
        with pytest.raises(socket.herror):
            socket.gethostbyaddr("10.9.9.9")

    here(main)


def test_a_name_server_that_cannot_be_reached():
    def main(simulation):
        simulation.host("dns")
        simulation.host("db")
        assert socket.gethostbyname("db")
        simulation.partition("test", "dns")
        with pytest.raises(socket.gaierror) as caught:
            socket.gethostbyname("db")
        assert caught.value.errno == socket.EAI_AGAIN
        assert simulation.now > 9

    here(main)


def test_options_are_linuxs():
    def main(simulation):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 5)
            for level, option in ((socket.IPPROTO_IPV6, socket.IPV6_V6ONLY), (socket.SOL_SOCKET, 9999)):
                with pytest.raises(OSError, match=r"not supported|not available"):
                    sock.getsockopt(level, option)
            return [
                sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF),
                sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
                sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE),
                sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8),
                sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
            ]

    assert here(main) == [20_000, 1, 1, bytes(8), 9]
