"""`hubcore serve`: an application by HTTP, in one process or several."""

from __future__ import annotations

import os
import socket
import sys

from hubcore.cli import _serve_settings, _serve_worker
from hubcore.cli._output import complain
from hubcore.cli._serve_listen import DEFAULT, CannotListen, Listener, activated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main(options: Any) -> int:
    """Serve as the parsed `options` ask; the exit status."""
    try:
        settings = _settings(options)
        if options.check:
            return 0 if _serve_worker.load_application(settings, _serve_worker.patching(options)) is not None else 1
        listeners = _listen(settings)
    except (_serve_settings.WrongSetting, CannotListen) as error:
        complain(str(error))
        return 2 if isinstance(error, _serve_settings.WrongSetting) else 1
    try:
        if settings["workers"] > 1 or settings["reload"]:
            return _supervise(options, settings, listeners)
        return _alone(options, settings, listeners)
    finally:
        for listener in listeners:
            listener.close()


def _settings(options: Any) -> dict[str, Any]:
    from hubcore._patching import environment
    from hubcore.exceptions import BackendUnavailable

    if options.env_file is not None:
        for name, value in _serve_settings.read_env_file(options.env_file).items():
            os.environ.setdefault(name, value)
    settings = _serve_settings.gather(options, os.environ, options.app_dir or os.getcwd())
    if settings["env_file"] is not None and options.env_file is None:
        for name, value in _serve_settings.read_env_file(settings["env_file"]).items():
            os.environ.setdefault(name, value)
    if settings["workers"] < 1:
        raise _serve_settings.WrongSetting("workers is 1 or more, not 0")
    if settings["reload"] and settings["workers"] > 1:
        raise _serve_settings.WrongSetting("--reload is for one worker; leave out --workers")
    if settings["keyfile"] and not settings["certfile"]:
        raise _serve_settings.WrongSetting("--keyfile needs --certfile")
    for name in ("certfile", "keyfile"):
        if settings[name] and not os.access(settings[name], os.R_OK):
            raise _serve_settings.WrongSetting(f"cannot read the {name} {settings[name]}")
    try:
        environment.check(settings["backend"])
    except (ImportError, ValueError, TypeError, BackendUnavailable) as error:
        raise _serve_settings.WrongSetting(" ".join(str(error).split())) from None
    options.backend = settings["backend"]
    return settings


def _listen(settings: dict[str, Any]) -> list[Listener]:
    backlog = settings["backlog"] or 2048
    made: list[Listener] = []
    try:
        for name in settings["bind"] or activated() or [DEFAULT]:
            made.append(Listener(name, backlog, settings["workers"]))
    except BaseException:
        for listener in made:
            listener.close()
        raise
    return made


def _sockets(listeners: list[Listener], slot: int) -> list[tuple[str, socket.socket]]:
    return [(listener.name, listener.of_worker(slot)) for listener in listeners]


def _announce(settings: dict[str, Any], listeners: list[Listener]) -> None:
    addresses = " ".join(listener.url(bool(settings["certfile"])) for listener in listeners)
    print(f"hubcore serve: {addresses} (worker {os.getpid()})", file=sys.stderr, flush=True)


def _alone(options: Any, settings: dict[str, Any], listeners: list[Listener]) -> int:
    application = _serve_worker.load_application(settings, _serve_worker.patching(options))
    if application is None:
        return 1

    def ready() -> None:
        _announce(settings, listeners)
        _notify("READY=1")

    status = _serve_worker.run(settings, application, _sockets(listeners, 0), ready=ready)
    _notify("STOPPING=1")
    return 1 if status == _serve_worker.CANNOT_BEGIN else status


def _supervise(options: Any, settings: dict[str, Any], listeners: list[Listener]) -> int:
    from hubcore.cli._serve_reload import Watch
    from hubcore.cli._serve_supervisor import Supervisor

    folder = os.path.abspath(settings["app_dir"] or os.getcwd())

    def work(slot: int, ready: Any, life: int) -> int:
        # Before the import: a file that changes during it counts, too.
        watch = Watch(folder) if settings["reload"] else None
        application = _serve_worker.load_application(settings, _serve_worker.patching(options))
        if application is None:
            if watch is None:
                return _serve_worker.CANNOT_BEGIN
            watch.wait()
            return _serve_worker.AGAIN

        def tell() -> None:
            _announce(settings, listeners)
            ready()

        return _serve_worker.run(
            settings,
            application,
            _sockets(listeners, slot),
            ready=tell,
            life=life,
            watch=None if watch is None else watch.in_thread,
        )

    grace = settings["graceful_timeout"]
    grace = 30.0 if grace is None else grace or None
    return Supervisor(settings["workers"], work, grace, lambda: _notify("READY=1")).run()


def _notify(text: str) -> None:
    """Say to systemd, where it asks (Type=notify), how far the service is. See sd_notify(3)."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(address)
            sock.sendall(text.encode())
    except OSError:
        pass  # there is no service manager any more
