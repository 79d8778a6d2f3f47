"""What a greenlet's stack is, as code and instructions: cheap to take, and equal for greenlets that do the same.

Fact: `f_back` makes a frame object for each call, which lives as long as the call. Consequence: a walk over very many
stacks costs the program memory, so the callers bound how many they read.
"""

from __future__ import annotations

import sys

from hubcore._base.package import PACKAGE
from hubcore._base.spawn_stack import line_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType

    Stack = tuple[tuple[CodeType, int], ...]

_DEEPEST = 64


def stack_of(frame: FrameType | None) -> Stack:
    """Return the innermost 64 calls of the stack that ends at `frame`: pairs of code and instruction."""
    found: list[tuple[CodeType, int]] = []
    while frame is not None and len(found) < _DEEPEST:
        found.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return tuple(found)


def lines_of(stack: Stack) -> list[dict[str, object]]:
    """Return the calls of `stack`, outermost first, as dicts of file, line and function; hubcore's innermost go."""
    calls: list[dict[str, object]] = []
    for code, instruction in stack:
        if calls or not code.co_filename.startswith(PACKAGE):
            line = line_of(code, instruction)
            calls.append({"file": code.co_filename, "line": line, "function": code.co_qualname})
    calls.reverse()
    return calls


def calling_stack() -> Stack:
    """Return the stack of the calling greenlet."""
    return stack_of(sys._getframe(1))
