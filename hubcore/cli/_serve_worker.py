"""One process of `hubcore serve`: patches, loads the application, serves it, and ends when it is asked to."""

from __future__ import annotations

import os
import random
import signal
import sys
import traceback

from hubcore.cli import _patch_options, _serve_settings
from hubcore.cli._output import complain
from hubcore.cli._serve_app import NoApplication, find_application

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

#: Exit statuses: it could not begin; it ended in order to be started anew.
CANNOT_BEGIN, AGAIN = 3, 4
_SPARE_FILES = 64  # file descriptors for everything but connections
_LOOK_EVERY = 0.2  # seconds between two looks at how many requests there were


def load_application(settings: dict[str, Any], patch: Callable[[], None]) -> Any:
    """Prepare the process, patch, and import the application; None, after the reason was printed, if that fails."""
    try:
        patch()
        folder = os.path.abspath(settings["app_dir"] or os.getcwd())
        if not os.path.isdir(folder):
            raise NoApplication(f"there is no folder {folder}")
        sys.path.insert(0, folder)
        return find_application(settings["app"], factory=bool(settings["factory"]))
    except NoApplication as error:
        complain(str(error))
    except SystemExit:
        raise
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and _is_ours(trace.tb_frame.f_code.co_filename):
            trace = trace.tb_next
        traceback.print_exception(error.with_traceback(trace))
    return None


def _is_ours(file: str) -> bool:
    return file.startswith((os.path.dirname(__file__), "<frozen importlib")) or "/importlib/" in file


def patching(options: Any) -> Callable[[], None]:
    """What patches as the parsed `options` ask."""

    def patch() -> None:
        if options.backend is not None:
            os.environ["HUB_BACKEND"] = options.backend
        _patch_options.patch(options)

    return patch


def run(
    settings: dict[str, Any],
    application: Any,
    sockets: list[tuple[str, socket.socket]],
    *,
    ready: Callable[[], None] | None = None,
    life: int = -1,
    watch: Callable[[Callable[[], object]], None] | None = None,
) -> int:
    """Serve `application` on `sockets`, (name, socket) each, until a signal; the process's exit status.

    `ready` is called once it listens. It also ends when the pipe `life` does, with the process that holds the other
    end; and when `watch` calls what it is given.
    """
    from hubcore.event import Event
    from hubcore.hub import get_hub

    try:
        servers, log = _servers(settings, application, sockets)
    except (OSError, ValueError, TypeError, ImportError) as error:
        complain(" ".join(str(error).split()))
        return CANNOT_BEGIN
    hub = get_hub()
    over = Event()
    status = 0

    def end(code: int = 0) -> None:
        nonlocal status
        status = status or code
        over.set()

    watchers = []
    for number, call in (
        (signal.SIGTERM, end),
        (signal.SIGHUP, end),
        (signal.SIGUSR1, log.reopen if log else _nothing),
    ):
        watcher = hub.loop.signal(number, False)
        watcher.start(call)
        watchers.append(watcher)
    if life >= 0:
        watcher = hub.loop.io(life, 1, False)
        watcher.start(end)
        watchers.append(watcher)
    before = signal.getsignal(signal.SIGINT)

    def interrupted(*args: object) -> None:
        signal.signal(signal.SIGINT, before)
        hub.loop.run_callback_threadsafe(end)

    signal.signal(signal.SIGINT, interrupted)
    if watch is not None:
        watch(lambda: hub.loop.run_callback_threadsafe(end, AGAIN))
    try:
        for server in servers:
            server.start()
        if ready is not None:
            ready()
        _wait(over, servers, settings)
        _stop(servers)
    finally:
        for watcher in watchers:
            watcher.close()
        if log is not None:
            log.close()
    return status


def _nothing() -> None:
    pass


def _wait(over: Any, servers: list[Any], settings: dict[str, Any]) -> None:
    """Wait for the end, or for max_requests."""
    most = settings["max_requests"] or 0
    if not most:
        over.wait()
        return
    most += random.randint(0, settings["max_requests_jitter"] or 0)
    while not over.wait(_LOOK_EVERY):
        if sum(server.statistics["requests"] for server in servers) >= most:
            return


def _stop(servers: list[Any]) -> None:
    from hubcore import joinall, spawn

    joinall([spawn(server.stop) for server in servers], raise_error=True)


def _servers(settings: dict[str, Any], application: Any, sockets: list[tuple[str, Any]]) -> tuple[list[Any], Any]:
    from hubcore._http.logs import LogFile
    from hubcore.pywsgi import WSGIServer

    log = LogFile(settings["access_log"]) if settings["access_log"] else None
    limits = _serve_settings.limits_of(settings) | {"max_requests": 0, "max_requests_jitter": 0}
    backlog = limits.pop("backlog", None)
    if limits.get("max_connections") is None:
        limits["max_connections"] = _most_connections(len(sockets))
    more: dict[str, Any] = {}
    for name in (
        "log_format",
        "forwarded_allow_ips",
        "header_map",
        "proxy_protocol",
        "proxy_allow_ips",
        "certfile",
        "keyfile",
    ):
        if settings[name] is not None:
            more[name] = settings[name]
    if settings["server_header"] is not None:
        more["server_header"] = settings["server_header"]
    if settings["concurrency"]:
        from hubcore._http.room import Room

        more["spawn"] = Room(settings["concurrency"])
    environ = {"wsgi.multiprocess": settings["workers"] > 1}
    del backlog  # the sockets listen already
    made = [WSGIServer(sock, application, log=log, environ=environ, **limits, **more) for _, sock in sockets]
    return made, log


def _most_connections(servers: int) -> int:
    """How many connections each of so many servers may have, as far as files may be open; raises that to its limit."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    except (OSError, ValueError):
        pass
    if soft == resource.RLIM_INFINITY:
        return 0
    return max(1, (soft - _SPARE_FILES) // servers)
