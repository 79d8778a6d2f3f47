"""Stacks of greenlets and threads as text, for reports; and reprs that never raise."""

from __future__ import annotations

import sys

from greenlet import getcurrent

from hubcore._base.originals import get_ident
from hubcore._base.spawn_stack import is_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from greenlet import greenlet

_LONGEST = 300  # characters of a repr: a report is about waiters, not about the items in a queue


def shown(thing: object) -> str:
    """Return repr(thing), shortened; if that fails, the type of `thing` and of the error. Never raises an Exception."""
    try:
        text = repr(thing)
    except Exception as error:
        text = f"<{type(thing).__name__} at {id(thing):#x}, whose repr fails with {type(error).__name__}>"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def frame_of(target: greenlet, thread_ident: int | None = None) -> FrameType | None:
    """Return the current frame of `target`; None if it has no Python frame. Any thread.

    For a greenlet that runs in another thread, `thread_ident` must be the ident of that thread.
    """
    if target is getcurrent():
        return caller()
    frame = target.gr_frame
    if frame is None and thread_ident is not None and thread_ident != get_ident():
        return sys._current_frames().get(thread_ident)
    return frame


def caller() -> FrameType | None:
    """Return the innermost frame of the calling thread that is not hubcore's own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_own(frame):
        frame = frame.f_back
    return frame


class StackTexts:
    """Formats stacks as `format_frame` does, and equal ones once: a report of 10,000 greenlets has few different."""

    def __init__(self) -> None:
        self._lines: dict[tuple[object, ...], list[str]] = {}

    def lines(self, frame: FrameType | None, limit: int | None = None) -> list[str]:
        """Return what `format_frame(frame, limit)` returns."""
        key: list[object] = [limit]
        each = frame
        while each is not None:
            key += [each.f_code, getattr(each, "f_lasti", None) or each.f_lineno]
            each = each.f_back
        found = self._lines.get(tuple(key))
        if found is None:
            found = self._lines[tuple(key)] = format_frame(frame, limit)
        return found


def format_frame(frame: FrameType | None, limit: int | None = None, locals: bool = False) -> list[str]:
    """Return the stack that ends at `frame` as lines without line ends, outermost call first, `limit` calls at most.

    With `locals`, add the reprs of local variables, except those of modules. That runs the code of their __repr__.
    """
    if frame is None:
        return []
    from traceback import StackSummary, walk_stack

    stack = StackSummary.extract(walk_stack(frame), limit=limit, capture_locals=False)
    stack.reverse()
    if not locals:
        return "".join(stack.format()).splitlines()
    lines = []
    names = [{} if found.f_locals is found.f_globals else dict(found.f_locals) for found, _ in walk_stack(frame)][
        :limit
    ]
    for summary, variables in zip(stack, reversed(names), strict=False):
        lines += "".join(StackSummary.from_list([summary]).format()).splitlines()
        lines += [f"    {name} = {shown(value)}" for name, value in sorted(variables.items())]
    return lines
