"""print_run_info and GreenletTree: every greenlet, its state and its spawner."""

import io
import sys

import greenlet as greenlet_module
import pytest

import hubcore
from hubcore import getcurrent, sleep, spawn, spawn_raw, util
from hubcore._diagnostics.inventory import inventory
from hubcore.testing import run_python


class Resource:
    def __init__(self, name, owner=None):
        self.name = name
        self.owner = owner

    def __repr__(self):
        return f"<resource {self.name}>"


def wait_on(what, secret="hidden"):
    hub = hubcore.get_hub()
    hub.park(hub.new_waiter(what))


@pytest.fixture
def tasks(hub):
    """Whatever is appended is killed at the end."""
    started = []
    yield started
    for task in started:
        hubcore.kill(task)
    sleep(0)


def words(text):
    """The lines of a report without their indentation, so that this file's own source in stacks is told apart."""
    return [line.strip() for line in text.splitlines()]


def state_of(task):
    return {found.greenlet: found.state for found in inventory()}.get(task)


# -- states


def test_every_state_is_told(hub, tasks):
    waiting, raw, main = spawn(wait_on, "it"), spawn_raw(wait_on, "it"), getcurrent()
    sleep(0)
    seen = {}

    def look():
        seen.update({each: state_of(each) for each in (waiting, raw, main, getcurrent(), hub, yielding, late)})

    yielding = spawn(sleep, 0)
    looker = spawn(look)
    late = spawn(int)
    sleep(0)
    sleep(0)
    assert state_of(looker) is None
    assert seen == {waiting: "waiting", raw: "waiting", main: "ready", looker: "running", hub: "hub"} | {
        yielding: "ready",
        late: "not started",
    }
    by_hand = greenlet_module.greenlet(lambda: main.switch())
    by_hand.switch()
    assert state_of(by_hand) == "suspended"
    assert state_of(greenlet_module.greenlet(int)) == "not started"
    by_hand.throw()
    tasks += [waiting, raw]


def test_what_has_ended_is_not_told_of(hub):
    task = spawn(int)
    never = hubcore.Greenlet(int)
    assert state_of(task) == state_of(never) == "not started"
    task.join()
    never.kill()
    assert state_of(task) is None
    assert state_of(never) is None


def test_a_woken_greenlet_is_ready(hub):
    waiter = None

    def wait():
        nonlocal waiter
        waiter = hub.new_waiter("it")
        hub.park(waiter)

    task = spawn(wait)
    sleep(0)
    waiter.wake()
    assert state_of(task) == "ready"
    task.join()


# -- the report


def test_the_report_tells_of_each_greenlet_what_it_waits_on_and_whose_that_is(hub, tasks):
    owner = spawn(wait_on, Resource("one"))
    owner.name = "Ada"
    other = spawn(wait_on, Resource("two", owner))
    raw = spawn_raw(wait_on, "a third thing")
    line = sys._getframe().f_lineno - 1
    tasks += [owner, other, raw]
    sleep(0)
    text = "\n".join(util.format_run_info())
    assert "(CURRENT)\n  File" in text
    assert repr(owner) in text
    assert 'Greenlet "Ada"' in text
    assert "waits on <resource one> for" in text
    assert "waits on <resource two> for" in text
    assert f" s, which {owner!r} owns" in text
    assert "waits on 'a third thing'" in text
    assert f'File "{__file__}", line {line}, in {sys._getframe().f_code.co_name}' in text
    assert text.count("in wait_on") >= 3
    assert "secret" not in text


def test_stacks_may_be_left_out_and_cut(hub, tasks):
    tasks.append(spawn(lambda: wait_on("it")))
    sleep(0)
    whole = "\n".join(util.format_run_info())
    assert "in wait_on" in whole
    assert "in <lambda>" in whole
    cut = "\n".join(util.format_run_info(limit=1))
    assert "in <lambda>" not in cut
    assert cut.count("  File ") < whole.count("  File ")
    without = "\n".join(util.format_run_info(greenlet_stacks=False))
    assert "in wait_on" not in without
    assert "waits on 'it'" in without
    threads = without.partition("* Greenlets")[0]
    assert f"in {sys._getframe().f_code.co_name}" in threads
    threads = "\n".join(util.format_run_info(thread_stacks=False)).partition("* Greenlets")[0]
    assert sys._getframe().f_code.co_name not in threads


