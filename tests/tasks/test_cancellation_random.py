"""Random trees of scopes and groups under random cancellations, against a plain model. A failure names its seed."""

import random

import pytest

from hubcore import Cancelled, CancelScope, GreenletExit, Supervisor, TaskGroup, getcurrent, sleep, spawn

PAUSES = [0, 0, 0.001, 0.002, 0.003, 0.005]


class Kill(GreenletExit):
    pass


class Boom(Exception):
    pass


class Level:
    """A scope as the model sees it. Whether it was cancelled the scope says; what follows from that, the model."""

    def __init__(self, scope, parent):
        self.scope = scope
        self.parent = parent
        self.failures = []  # of its tasks, if it is a group's

    def visible(self):
        """The scopes that a greenlet feels whose innermost one this is, outward."""
        level = self
        while level is not None:
            yield level
            level = None if level.scope.shield else level.parent

    @property
    def cancelled_by(self):
        """The scope that ends what runs here, the outermost; or None."""
        found = [level.scope for level in self.visible() if level.scope.cancel_called]
        return found[-1] if found else None


class Player:
    """One greenlet, which runs a random program and looks at each outcome."""

    def __init__(self, world, innermost):
        self.world = world
        self.innermost = innermost
        self.greenlet = None
        self.kills = []  # to be raised at the next wait
        self.maybe = []  # may have been raised while a group was being left
        self.touched = False  # was cancelled some time during the wait, whatever is now
        world.players.append(self)

    @property
    def cancelled_by(self):
        return self.innermost.cancelled_by if self.innermost is not None else None

    def wait(self, seconds):
        expected = self.cancelled_by
        killed = bool(self.kills)
        self.touched = False
        changes = self.world.changes
        start = self.world.hub.loop.update_now()
        try:
            sleep(seconds)
        except Cancelled as error:
            self.check_cancelled(error, expected, killed)
            raise
        except Kill as error:
            self.check_kill(error)
            raise
        assert expected is None, f"cancelled by {expected!r}, and it waited"
        assert not killed, "a kill was not raised"
        if self.innermost is not None and self.world.changes == changes:
            late = [each for each in self.innermost.visible() if each.scope.deadline < start + seconds]
            assert not late, f"it slept beyond {late[0].scope!r}"

    def check_cancelled(self, error, expected, killed):
        assert not killed, "a kill goes first"
        if expected is not None:
            assert error.scope is expected
        elif not self.touched:
            # One further out may have been cancelled since the wait was ended.
            assert error.scope.cancel_called
            assert error.scope in [level.scope for level in self.innermost.visible()]

    def check_kill(self, error):
        if error in self.maybe:
            self.maybe.remove(error)
        else:
            assert self.kills.pop(0) is error

    def block(self, depth):
        chance = self.world.random
        for _ in range(chance.randrange(2, 6)):
            what = chance.randrange(10)
            if what < 4 or depth == 0:
                self.wait(chance.choice(PAUSES))
            elif what < 6:
                self.in_scope(depth)
            elif what < 8:
                self.in_group(depth)
            elif what < 9:
                try:
                    self.block(depth - 1)
                except (Boom, Cancelled, Kill):
                    pass  # swallowed: if it is cancelled, the next wait will say so again
            elif chance.random() < 0.3:
                raise Boom(self.world.seed)

    def in_scope(self, depth):
        chance = self.world.random
        scope = CancelScope(shield=chance.random() < 0.3)
        if chance.random() < 0.4:
            scope.deadline = self.world.hub.loop.update_now() + chance.choice([0, 0.001, 0.002, 0.004])
        raised, escaped = self.leave(scope, scope, lambda level: self.block(depth - 1))
        outer = None if scope.shield or self.innermost is None else self.innermost.cancelled_by
        stopped = isinstance(raised, Cancelled) and scope.cancel_called and outer is None
        assert scope.cancelled_caught == stopped
        assert escaped is (None if stopped else raised)
        if escaped is not None:
            raise escaped

    def leave(self, manager, scope, body):
        """Run `body` in `with manager`; what it raised, and what came out."""
        raised = escaped = None
        level = Level(scope, self.innermost)
        try:
            with manager:
                self.innermost = level
                self.world.levels.append(level)
                try:
                    body(level)
                except BaseException as error:
                    raised = error
                    raise
                finally:
                    self.innermost = level.parent
        except (Boom, Cancelled, Kill, BaseExceptionGroup) as error:
            escaped = error
        finally:
            if level in self.world.levels:
                self.world.levels.remove(level)
        assert not scope.active
        return raised, escaped

    def in_group(self, depth):
        chance = self.world.random
        group = chance.choice([TaskGroup, TaskGroup, Supervisor])()
        tasks = []
        levels = []

        def body(level):
            levels.append(level)
            for _ in range(chance.randrange(4)):
                tasks.append(self.world.spawn(group, level, depth))
            self.block(depth - 1)
            tasks.append(self.world.spawn(group, level, depth))

        raised, escaped = self.leave(group, group.cancel_scope, body)
        self.maybe += self.kills
        self.kills.clear()
        assert all(task.ready() for task in tasks), "a task outlived its group"
        assert len(group) == 0
        outer = None if group.cancel_scope.shield or self.innermost is None else self.innermost.cancelled_by
        failures = levels[0].failures
        if isinstance(raised, Exception | BaseExceptionGroup):
            failures.append(raised)
        if failures:
            assert isinstance(escaped, BaseExceptionGroup)
            others = [each for each in escaped.exceptions if not any(each is other for other in failures)]
            assert len(escaped.exceptions) == len(failures) + len(others)
            assert all(isinstance(each, Kill) for each in others)
            assert len(others) <= 1
        elif isinstance(raised, Kill):
            assert isinstance(escaped, Kill)
        elif isinstance(escaped, Cancelled):
            assert outer is not None
        elif escaped is None:
            assert raised is None or outer is None
            assert group.cancel_scope.cancelled_caught or raised is None
        else:
            assert isinstance(escaped, Kill)
        if isinstance(escaped, Kill) and escaped in self.maybe:
            self.maybe.remove(escaped)
        if escaped is not None:
            raise escaped


