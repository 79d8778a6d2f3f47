"""For uncompiled runs: what compiled modules have from C.

_arena, _greenlet, _calls, _references, _spawn_site, _tracing, local, _sockio.
"""

from __future__ import annotations

import os
import stat
import sys
from functools import wraps

from greenlet import getcurrent, greenlet

from hubcore._originals import RLock, close_fd, get_blocking, get_ident, original, read_fd, set_blocking, write_fd

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
    "import_greenlet",
    "instance_dict",
    "is_last_reference",
    "is_text",
    "kind_of",
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

# The error that is set, by thread: an uncompiled run has no other place that survives a return.
_failures: dict[int, BaseException] = {}


def switch_fails(g: greenlet) -> bool:
    """Switch to `g`; whether the caller was resumed by a throw, which `raise_failure` then raises."""
    try:
        greenlet.switch(g)
    except BaseException as error:
        _failures[get_ident()] = error
        return True
    return False


def begin_stack() -> None:
    """Nothing: uncompiled, a greenlet's Python frames begin in a chunk as CPython makes them."""


def call_or(failure: object, callee: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    """`callee(*args, **kwargs)`; `failure` if it raised, which `raise_failure` then raises."""
    try:
        return callee(*args) if kwargs is None else callee(*args, **kwargs)
    except BaseException as error:
        _failures[get_ident()] = error
        return failure


def call_keeping_failure(callee: Callable[..., object], args: tuple[Any, ...]) -> None:
    """Call `callee(*args)`, which should not fail; what failed before can be raised after it."""
    callee(*args)


def raise_failure() -> NoReturn:
    """Raise what the last failed call or switch of this thread raised."""
    raise _failures.pop(get_ident())


def import_greenlet() -> int:
    """Nothing to do: only C has to get hold of greenlet's functions."""
    return 0


def switch_to(g: greenlet) -> object:
    """Switch to `g`; what it was passed by whoever switches back."""
    return greenlet.switch(g)  # a Hub has a switch() of its own, which is for programs


def is_last_reference(thing: object) -> bool:
    """Whether only the caller refers to `thing`. Uncompiled, nobody may rely on knowing that."""
    return False


def take_item(items: list[Any], i: int) -> Any:
    """items[i], which is None from now on."""
    item = items[i]
    items[i] = None
    return item


def put_item(items: list[Any], i: int, item: object) -> None:
    """items[i] = item"""
    items[i] = item


def set_parent(g: greenlet, parent: Any) -> None:
    """Have `parent` go on when `g` ends."""
    g.parent = parent


def a_thread_begins() -> bool:
    """Nobody knows: only C sees a thread before it runs."""
    return False


def process_ends() -> bool:
    """Whether the interpreter is being finalized."""
    return sys.is_finalizing()


def get_tracing() -> tuple[Any, Any]:
    """What traces and profiles this native thread."""
    return sys.gettrace(), sys.getprofile()


def set_tracing(tracing: tuple[Any, ...]) -> None:
    """Set what `get_tracing` returned."""
    trace, profile = tracing
    sys.settrace(trace)
    sys.setprofile(profile)


def _calling_frame(package: str) -> FrameType:
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame = frame.f_back
    return frame


def running_code(package: str) -> CodeType:
    """The code object of the Python function that called into hubcore, whose files are in the directory `package`."""
    return _calling_frame(package).f_code


def running_instruction(package: str) -> int:
    """The offset of the instruction that it is at."""
    return _calling_frame(package).f_lasti


_step = RLock()  # a finalizer may run one step within another


def atomic(cls: type, *names: str) -> None:
    """Let these methods and properties of `cls`, which never switch, run one at a time, as by the GIL."""

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
    return _failures  # which nobody else has


def get_attribute(owner: object, name: str, attributes: dict[str, Any]) -> Any:
    """`object.__getattribute__(owner, name)`, were `attributes` the owner's `__dict__`."""
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
    """`object.__setattr__(owner, name, value)`, were `attributes` the owner's `__dict__`."""
    found = _class_attribute(owner, name)
    if hasattr(type(found), "__set__"):
        found.__set__(owner, value)
    else:
        attributes[name] = value


def del_attribute(owner: object, name: str, attributes: dict[str, Any]) -> None:
    """`object.__delattr__(owner, name)`, were `attributes` the owner's `__dict__`."""
    found = _class_attribute(owner, name)
    if hasattr(type(found), "__delete__"):
        found.__delete__(owner)
    elif name in attributes:
        del attributes[name]
    else:
        raise AttributeError(f"{type(owner).__name__!r} object has no attribute {name!r}", name=name, obj=owner)


def instance_dict(owner: greenlet) -> dict[str, Any]:
    """The `__dict__` of `owner`, whatever its class makes of that name."""
    attributes: dict[str, Any] = object.__getattribute__(owner, "__dict__")
    return attributes


def is_text(name: object, text: str) -> bool:
    """Whether `name` is the str `text`."""
    return name == text


class own:
    """The fields of `owner`, past the attribute access of its class."""

    __slots__ = ("owner",)

    def __init__(self, owner: object) -> None:
        object.__setattr__(self, "owner", owner)

    def __getattr__(self, name: str) -> Any:
        return object.__getattribute__(self.owner, name)

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self.owner, name, value)


def recv_ready(waits: Any, size: int) -> bytes | None:
    """Up to `size` bytes of what is there; None where there is nothing."""
    try:
        return read_fd(waits.fd, size)
    except BlockingIOError:
        return None


def send_ready(waits: Any, data: bytes, start: int) -> int:
    """How many bytes of `data` from `start` on the kernel takes now."""
    try:
        return write_fd(waits.fd, memoryview(data)[start:])
    except BlockingIOError:
        return 0


def close_unread(fd: int) -> None:
    """Close `fd`, and what has come in with it."""
    try:
        read_fd(fd, 65536)
    except OSError:
        pass
    close_fd(fd)


def ready_now(fd: int, events: int) -> bool:
    """Whether a call at `fd` need not wait for one of `events`: also where it would fail at once."""
    if fd < 0:
        return True
    poller = _poll()
    poller.register(fd, events)
    return bool(poller.poll(0))


def kind_of(fd: int) -> int:
    """S_IFREG and so on; 0 where there is none, or no such fd."""
    try:
        return stat.S_IFMT(os.fstat(fd).st_mode)
    except OSError:
        return 0


def send_now(fd: int, data: Any) -> int | None:
    """send(2): how many bytes of `data` the socket took; None where it would block."""
    from _socket import MSG_DONTWAIT, socket

    blocking = get_blocking(fd)
    sock = socket(fileno=fd)
    try:
        return sock.send(data, MSG_DONTWAIT)
    except BlockingIOError:
        return None
    finally:
        sock.detach()
        set_blocking(fd, blocking)  # a default timeout would have changed it
