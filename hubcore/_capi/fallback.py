"""Python equivalents, for uncompiled runs, of the C functions that compiled modules use.

They replace those of _arena, _greenlet, _calls, _references, _spawn_site, _tracing, local and _sockio.
"""

from __future__ import annotations

import os
import stat
import sys
from functools import wraps

from greenlet import getcurrent, greenlet

from hubcore._base.originals import RLock, close_fd, get_blocking, get_ident, original, set_blocking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any, NoReturn

__all__ = [
    "a_thread_begins",
    "atomic",
    "begin_stack",
    "call_keeping_failure",
    "call_or",
    "close_unread",
    "del_attribute",
    "get_attribute",
    "get_ident",
    "get_tracing",
    "getcurrent",
    "greenlet",
    "hide_from_collector",
    "import_greenlet",
    "instance_dict",
    "is_last_reference",
    "is_public",
    "is_text",
    "kind_of",
    "may_be_async",
    "own",
    "process_ends",
    "put_item",
    "raise_failure",
    "ready_now",
    "recv_ready",
    "running_code",
    "running_instruction",
    "send_now",
    "send_ready",
    "set_attribute",
    "set_parent",
    "set_tracing",
    "switch_fails",
    "switch_to",
    "take_item",
]

_poll = original("select", "poll")

# The error that is set, by thread: Python code cannot return with an error set, as C code can.
_failures: dict[int, BaseException] = {}


def switch_fails(g: greenlet) -> bool:
    """Switch to `g`; return whether a throw resumed the caller. `raise_failure` then raises its error."""
    try:
        greenlet.switch(g)
    except BaseException as error:
        _failures[get_ident()] = error
        return True
    return False


def begin_stack() -> None:
    """Do nothing: uncompiled, CPython itself makes the first chunk for a greenlet's Python frames."""


def call_or(failure: object, callee: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    """Return `callee(*args, **kwargs)`; `failure` if it raised. `raise_failure` then raises its exception."""
    try:
        return callee(*args) if kwargs is None else callee(*args, **kwargs)
    except BaseException as error:
        _failures[get_ident()] = error
        return failure


def call_keeping_failure(callee: Callable[..., object], args: tuple[Any, ...]) -> None:
    """Call `callee(*args)`, which should not fail; an earlier failure can still be raised after it."""
    callee(*args)


def raise_failure() -> NoReturn:
    """Raise the exception of this thread's last failed call or switch."""
    raise _failures.pop(get_ident())


def hide_from_collector(thing: object) -> None:
    """Nothing: Python cannot do it, and the collector goes on knowing `thing`."""


def make_mutable(cls: type) -> None:
    """Do nothing: attributes of a class written in Python can be set."""


def import_greenlet() -> int:
    """Do nothing: only C code has to import greenlet's C functions."""
    return 0


def switch_to(g: greenlet) -> object:
    """Switch to `g`; return the value that the switch back passes."""
    return greenlet.switch(g)  # not g.switch(): Hub overrides that method, for programs


def is_last_reference(thing: object) -> bool:
    """Return whether only the caller refers to `thing`. Uncompiled always False, which is the safe answer."""
    return False


def take_item(items: list[Any], i: int) -> Any:
    """Return items[i] and put None in its place."""
    item = items[i]
    items[i] = None
    return item


def put_item(items: list[Any], i: int, item: object) -> None:
    """Set items[i] to `item`."""
    items[i] = item


def set_parent(g: greenlet, parent: Any) -> None:
    """Make `parent` the greenlet that resumes when `g` ends."""
    g.parent = parent


def a_thread_begins() -> bool:
    """Return False: only C code can see a thread that has not run yet."""
    return False


def process_ends() -> bool:
    """Return whether the interpreter is being finalized."""
    return sys.is_finalizing()


def get_tracing() -> tuple[Any, Any]:
    """Return the trace and profile functions of this native thread."""
    return sys.gettrace(), sys.getprofile()


def set_tracing(tracing: tuple[Any, ...]) -> None:
    """Set the trace and profile functions that `get_tracing` returned."""
    trace, profile = tracing
    sys.settrace(trace)
    sys.setprofile(profile)


def _calling_frame(package: str) -> FrameType:
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame = frame.f_back
    return frame


def running_code(package: str) -> CodeType:
    """Return the code object of the Python function that called into hubcore; `package` is hubcore's directory."""
    return _calling_frame(package).f_code


def running_instruction(package: str) -> int:
    """Return the offset of that function's current instruction."""
    return _calling_frame(package).f_lasti


_step = RLock()  # reentrant, because a finalizer may run one step within another


def atomic(cls: type, *names: str) -> None:
    """Make these methods and properties of `cls`, which never switch, exclude each other, as by the GIL."""

    def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def step(*args: Any, **kwargs: Any) -> Any:
            with _step:
                return method(*args, **kwargs)

        return step

    for name in names:
        found: Any = getattr(cls, name)
        getter = getattr(found, "fget", None)
        setattr(cls, name, guarded(found) if getter is None else property(guarded(getter)))


def _class_attribute(owner: object, name: str) -> Any:
    for base in type(owner).__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return _failures  # as a sentinel: no class has this object as an attribute


def get_attribute(owner: object, name: str, attributes: dict[str, Any]) -> Any:
    """Return `object.__getattribute__(owner, name)` as if `attributes` were the owner's `__dict__`."""
    found = _class_attribute(owner, name)
    kind: Any = type(found)
    if name in attributes and not (
        hasattr(kind, "__get__") and (hasattr(kind, "__set__") or hasattr(kind, "__delete__"))
    ):
        return attributes[name]
    if found is _failures:
        raise AttributeError(f"{type(owner).__name__!r} object has no attribute {name!r}", name=name, obj=owner)
    return kind.__get__(found, owner, type(owner)) if hasattr(kind, "__get__") else found


def set_attribute(owner: object, name: str, value: object, attributes: dict[str, Any]) -> None:
    """Perform `object.__setattr__(owner, name, value)` as if `attributes` were the owner's `__dict__`."""
    found = _class_attribute(owner, name)
    if hasattr(type(found), "__set__"):
        found.__set__(owner, value)
    else:
        attributes[name] = value


def del_attribute(owner: object, name: str, attributes: dict[str, Any]) -> None:
    """Perform `object.__delattr__(owner, name)` as if `attributes` were the owner's `__dict__`."""
    found = _class_attribute(owner, name)
    if hasattr(type(found), "__delete__"):
        found.__delete__(owner)
    elif name in attributes:
        del attributes[name]
    else:
        raise AttributeError(f"{type(owner).__name__!r} object has no attribute {name!r}", name=name, obj=owner)


def instance_dict(owner: greenlet) -> dict[str, Any]:
    """Return the `__dict__` of `owner`, even if its class redefines that name."""
    attributes: dict[str, Any] = object.__getattribute__(owner, "__dict__")
    return attributes


def is_text(name: object, text: str) -> bool:
    """Return whether `name` is the str `text`."""
    return name == text


def is_public(name: object) -> bool:
    """Return whether `name` is a str, of no subclass, that does not begin with an underscore."""
    return type(name) is str and not name.startswith("_") and name != ""


class own:
    """The fields of `owner`, bypassing the attribute access of its class."""

    __slots__ = ("owner",)

    def __init__(self, owner: object) -> None:
        object.__setattr__(self, "owner", owner)

    def __getattr__(self, name: str) -> Any:
        return object.__getattribute__(self.owner, name)

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self.owner, name, value)


