"""Leader election as in Raft: at most one leader in each term. A member without a durable file makes a mistake."""

import json
import os
import random
import socket
import time

PORT = 4000
HEARTBEAT = 0.5


class Node:
    """One member. `durable` is the file in which it keeps its term and its vote; without one it forgets both."""

    def __init__(self, name, peers, durable=None, elected=None):
        self.name = name
        self.peers = peers
        self.durable = durable
        self.elected = elected  # called with the term when it is a leader
        self.term, self.voted = 0, None
        self.role = "follower"
        self.votes = set()
        if durable is not None and os.path.exists(durable):
            with open(durable) as file:
                self.term, self.voted = json.load(file)

    def save(self):
        """Keep term and vote, before anybody is told of them."""
        if self.durable is None:
            return
        new = f"{self.durable}.new"
        with open(new, "w") as file:
            json.dump([self.term, self.voted], file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.durable)
        folder = os.open(os.path.dirname(self.durable), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def send(self, peer, kind):
        """Send a message; whether it arrives is the network's business."""
        try:
            self.socket.sendto(json.dumps([kind, self.name, self.term]).encode(), (peer, PORT))
        except OSError:
            pass

    def run(self):
        """Take part in elections for ever."""
        with socket.socket(type=socket.SOCK_DGRAM) as self.socket:
            self.socket.bind(("", PORT))
            while True:
                patience = HEARTBEAT if self.role == "leader" else random.uniform(2, 4) * HEARTBEAT
                self.socket.settimeout(patience)
                try:
                    kind, sender, term = json.loads(self.socket.recv(1000))
                except TimeoutError:
                    self.nothing_came()
                except OSError:
                    continue
                else:
                    self.take(kind, sender, term)

    def nothing_came(self):
        """A leader sends its heartbeat; the others stand for election."""
        if self.role != "leader":
            self.term += 1
            self.voted, self.role, self.votes = self.name, "candidate", {self.name}
            self.save()
        for peer in self.peers:
            self.send(peer, "heartbeat" if self.role == "leader" else "vote for me")

    def take(self, kind, sender, term):
        """A message has come."""
        if term > self.term:
            self.term, self.voted, self.role = term, None, "follower"
            self.save()
        if term < self.term:
            return
        if kind == "vote for me" and self.voted in (None, sender):
            self.voted = sender
            self.save()
            self.send(sender, "you have my vote")
        elif kind == "you have my vote" and self.role == "candidate":
            self.votes.add(sender)
            if len(self.votes) * 2 > len(self.peers) + 1:
                self.role = "leader"
                if self.elected is not None:
                    self.elected(self.term)
                self.nothing_came()
        elif kind == "heartbeat" and self.role != "leader":
            self.role = "follower"
            time.sleep(0)


def scenario(sim, durable=True, seconds=60.0):
    """Five members that are killed and cut off; a term has one leader, and in the end there is one."""
    names = [f"n{number}" for number in range(5)]
    leaders = {}

    def member(name):
        path = os.path.join(sim.hosts[name].path, "state") if durable else None
        peers = [other for other in names if other != name]

        def elected(term):
            before = leaders.setdefault(term, name)
            assert before == name, f"two leaders of term {term}: {before} and {name}"

        Node(name, peers, path, elected).run()

    for name in names:
        sim.host(name, member, name)
    sim.faults("partition", "kill", "crash", every=(0.2, 3.0), lasting=(0.1, 2.0), until=seconds)
    time.sleep(seconds)
    last = max(leaders, default=0)
    sim.eventually(lambda: max(leaders, default=0) >= last and len(leaders) > 0, within=30)
