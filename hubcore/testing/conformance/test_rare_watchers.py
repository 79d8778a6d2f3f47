"""async, idle, prepare, check and stat watchers."""

from __future__ import annotations

import os

import pytest

from hubcore.testing.conformance.conftest import join, when_polling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hubcore.loop import Loop


def test_an_async_watcher_is_called_once_for_all_sends_before(loop: Loop) -> None:
    """A backend must return from `poll` for what was sent to the loop, once for all sends before."""
    seen: list[str] = []
    watcher = loop.async_()
    watcher.send()  # type: ignore[attr-defined]  # not started: nothing happens
    watcher.start(seen.append, "sent")
    assert not watcher.pending
    for _ in range(5):
        watcher.send()  # type: ignore[attr-defined]
    assert watcher.pending
    loop.run(nowait=True)
    assert seen == ["sent"]
    assert not watcher.pending
    watcher.send_ignoring_arg(None)
    loop.run(nowait=True)
    assert seen == ["sent", "sent"]
    watcher.send()
    watcher.stop()
    loop.run()
    assert seen == ["sent", "sent"]
    # What was sent before it stopped must not keep it from being sent to again.
    watcher.start(seen.append, "started again")
    watcher.send()
    loop.run(nowait=True)
    assert seen[2:] == ["started again"]
    watcher.close()


def test_an_async_watcher_ends_the_sleep_of_its_loop_from_another_thread(loop: Loop) -> None:
    """A backend must end its sleep when another thread sends."""
    watcher = loop.async_()
    watcher.start(watcher.stop)
    sender = when_polling(loop, watcher.send)  # type: ignore[attr-defined]
    loop.run()
    join(sender)
    assert not watcher.active


def test_idle_runs_only_when_nothing_else_is_ready_and_keeps_the_loop_awake(loop: Loop) -> None:
    """A backend must not sleep in a poll with timeout 0."""
    seen: list[str] = []
    with loop.idle() as idle, loop.timer(3600.0) as timer:
        timer.start(pytest.fail, "the loop slept")
        idle.start(seen.append, "idle")
        loop.run_callback(seen.append, "callback")
        loop.run(once=True)
        assert seen == ["callback"]
        loop.run(once=True)
        loop.run(once=True)
        assert seen == ["callback", "idle", "idle"]


def test_prepare_runs_before_a_sleep_and_check_after_each_poll(loop: Loop) -> None:
    """A backend must return from a poll with timeout 0 at once, so that prepare watchers run before a sleep."""
    seen: list[str] = []
    with loop.prepare() as prepare, loop.check() as check, loop.timer(0.005) as timer:
        check.start(seen.append, "check")
        loop.run(nowait=True)
        assert seen == ["check"]
        prepare.start(seen.append, "prepare")
        loop.run(nowait=True)  # one that does not sleep: nothing to prepare for
        assert seen == ["check"] * 2
        timer.start(seen.append, "timer")
        while "timer" not in seen:
            loop.run(once=True)
    assert seen[2] == "prepare"
    assert "check" in seen[3:]
    assert "timer" in seen[3:]


@pytest.mark.parametrize("kind", ["idle", "prepare", "check", "async_", "fork"])
def test_a_rare_watcher_counts_as_the_others_do(loop: Loop, kind: str) -> None:
    """A backend must leave the rarer watchers to the loop, which counts them as it counts others."""
    watcher = getattr(loop, kind)()
    assert not watcher.active
    watcher.start(print)
    assert watcher.active
    assert loop.alive()
    watcher.ref = False
    assert not loop.alive()
    watcher.ref = True
    watcher.stop()
    watcher.stop()
    assert not loop.alive()
    watcher.start(print)
    watcher.close()
    assert not loop.alive()
    with pytest.raises(ValueError, match="closed"):
        watcher.start(print)


def test_stat_tells_when_a_file_appears_changes_and_goes(loop: Loop, tmp_path: Path) -> None:
    """A backend must wait no longer than the earliest deadline, by which stat watchers look again."""
    path = tmp_path / "file"
    watcher = loop.stat(str(path), 0.001)
    seen: list[tuple[int | None, int | None]] = []
    steps: list[Callable[[], object]] = [
        lambda: path.write_text("four"),
        lambda: path.write_text("fivexx"),
        path.unlink,
    ]

    def changed() -> None:
        prev, attr = watcher.prev, watcher.attr  # type: ignore[attr-defined]
        seen.append((prev and prev.st_size, attr and attr.st_size))
        step()

    def step() -> None:
        if steps:
            steps.pop(0)()
        else:
            watcher.stop()

    watcher.start(changed)
    assert watcher.attr is None  # type: ignore[attr-defined]
    step()
    loop.run()
    assert seen == [(None, 4), (4, 6), (6, None)]


def test_stat_does_not_tell_of_mere_reading(loop: Loop, tmp_path: Path) -> None:
    """A backend must leave stat watchers to the loop: they do not fire where a file is only read."""
    path = tmp_path / "file"
    path.write_text("text")
    watcher = loop.stat(str(path), 0.001)
    watcher.start(pytest.fail, "nothing that matters changed")
    os.utime(path, ns=(1, path.stat().st_mtime_ns))  # long ago, so that reading has a new time to set
    watcher.stop()
    watcher.start(pytest.fail, "nothing that matters changed")
    path.read_text()
    with loop.timer(0.01) as timer:
        timer.start(loop.break_)
        loop.run()
    watcher.close()