def recv_ready(waits: Any, size: int) -> bytes | None:
    """Return up to `size` bytes that are ready to be read; None if there are none."""
    if waits.fd < 0:
        found: bytes | None = waits.recv_without_fd(size)
        return found
    try:
        data: bytes = _without_a_wait(waits.fd if waits.fd >= 0 else waits.last_fd, "recv", size)
        return data
    except BlockingIOError:
        return None
    except ConnectionResetError:
        if waits.cut:
            return b""
        raise


def send_ready(waits: Any, data: bytes, start: int) -> int:
    """Send `data` from `start` on; return the number of bytes that the kernel takes now."""
    if waits.fd < 0:
        count: int = waits.send_without_fd(data, start)
        return count
    return send_now(waits.fd, memoryview(data)[start:]) or 0


def close_unread(fd: int) -> None:
    """Close `fd`, and discard its unread input."""
    try:
        _without_a_wait(fd, "recv", 65536)
    except OSError:
        pass
    close_fd(fd)


def _without_a_wait(fd: int, name: str, argument: object) -> Any:
    """Call the C socket's method `name` on `fd` with MSG_DONTWAIT."""
    from _socket import MSG_DONTWAIT, socket

    blocking = get_blocking(fd)
    sock = socket(fileno=fd)
    try:
        return getattr(sock, name)(argument, MSG_DONTWAIT)
    finally:
        sock.detach()
        set_blocking(fd, blocking)  # with a default timeout, socket() has made the fd non-blocking


def ready_now(fd: int, events: int) -> bool:
    """Return whether a call on `fd` need not wait for one of `events`; also true if the call would fail at once."""
    if fd < 0:
        return True
    poller = _poll()
    poller.register(fd, events)
    return bool(poller.poll(0))


def kind_of(fd: int) -> int:
    """Return the file type of `fd` (S_IFREG and so on); 0 if it has none or is not open."""
    try:
        return stat.S_IFMT(os.fstat(fd).st_mode)
    except OSError:
        return 0


def send_now(fd: int, data: Any) -> int | None:
    """Call send(2) without blocking; return the number of bytes of `data` that were sent, None if it would block."""
    try:
        count: int = _without_a_wait(fd, "send", data)
        return count
    except BlockingIOError:
        return None


def publish(module: str, cls: type) -> None:
    """Let the class `cls` say that `module` defines it. Call it where the class is defined."""
    cls.__module__ = module


def may_be_async(function: object) -> bool:
    """Return whether a call of `function` may give a coroutine that does not run; `check_function` decides."""
    return True
