"""The stack that spawned a greenlet, stored as code objects and instruction offsets and presented as frames."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, FrameType


class SpawnFrame:
    """A stand-in for a frame, for traceback.walk_stack and extract_stack. A real frame would keep all locals alive."""

    __slots__ = ("f_back", "f_code", "f_globals", "f_lineno")

    def __init__(self, code: CodeType, lineno: int, back: SpawnFrame | None) -> None:
        self.f_code = code
        self.f_lineno = lineno
        self.f_back = back
        self.f_globals: dict[str, object] = {}

    @property
    def f_locals(self) -> dict[str, object]:
        """Empty: the locals are not recorded."""
        return {}

    def __repr__(self) -> str:
        return f"<spawned in {self.f_code.co_name} ({self.f_code.co_filename}:{self.f_lineno})>"


def is_own(frame: FrameType) -> bool:
    """Return whether `frame` runs code of hubcore."""
    return bool(frame.f_globals.get("__name__", "").startswith("hubcore."))


def capture(limit: int) -> list[tuple[CodeType, int]]:
    """Return the calling stack without hubcore's own frames, innermost first, `limit` frames at most."""
    found: list[tuple[CodeType, int]] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and len(found) < limit:
        if not is_own(frame):
            found.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return found


def line_of(code: CodeType, instruction: int) -> int:
    """Return the line number of the instruction at the offset `instruction` in `code`."""
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return line
    return code.co_firstlineno


def site_of(code: CodeType | None, instruction: int) -> tuple[str, int, str]:
    """Return file, line and function of an instruction; question marks and 0 if C code made the call."""
    return ("?", 0, "?") if code is None else (code.co_filename, line_of(code, instruction), code.co_name)


def as_frames(stack: Sequence[tuple[CodeType | None, int]]) -> SpawnFrame | None:
    """Return the innermost frame of `stack`, a list with the innermost call first, as a chain of frame-like objects."""
    frame = None
    for code, instruction in reversed(stack):
        if code is not None:
            frame = SpawnFrame(code, line_of(code, instruction), frame)
    return frame
