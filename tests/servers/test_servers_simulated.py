"""Servers and resolvers in simulated worlds: kill -9, partitions, resets and lost packets, over many seeds."""

import pytest

import hubcore
from hubcore import sleep, socket
from hubcore.pool import Pool
from hubcore.server import DatagramServer, StreamServer
from hubcore.testing import sim

UNTIL = 15.0  # virtual seconds; from then on all is well


def explore(main, *args, seeds=15):
    """In this process: the programs call hubcore's own modules."""
    sim.explore(main, *args, seeds=seeds, shrink=2.0, fork=False)


# -- StreamServer


class Lines:
    """Answers each line with a number of its own and the line in capitals; counts who is being served."""

    def __init__(self, spawn):
        self.spawn = spawn
        self.serving = self.most = self.served = 0

    def handle(self, connection, address):
        self.serving += 1
        self.most = max(self.most, self.serving)
        try:
            with connection.makefile("rwb") as stream:
                for line in stream:
                    self.served = number = self.served + 1
                    sleep(0.05)
                    stream.write(b"%d %s" % (number, line.upper()))
                    stream.flush()
        except OSError:
            pass
        finally:
            self.serving -= 1

    def run(self):
        self.serving = 0  # of the process before, which was killed
        spawn = Pool(self.spawn) if self.spawn else "default"
        StreamServer(("", 80), self.handle, spawn=spawn).serve_forever()


def ask(line):
    """One question on a connection of its own: the number and the text of the answer."""
    with socket.create_connection(("web", 80), timeout=2) as connection, connection.makefile("rwb") as stream:
        stream.write(line + b"\n")
        stream.flush()
        answer = stream.readline()
        if not answer.endswith(b"\n"):
            raise ConnectionError("cut")
        number, _, text = answer.partition(b" ")
        return int(number), text.rstrip()


def lines_are_answered(simulation, size):
    lines = Lines(size)
    simulation.host("web", lines.run)
    numbers = []

    def client(name):
        for count in range(8):
            line = b"%s line %d" % (name.encode(), count)
            while True:
                try:
                    number, text = ask(line)
                    break
                except OSError:
                    sleep(simulation.random.random())
            assert text == line.upper(), f"{line} was answered by {text}"
            numbers.append(number)
            sleep(1)

    clients = [simulation.host(f"c{i}", client, f"c{i}") for i in range(4)]
    simulation.faults(
        "kill", "partition", "reset", "pause", every=(0.5, 2), lasting=(0.1, 2), until=UNTIL, hosts=["web"]
    )
    simulation.eventually(lambda: not any(host.alive for host in clients), within=200, every=1)
    assert len(numbers) == len(set(numbers)) == 32, "an answer came twice"
    assert not size or lines.most <= size, f"{lines.most} at a time"
    sleep(max(0.0, UNTIL - simulation.now))
    # The server is as it was: it serves again, and holds no connection that is gone.
    simulation.eventually(lambda: lines.serving == 0, within=2000, every=10)
    assert ask(b"after")[1] == b"AFTER"


@pytest.mark.parametrize("size", [0, 2], ids=["unlimited", "a pool of 2"])
def test_a_stream_server_answers_each_line_once_and_right(size):
    explore(lines_are_answered, size)


def datagrams_are_answered(simulation):
    def serve():
        server = DatagramServer(("", 53), lambda data, address: server.sendto(data[::-1], address))
        server.serve_forever()

    simulation.host("udp", serve)
    simulation.link("test", "udp", loss=0.3, duplicate=0.3, reorder=0.3)
    simulation.faults("kill", "partition", every=(0.5, 2), lasting=(0.1, 1), until=UNTIL, hosts=["udp"])
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        sock.connect(("udp", 53))
        for number in range(20):
            question = b"question %d" % number
            while True:
                try:
                    sock.send(question)
                    if (answer := sock.recv(100)) == question[::-1]:
                        break
                    assert answer[::-1].startswith(b"question "), answer  # a late one
                except OSError:
                    sleep(0.1)


def test_a_datagram_server_answers_whom_it_was_asked_by():
    explore(datagrams_are_answered)


# -- resolvers


def names_are_found(simulation, count):
    import dns.message
    import dns.rrset

    from hubcore.resolver.dnspython import Resolver

    known = {f"host{number}.test.": f"10.1.0.{number}" for number in range(1, 6)}

    def answer(data):
        message = dns.message.from_wire(data)
        reply = dns.message.make_response(message)
        name = message.question[0].name.to_text()
        if name not in known:
            reply.set_rcode(3)
        elif message.question[0].rdtype == 1:
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", known[name]))
        return reply.to_wire()

    def serve():
        server = DatagramServer(("", 53), lambda data, address: server.sendto(answer(data), address))
        server.serve_forever()

    servers = [simulation.host(f"dns{number}", serve, ip=f"10.0.1.{number}") for number in range(1, count + 1)]
    for host in servers:
        simulation.link("test", host.name, loss=0.2, duplicate=0.2, reorder=0.2)
    simulation.faults(
        "kill",
        "partition",
        "pause",
        every=(0.5, 3),
        lasting=(0.5, 3),
        until=UNTIL,
        hosts=[host.name for host in servers],
    )
    resolver = Resolver(hubcore.get_hub(), nameservers=[host.ip for host in servers])
    try:
        failed = 0
        while simulation.now < UNTIL:
            name = simulation.random.choice([*known])
            told = found(resolver, name)
            assert told in (known[name], socket.EAI_AGAIN), told  # never that there is no such name
            failed += told == socket.EAI_AGAIN
            assert found(resolver, "nowhere.test.") in (socket.EAI_NONAME, socket.EAI_AGAIN)
            sleep(0.5)
        for name, address in known.items():
            simulation.eventually(lambda name=name, address=address: found(resolver, name) == address, within=30)
        servers[0].kill()
        if count > 1:  # the other one answers
            simulation.eventually(lambda: found(resolver, "host1.test.") == known["host1.test."], within=30)
        else:
            assert found(resolver, "host1.test.") == socket.EAI_AGAIN
        return failed
    finally:
        resolver.close()


def found(resolver, name):
    """The address of `name`, or the number of the error."""
    try:
        return resolver.gethostbyname(name)
    except socket.gaierror as error:
        return error.errno


@pytest.mark.parametrize("count", [1, 2])
def test_a_resolver_over_a_bad_network_is_right_or_says_that_it_does_not_know(count):
    pytest.importorskip("dns")
    explore(names_are_found, count)