def test_local_variables_are_told_on_request_also_such_as_fail_to_describe_themselves(hub, tasks):
    class Mute:
        def __repr__(self):
            raise ValueError("on purpose")

    tasks.append(spawn(wait_on, "it", Mute()))
    sleep(0)
    file = io.StringIO()
    util.print_run_info(file=file, locals=True)
    text = file.getvalue()
    assert "what = 'it'" in text
    assert "secret = <Mute at" in text
    assert "whose repr fails with ValueError" in text
    assert "__builtins__" not in text


def test_it_is_printed_to_stderr(hub, capsys):
    util.print_run_info()
    assert "* Greenlets" in capsys.readouterr().err


def test_the_calling_thread_may_be_another(hub):
    lines = util.format_run_info(current_thread_ident=-1)
    assert not any("(CURRENT)" in line for line in lines)


# -- the tree


def test_the_tree_has_each_greenlet_under_the_one_that_spawned_it(hub, tasks):
    made = {}

    def parent():
        made["child"] = spawn(grandparent_of_none)
        sleep(1000)

    def grandparent_of_none():
        made["grandchild"] = spawn(sleep, 1000)
        sleep(1000)

    made["parent"] = spawn(parent)
    made["orphan"] = None
    spawn(lambda: made.update(orphan=spawn(sleep, 1000))).join()
    sleep(0)
    sleep(0)
    sleep(0)
    tree = util.GreenletTree.current_tree()
    assert tree.root
    assert tree.is_current_tree
    assert tree.greenlet is getcurrent()
    children = {child.greenlet: child for child in tree.child_trees}
    assert hub in children
    parent_tree = children[made["parent"]]
    assert not parent_tree.root
    (child_tree,) = parent_tree.child_trees
    assert child_tree.greenlet is made["child"]
    (grandchild_tree,) = child_tree.child_trees
    assert grandchild_tree.greenlet is made["grandchild"]
    assert made["orphan"] in {child.greenlet for child in children[hub].child_trees}
    lines = tree.format_lines(details=False)
    at = lines.index(f" +--- {made['parent']!r}")
    assert lines[at + 1 : at + 3] == [f"      +--- {made['child']!r}", f"           +--- {made['grandchild']!r}"]
    assert "in grandparent_of_none" in tree.format()
    assert "in grandparent_of_none" not in tree.format({"running_stacks": False, "spawning_stacks": False})
    assert "Spawned at:" in words(tree.format())
    assert "Spawned at:" not in words(tree.format({"spawning_stacks": False}))
    tasks += made.values()


def test_spawn_tree_locals_are_told(hub, tasks):
    task = spawn(sleep, 1000)
    task.spawn_tree_locals["order"] = 17
    tasks.append(task)
    sleep(0)
    tree = util.GreenletTree.current_tree()
    assert "Spawn tree locals: {'order': 17}" in words(tree.format())
    assert "Spawn tree locals: {'order': 17}" not in words(tree.format({"locals": False}))


def test_a_tree_of_ones_own():
    tree, child = util.GreenletTree(getcurrent()), util.GreenletTree(greenlet_module.greenlet(int))
    tree.add_child(child)
    tree.add_child(child)
    tree.add_child(tree)
    assert tree.child_trees == [child]
    assert "running" in tree.format()
    assert repr(child).endswith("0 children>")


def test_a_chain_deeper_than_python_calls_may_be_is_formatted(hub):
    depth = 3000
    made = []

    def link():
        if len(made) < depth:
            made.append(spawn(link))
        sleep(1000)

    made.append(spawn(link))
    while len(made) < depth:
        sleep(0)
    sleep(0)
    lines = util.GreenletTree.current_tree().format_lines(details=False)
    assert len(lines) >= depth + 2
    hubcore.killall(made)


