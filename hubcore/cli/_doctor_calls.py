"""What a blocked thread is doing: the frames of the program, and the call in progress in the innermost one."""

from __future__ import annotations

import ast
import ctypes
import inspect
import linecache
import os
import sys
import sysconfig
from itertools import islice

from hubcore._base.originals import original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

_LIBRARY = tuple(os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib"))
_PACKAGES = ("site-packages", "dist-packages")
_HUBCORE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_C_FUNCTION = ctypes.CFUNCTYPE(None).__mro__[1]  # the base of all functions that ctypes makes
_LOOKS = 5
_LONGEST = 90  # characters of a call's source


_pause = original("time", "sleep")


def is_of_the_program(file: str) -> bool:
    """Return whether `file` is neither Python's nor hubcore's; installed libraries count as the program's."""
    if file.startswith(("<frozen ", _HUBCORE)):
        return False
    return not file.startswith(_LIBRARY) or any(f"{os.sep}{name}{os.sep}" in file for name in _PACKAGES)


def frames_of(innermost: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames of the stack, innermost first."""
    while innermost is not None:
        yield innermost
        innermost = innermost.f_back


def stack_lines(innermost: FrameType | None, most: int) -> list[str]:
    """Return the `most` innermost calls of the program as lines of a traceback, outermost call first."""
    frames = list(frames_of(innermost))
    own = [frame for frame in frames if is_of_the_program(frame.f_code.co_filename)] or frames
    lines: list[str] = []
    for frame in reversed(own[:most]):
        lines.append(f'  File "{frame.f_code.co_filename}", line {frame.f_lineno}, in {frame.f_code.co_name}')
        source = linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals).strip()
        if source:
            lines.append(f"    {source}")
    return lines


def call_in_progress(frame: FrameType | None) -> tuple[str, Any]:
    """Return the source of the call that `frame` has not returned from, and the called function, as far as known.

    The source is "" if the frame runs Python code of its own; the function None if it cannot be found without running
    code of the program. Any thread.
    """
    node = _call_node(frame)
    if node is None or frame is None:
        return "", None
    text = " ".join(ast.unparse(node).split())
    try:
        function = _value(node.func, frame)
    except (LookupError, AttributeError, TypeError):
        function = None
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...", function


def _call_node(frame: FrameType | None) -> ast.Call | None:
    if frame is None or frame.f_lasti < 0:
        return None
    found = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), (None,) * 4)
    first, last, start, end = found
    if first is None or last is None or start is None or end is None:
        return None
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)[first - 1 : last]
    if len(lines) != last - first + 1:
        return None
    octets = [line.encode() for line in lines]
    octets[-1] = octets[-1][:end]
    octets[0] = octets[0][start:]
    try:
        node = ast.parse(b"(" + b"".join(octets) + b")", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if isinstance(node, ast.Await):
        node = node.value
    return node if isinstance(node, ast.Call) else None


def _value(node: ast.expr, frame: FrameType) -> Any:
    """Return the value of a name or an attribute, without running code of the program."""
    if isinstance(node, ast.Name):
        for names in (frame.f_locals, frame.f_globals, frame.f_builtins):
            if node.id in names:
                return names[node.id]
        raise LookupError(node.id)
    if isinstance(node, ast.Attribute):
        found = inspect.getattr_static(_value(node.value, frame), node.attr)
        return found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
    raise LookupError("not a name")


def name_of(function: Any) -> str:
    """Return the full name of a function in C, such as `time.sleep` or `sqlite3.Cursor.execute`; "" if it has none."""
    if isinstance(function, _C_FUNCTION):
        return "ctypes"
    name = getattr(function, "__qualname__", None)
    owner = getattr(function, "__objclass__", None)
    module = getattr(owner if owner is not None else function, "__module__", None)
    if not isinstance(name, str):
        return ""
    return f"{module}.{name}" if isinstance(module, str) else name


def moves(frame: FrameType, thread: int | None) -> bool:
    """Return whether the thread, which was in `frame`, runs Python code. Looks several times within milliseconds."""
    before = frame.f_lasti
    for _ in range(_LOOKS):
        _pause(0.002)
        now = frame_of_thread(thread)
        if now is not frame or now.f_lasti != before:
            return True
    return False


def frame_of_thread(ident: int | None) -> FrameType | None:
    """Return the innermost Python frame of a thread."""
    return sys._current_frames().get(ident) if ident is not None else None