class World:
    def __init__(self, hub, seed):
        self.hub = hub
        self.seed = seed
        self.random = random.Random(seed)
        self.levels = []  # that can be cancelled
        self.players = []
        self.changes = 0  # of shields and deadlines

    def spawn(self, group, level, depth):
        player = Player(self, level)

        def run():
            try:
                player.block(depth - 1)
            except (Cancelled, Kill):
                raise
            except BaseException as error:
                level.failures.append(error)
                raise
            finally:
                self.players.remove(player)

        player.greenlet = group.spawn(run)
        return player.greenlet

    def before_shields_change(self):
        for player in self.players:
            player.touched |= player.cancelled_by is not None

    def disturb(self):
        while True:
            sleep(self.random.choice([0, 0.001, 0.001, 0.002]))
            what = self.random.randrange(8)
            if what < 4 and self.levels:
                level = self.random.choice(self.levels)
                self.changes += what < 2
                if what == 0:
                    self.before_shields_change()
                    level.scope.shield = not level.scope.shield
                elif what == 1:
                    level.scope.deadline = self.hub.loop.update_now() + self.random.choice([-1, 0, 0.001, 0.003])
                else:
                    level.scope.cancel(what)
                    assert level.scope.cancel_called or not level.scope.active
                self.check_marks()
            elif what == 4 and self.random.random() < 0.5:
                player = self.random.choice(self.players)
                kill = Kill(len(player.kills))
                player.kills.append(kill)
                self.hub.interrupt(player.greenlet, kill)

    def check_marks(self):
        """Nobody who is cancelled and not about to run sleeps on."""
        for waiter in list(self.hub.parked):
            if not waiter.ended:
                for player in self.players:
                    if player.greenlet is waiter.greenlet:
                        # At the end of its group it waits for the tasks, which nothing but a kill disturbs.
                        assert player.cancelled_by is None or waiter.waiting_on != "sleep"

    def play(self, in_main):
        root = Player(self, None)

        def run():
            try:
                root.block(5)
            except (Boom, Kill):
                pass
            except BaseExceptionGroup as group:
                cancelled = group.subgroup(Cancelled)
                if cancelled is not None:
                    raise cancelled from None

        disturber = spawn(self.disturb)
        if in_main:
            root.greenlet = getcurrent()
            run()
        else:
            root.greenlet = spawn(run)
            root.greenlet.get()
        disturber.kill(block=False)
        while not disturber.ready():
            try:
                sleep(0)  # what is to be raised in the main greenlet still has to be
            except Kill:
                pass
        self.players.remove(root)
        assert not self.players
        assert not self.levels
        if in_main:
            for kill in root.kills + root.maybe:
                self.hub.retract(root.greenlet, kill)
        assert self.hub.parked.count == 0
        assert len(self.hub.loop.deadlines) == 0


@pytest.mark.slow
@pytest.mark.parametrize("in_main", [True, False], ids=["main", "spawned"])
def test_cancellation_does_what_the_model_says(hub, in_main):
    for seed in range(1500 if hub.backend == "virtual" else 30):
        try:
            World(hub, seed).play(in_main)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