def test_a_greenlet_without_a_python_function_is_not_given_the_stack_of_whoever_polls(hub_backend):
    done = run_python(
        """
        import os, threading, time
        import hubcore
        from hubcore import util
        from hubcore.lock import RLock

        def sleeper():
            lock = RLock()
            lock.acquire()
            for _ in range(2):
                hubcore.spawn(lock.acquire)
            hubcore.sleep(1000)

        threading.Thread(target=sleeper, daemon=True).start()
        text = ""
        end = time.monotonic() + 20
        while text.count("waits on") < 3 and time.monotonic() < end:
            text = "\\n".join(util.format_run_info())
        print(text.count("waits on"), text.partition("* Greenlets")[2].count("line 12, in sleeper"), flush=True)
        os._exit(0)
        """,
        None if hub_backend == "virtual" else hub_backend,
    )
    assert done.stdout == "3 1\n"


def test_a_signal_handler_may_ask_what_is_going_on(hub_backend):
    done = run_python(
        """
        import os, signal, sys
        import hubcore
        from hubcore import util

        signal.signal(signal.SIGUSR1, lambda *_: util.print_run_info(file=sys.stdout))

        def task():
            hubcore.sleep(0.01)
            os.kill(os.getpid(), signal.SIGUSR1)
            hubcore.sleep(0.01)

        def another():
            hubcore.sleep(1000)

        other = hubcore.spawn(another)
        hubcore.spawn(task).join()
        """,
        hub_backend,
    )
    assert done.stdout.count("* Greenlets") == 1
    assert "in another" in done.stdout


def test_a_thread_without_a_hub_may_ask_and_gets_none(hub_backend):
    done = run_python(
        """
        import threading
        import hubcore
        from hubcore import util
        from hubcore.hub import get_hub_if_any

        def ask():
            text = "\\n".join(util.format_run_info())
            tree = util.GreenletTree.current_tree()
            print(text.count("---- Thread boundary"), "ready" in text, tree.is_current_tree, tree.root)
            print(tree.greenlet is hubcore.getcurrent(), get_hub_if_any())

        hubcore.get_hub()
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        """,
        hub_backend,
    )
    assert done.stdout == "1 False True True\nTrue None\n"


def test_each_thread_with_a_hub_has_a_tree_and_one_without_is_among_the_threads(hub_backend):
    done = run_python(
        """
        import os, threading, time
        import hubcore
        from hubcore import util

        ready = threading.Barrier(4)
        hubcore.get_hub()

        def task():
            hubcore.sleep(1000)

        def compute():
            ready.wait()
            while True:
                sum(range(1000))

        def with_hub(function):
            hubcore.spawn(function)
            hubcore.sleep(0)
            ready.wait()
            hubcore.sleep(1000)

        def without_hub():
            ready.wait()
            time.sleep(1000)

        for call in ((with_hub, task), (with_hub, task), (without_hub,)):
            threading.Thread(target=call[0], args=call[1:], daemon=True, name="worker").start()
        ready.wait()
        ready = threading.Barrier(2)
        threading.Thread(target=lambda: hubcore.spawn(compute).join(), daemon=True).start()
        ready.wait()
        text = ""
        end = time.monotonic() + 20
        while text.count("in task") < 2 and time.monotonic() < end:  # until both are parked
            text = "\\n".join(util.format_run_info())
        print(text, flush=True)
        print("trees", text.count("---- Thread boundary"))
        print([tree.is_current_tree for tree in util.GreenletTree.forest()], flush=True)
        os._exit(0)
        """,
        None if hub_backend == "virtual" else hub_backend,  # where time jumps, a sleep does not last
    )
    text = done.stdout
    assert "(worker)" in text
    assert text.count("in without_hub") == 1
    assert text.count("in task") == 2
    assert text.count("in with_hub") >= 2
    assert text.count("in compute") == 2  # as a thread's stack and as a greenlet's
    assert "trees 4\n[True, False, False, False]\n" in text


def test_of_a_thread_without_a_hub_it_is_told_what_it_waits_on_and_whose_that_is(hub_backend):
    done = run_python(
        """
        import threading
        from hubcore import util
        from hubcore.lock import RLock

        lock = RLock()

        def take():
            with lock:
                pass

        with lock:
            thread = threading.Thread(target=take)
            thread.start()
            while not lock.linkcount():
                pass
            print("\\n".join(util.format_run_info(thread_stacks=False)))
        thread.join()
        """,
        hub_backend,
    )
    (line,) = [line for line in done.stdout.splitlines() if "waits on" in line]
    assert line.startswith("    waits on <RLock at ")
    assert line.endswith(" owns")
