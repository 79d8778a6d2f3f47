"""Answers what a tool (`hubcore ps`, `dump`, `top`, `trace`) has asked by the mailbox.

A greenlet of the main thread's hub connects to the tool's socket, checks whose it is, and answers. Other greenlets run
meanwhile: it pauses after each thousand greenlets that it reads or writes. Requests are a fixed list; nothing that the
tool sends is run.
"""

from __future__ import annotations

import _socket
import json
import os
from struct import calcsize, unpack

from hubcore._core.mailbox import take_request
from hubcore._core.raw_greenlet import RawGreenlet
from hubcore._core.registry import hubs
from hubcore._diagnostics.statistics import of_hub
from hubcore._observe.recorder import Recording
from hubcore._observe.snapshot import FORMAT, snapshot, steps, thread_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from typing import Any

    from hubcore.hub import Hub

    Pieces = Generator[bytes | float | None, None, None]

_PATIENCE = 10.0  # seconds after which a tool that reads nothing gets no more
_CHUNK = 1000
_PEER = "3i"  # struct ucred


class Answering(RawGreenlet):
    """A greenlet that answers a tool; snapshots leave it out."""

    _answers = True


def answer_for(hub: Hub) -> Callable[[], None]:
    """Return the function that looks into the mailbox and has a greenlet of `hub` answer. It never switches."""

    def answer() -> None:
        found = take_request()
        if found is not None and not hub.destroyed:
            hub.schedule(Answering(hub, _run, (hub, found[1], found[2])))

    return answer


def answer_now() -> None:
    """Answer the request in the mailbox from the calling thread, without a pause. For a hub that does not poll."""
    found = take_request()
    if found is None:
        return
    with _socket_to(found[1], blocking=True) as sock:
        for piece in _pieces(found[2], at_once=True):
            if isinstance(piece, bytes):
                sock.sendall(piece)


class _Sock:
    """A connected socket of the C module, as a context manager."""

    def __init__(self, sock: _socket.socket) -> None:
        self.sock = sock
        self.fileno = sock.fileno
        self.send = sock.send
        self.sendall = sock.sendall

    def __enter__(self) -> _Sock:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


def _socket_to(path: str, blocking: bool = False) -> _Sock:
    """Connect to the tool at `path`. PermissionError unless the tool runs as the same user, or as root."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        sock.settimeout(2.0 if blocking else 0.0)
        sock.connect(path)
        size = calcsize(_PEER)
        _, uid, _ = unpack(_PEER, sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, size))
        if uid not in (0, os.geteuid()):
            raise PermissionError(f"the tool at {path} runs as user {uid}, and this process as {os.geteuid()}")
    except BaseException:
        sock.close()
        raise
    return _Sock(sock)


def _run(hub: Hub, path: str, request: str) -> None:
    # Real time passes, and the program does not end, while a tool is answered.
    hub.loop.begin_external()
    try:
        with _socket_to(path) as sock:
            for piece in _pieces(request):
                if isinstance(piece, float):
                    hub.park(hub.new_waiter("the end of a recording"), piece)
                elif piece is None:
                    hub.yield_now()
                elif not _send(hub, sock, piece):
                    break
    except OSError:
        pass  # the tool has gone, or was none
    finally:
        hub.loop.end_external()


def _send(hub: Hub, sock: _Sock, data: bytes) -> bool:
    """Send `data`; False if the tool reads nothing for 10 seconds. Switches."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[sock.send(rest) :]
        except BlockingIOError:
            io = hub.loop.io(sock.fileno(), 2)
            waiter = hub.new_waiter("a tool that reads")
            io.start(waiter, io)
            try:
                if not hub.park(waiter, _PATIENCE):
                    return False
            finally:
                io.close()
    return True


def _pieces(request: str, at_once: bool = False) -> Pieces:
    """The answer in pieces, one JSON document on a line; None is a pause, a number a pause of so many seconds."""
    try:
        asked = json.loads(request)
        kind = asked.get("ask")
        if kind == "snapshot":
            options = {name: bool(asked.get(name)) for name in ("all", "stacks", "locals")}
            if at_once:
                yield from _encoded(snapshot(**options))
            else:
                found = yield from _paused(steps(**options))
                yield from _encoded(found)
        elif kind == "trace":
            yield from _traced(float(asked["seconds"]))
        elif kind == "statistics":
            yield _line(_statistics())
        else:
            yield _line({"error": f"unknown request {kind!r}"})
    except Exception as error:
        yield _line({"error": f"{type(error).__name__}: {error}"})


def _traced(seconds: float) -> Pieces:
    """Record for `seconds`; then the recording."""
    if not 0 < seconds < 3600:
        raise ValueError(f"seconds must be above 0 and below 3600, not {seconds!r}")
    recording = Recording()
    recording.start()
    try:
        yield seconds
    finally:
        recording.stop()
    yield from recording.encoded()


def _paused(walk: Generator[None, None, dict[str, Any]]) -> Generator[None, None, dict[str, Any]]:
    found = yield from walk
    return found


def _line(found: object) -> bytes:
    return json.dumps(found, default=str).encode() + b"\n"


def _encoded(found: dict[str, Any]) -> Pieces:
    """The snapshot as JSON, a thousand greenlets at a time."""
    each_hub = found.pop("hubs")
    yield json.dumps(found, default=str)[:-1].encode() + b', "hubs": ['
    for i, one in enumerate(each_hub):
        greenlets = one.pop("greenlets")
        head = json.dumps(one, default=str)[:-1]
        yield (", " if i else "").encode() + head.encode() + b', "greenlets": ['
        for j in range(0, len(greenlets), _CHUNK):
            yield None
            text = ", ".join(_texts(greenlets[j : j + _CHUNK]))
            yield (f", {text}" if j else text).encode()
        yield b"]}"
    yield b"]}\n"


def _texts(entries: Iterable[dict[str, Any]]) -> Iterable[str]:
    return (json.dumps(entry, default=str) for entry in entries)


def _statistics() -> dict[str, Any]:
    return {
        "version": FORMAT,
        "pid": os.getpid(),
        "hubs": [
            {"thread": hub.thread_ident, "name": thread_name(hub), "statistics": dict(of_hub(hub)._asdict())}
            for hub in hubs.copy()
        ],
    }
