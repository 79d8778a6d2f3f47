"""Patched `queue`: programs that use internals of the standard library's queues, or derive classes from them."""

import json

from hubcore.testing import run_python

HOW_THEY_ARE_BUILT = """
    import json, math
    {patch}
    import queue, threading

    told = []
    def tell(what, *values):
        told.append([what, *values])

    for kind in (queue.Queue, queue.LifoQueue, queue.PriorityQueue):
        for size in (None, 0, -1, 2, 1.5, 2**70, math.inf):
            made = kind() if size is None else kind(size)
            tell("size", repr(made.maxsize), made.full(), made.maxsize > 0)
            made.put_nowait(3)
            made.put_nowait(1)
            tell("two", made.full(), type(made.queue).__name__, list(made.queue), made.unfinished_tasks)
        made.maxsize = 2
        tell("now", made.maxsize, made.full())
        with made.mutex:
            tell("locked", made.mutex.locked())
            made._init(made.maxsize)
        tell("emptied", list(made.queue), made.qsize(), made.unfinished_tasks)
    tell("kinds", issubclass(queue.LifoQueue, queue.Queue), issubclass(queue.PriorityQueue, queue.Queue))

    class Own(queue.Queue):
        is_shutdown = False

        def _init(self, maxsize):
            tell("_init", maxsize, self.maxsize)
            self.queue = []

        def _qsize(self):
            if hasattr(self, "mutex"):
                assert self.mutex.locked()
            return len(self.queue)

        def _put(self, item):
            assert self.mutex.locked()
            self.queue.append(item)
            self.not_full.notify()
            self.not_empty.notify()

        def _get(self):
            assert self.mutex.locked()
            self.all_tasks_done.notify_all()
            return self.queue.pop(0)

    own = Own(1)
    def serve():
        while (item := own.get()) is not None:
            tell("served", item)
            own.task_done()
        own.task_done()
    thread = threading.Thread(target=serve)
    thread.start()
    for item in (1, 2, 3, None):
        own.put(item, timeout=20)
    own.join()
    tell("empty", own.qsize())
    thread.join()
    tell("own", own.unfinished_tasks, own.queue)

    class Flag(queue.PriorityQueue):
        def __init__(self):
            super().__init__()
            self.is_closed = False

        def put(self, item, block=True, timeout=None):
            with self.not_full:
                self._put((item, "put"))
                self.unfinished_tasks += 1
                self.not_empty.notify()

    flag, got = Flag(), []
    thread = threading.Thread(target=lambda: got.append(flag.get(timeout=20)))
    thread.start()
    flag.put(2)
    thread.join()
    tell("flag", got, flag.unfinished_tasks, flag.is_closed)
    print(json.dumps(told))
"""


def test_they_look_and_are_derived_from_as_the_standard_librarys(hub_backend):
    told = [
        run_python(HOW_THEY_ARE_BUILT.format(patch=patch), hub_backend)
        for patch in ("", "from hubcore import monkey; monkey.patch_all()")
    ]
    assert [done.stderr for done in told] == ["", ""]
    assert json.loads(told[1].stdout) == json.loads(told[0].stdout)
    assert len(json.loads(told[1].stdout)) > 50


def test_a_subclass_has_its_own_way_to_shut_down(hub_backend):
    done = run_python(
        """
        import sys
        from hubcore import monkey
        monkey.patch_all()
        import queue

        class Closing(queue.Queue):
            def __init__(self):
                super().__init__()
                self.is_shutdown = False

            def shutdown(self, immediate=False):
                self.is_shutdown = True
                self.put("last")  # which ends who gets it

        made = Closing()
        if sys.version_info < (3, 13):
            made.shutdown()
            assert made.is_shutdown and made.get() == "last"
        plain = queue.Queue(items=[1, 2], unfinished_tasks=1)
        assert plain.copy().get() == 1 and plain.unfinished_tasks == 1 and not plain.is_shutdown
        plain.shutdown()
        assert plain.is_shutdown and plain.get() == 1
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("", "")
