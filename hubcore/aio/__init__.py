"""asyncio beside greenlets: coroutines run in greenlets, and wait for them.

    hubcore.spawn(aio.run, main())     runs a coroutine like asyncio.run, in a greenlet, while other greenlets go on
    await aio.wrap(greenlet)           a coroutine waits for a greenlet
    aio.run_in(loop, coroutine())      a greenlet waits for a coroutine in the loop of another greenlet or thread
    async with aio.guest(): ...        greenlets run beside the coroutines of a loop that runs already

Each greenlet has its own running loop, so any number of loops run in one thread at once, and asyncio.run itself works
in a greenlet. A coroutine that waits in the hub, for example in `hubcore.sleep`, holds up its own loop only.
"""

from __future__ import annotations

import asyncio
from contextvars import copy_context

from hubcore._base.hints import AbstractAsyncContextManager, Any, Callable, Coroutine, R
from hubcore._base.package import publish_all
from hubcore.aio._event_loop import EventLoop
from hubcore.aio._wrap import wrap
from hubcore.event import AsyncResult
from hubcore.hub import Hub
from hubcore.scopes import CancelScope

__all__ = ["EventLoop", "guest", "run", "run_in", "wrap"]


def run(
    main: Coroutine[Any, Any, R],
    *,
    debug: bool | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> R:
    """Run the coroutine in a new loop in the calling greenlet and return its result, like asyncio.run. Switches.

    A kill of the greenlet, a Timeout or a cancelled scope cancels the coroutine: `run` waits until the coroutine has
    cleaned up, then raises the exception that cancelled it. If the coroutine catches the CancelledError and returns a
    value, `run` returns that value; only a scope goes on cancelling. The loop is an EventLoop unless `loop_factory`
    makes another one. Such a loop waits in the hub only if its selector does, and does not react to kills.
    RuntimeError if the caller is a coroutine.
    """
    if asyncio._get_running_loop() is not None:
        if asyncio.iscoroutine(main):
            main.close()
        raise RuntimeError("aio.run() cannot be called from a running event loop; there, await the coroutine")
    runner = asyncio.Runner(debug=debug, loop_factory=loop_factory or EventLoop)
    loop = runner.get_loop()
    if isinstance(loop, EventLoop):
        loop.keeps = True
    try:
        return runner.run(main)
    finally:
        # The runner cancels the remaining tasks and waits for them. The shield lets it wait in a cancelled scope, too.
        with CancelScope(shield=True):
            runner.close()
        if isinstance(loop, EventLoop):
            loop.raise_kept_later()


def run_in(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, R]) -> R:
    """Run the coroutine as a task of `loop`, which runs in another greenlet or thread, and return its result.

    Switches. A kill of the calling greenlet, a Timeout or a cancelled scope cancels the task, and is raised when the
    task has ended. The task sees a copy of the caller's context variables. RuntimeError if the caller is a coroutine
    of `loop`, which would wait for itself, and if `loop` is closed.
    """
    call = _Call(loop, coroutine)
    try:
        if asyncio._get_running_loop() is loop:
            raise RuntimeError(f"this greenlet runs {loop!r} and would wait for itself; await the coroutine")
        loop.call_soon_threadsafe(call.begin)
    except BaseException:
        coroutine.close()
        raise
    try:
        result: R = call.result.get()
        return result
    except BaseException:
        if not call.result.ready() and not loop.is_closed():
            loop.call_soon_threadsafe(call.cancel)
            with CancelScope(shield=True):
                call.result.wait()
        raise
    finally:
        del call  # its exception's traceback refers to this frame


def guest() -> AbstractAsyncContextManager[Hub]:
    """Let greenlets run in the asyncio loop that runs already, beside its coroutines; `async with` yields their hub.

        async with aio.guest():
            greenlet = hubcore.spawn(function)
            await aio.wrap(greenlet)

    Greenlets wait as they always do, and the loop goes on meanwhile. A coroutine must not wait in the hub, because
    that would hold up the loop: BlockingSwitchOutError. Nor can it begin a Timeout or a cancel scope: RuntimeError. At
    the end of the block the hub is destroyed: greenlets that still wait are unwound with HubDestroyed. The block
    changes nothing where the thread has such a hub already (`HUB_BACKEND=asyncio`), and where the loop itself waits in
    the hub (`aio.run`, patched selectors). RuntimeError if the thread has a hub in use already. Linux only, because it
    needs epoll.
    """
    from hubcore.aio._guest import guest

    return guest()


class _Call:
    """One coroutine that runs in the loop of another greenlet or thread, for `run_in`."""

    __slots__ = ("context", "coroutine", "loop", "result", "task")

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.loop = loop
        self.coroutine = coroutine
        self.context = copy_context()
        self.result: AsyncResult[Any] = AsyncResult()
        self.task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        """Start the task. Runs in the loop."""
        try:
            self.task = self.loop.create_task(self.coroutine, context=self.context)
        except Exception as error:  # for example, it is not a coroutine
            self.result.set_exception(error)
            return
        self.task.add_done_callback(self._end)

    def cancel(self) -> None:
        """Cancel the task. Runs in the loop."""
        if self.task is not None:
            self.task.cancel()

    def _end(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            try:
                task.result()
            except asyncio.CancelledError as error:
                self.result.set_exception(error)
            return
        failure = task.exception()
        if failure is None:
            self.result.set(task.result())
        else:
            self.result.set_exception(failure)


publish_all(globals())
