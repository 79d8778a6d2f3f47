"""The stack that spawned a greenlet, kept as code objects and instructions and shown as frames."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, FrameType


class SpawnFrame:
    """What traceback.walk_stack and extract_stack need of a frame; frames themselves would keep all locals alive."""

    __slots__ = ("f_back", "f_code", "f_globals", "f_lineno")

    def __init__(self, code: CodeType, lineno: int, back: SpawnFrame | None) -> None:
        self.f_code = code
        self.f_lineno = lineno
        self.f_back = back
        self.f_globals: dict[str, object] = {}

    @property
    def f_locals(self) -> dict[str, object]:
        """Empty: the locals were not kept."""
        return {}

    def __repr__(self) -> str:
        return f"<spawned in {self.f_code.co_name} ({self.f_code.co_filename}:{self.f_lineno})>"


def is_own(frame: FrameType) -> bool:
    """Whether `frame` is one of hubcore's."""
    return bool(frame.f_globals.get("__name__", "").startswith("hubcore."))


def capture(limit: int) -> list[tuple[CodeType, int]]:
    """The calling stack without hubcore's own frames, innermost first, `limit` frames at most."""
    found: list[tuple[CodeType, int]] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and len(found) < limit:
        if not is_own(frame):
            found.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return found


def line_of(code: CodeType, instruction: int) -> int:
    """The line of the instruction at that offset in `code`."""
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return line
    return code.co_firstlineno


def site_of(code: CodeType | None, instruction: int) -> tuple[str, int, str]:
    """File, line and function of an instruction; question marks where C code did it."""
    return ("?", 0, "?") if code is None else (code.co_filename, line_of(code, instruction), code.co_name)


def as_frames(stack: Sequence[tuple[CodeType | None, int]]) -> SpawnFrame | None:
    """The innermost of `stack`, innermost first, as a chain of frame-like objects."""
    frame = None
    for code, instruction in reversed(stack):
        if code is not None:
            frame = SpawnFrame(code, line_of(code, instruction), frame)
    return frame
