"""A worker class for gunicorn: `gunicorn -k hubcore.gunicorn.Worker module:application`.

gunicorn's master keeps the processes; each serves by `hubcore.pywsgi`, whose parser and limits are the same everywhere.
gunicorn's settings hold where they have a meaning: limits, timeouts, TLS, logs, hooks, `worker_connections` as the
number of requests that run at a time. Limits that gunicorn does not have are attributes of `limits` of a subclass.
"""

from __future__ import annotations

import logging
import os
import signal
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

try:
    from gunicorn.sock import ssl_context
    from gunicorn.workers.base import Worker as _Base
except ImportError as _error:
    raise ImportError(f"hubcore.gunicorn is a worker of gunicorn, which is not installed: {_error}") from _error


__all__ = ["Worker"]

_BEAT = 1.0  # seconds between two signs of life, or half of gunicorn's timeout


class _AccessLog:
    """Gives finished requests to gunicorn's logger, which has formats of its own."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def request(self, request: Any) -> None:
        """Log a finished request."""
        environ = request.environ or {
            "REMOTE_ADDR": request.remote_address,
            "REQUEST_METHOD": request.command or "-",
            "RAW_URI": request.path or "-",
            "SERVER_PROTOCOL": request.request_version,
        }
        response = SimpleNamespace(
            status=request.status or "-", headers=request.response_headers or [], sent=request.response_length
        )
        taken = timedelta(seconds=max(0.0, request.time_finish - request.time_start if request.time_start else 0.0))
        self._log.access(response, _headers(environ), environ, taken)

    def format(self, request: Any) -> str:
        """The request line and the status, for handlers that ask for a line."""
        return f"{request.requestline} {request.code}"

    def line(self, text: str) -> None:
        """Log a line that a handler has made."""
        self._log.access_log.info(text)

    def flush(self) -> None:
        """Nothing: gunicorn's handlers do that."""


def _headers(environ: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (name.removeprefix("HTTP_").replace("_", "-").title(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    ]


class Worker(_Base):  # type: ignore[misc]
    """Serves gunicorn's sockets by `hubcore.pywsgi` in one process."""

    #: Limits of `hubcore.pywsgi.Limits` that gunicorn has no settings for, by name.
    limits: dict[str, Any] = {}

    def init_process(self) -> None:
        """Patch the standard library; then load the application and run. Called by gunicorn in the new process."""
        # Patching and importing take a while, in which gunicorn may want to end this worker: it says so only once.
        signal.signal(signal.SIGTERM, self._end_early)
        from hubcore import monkey
        from hubcore.hub import get_hub_if_any, reinit

        if self.cfg.preload_app:
            self.log.warning(
                "preload_app imports the application before the standard library is patched; call "
                "hubcore.monkey.patch_all() at the top of gunicorn's configuration file"
            )
        monkey.patch_all()
        if get_hub_if_any() is not None:
            reinit()
        super().init_process()

    def init_signals(self) -> None:
        """Have gunicorn's signals be handled."""
        from hubcore.event import Event

        self._over = Event()
        super().init_signals()
        if not self.alive:
            self._over.set()

    def _end_early(self, sig: int, frame: Any) -> None:
        self.alive = False

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: finish the requests that run, and end."""
        super().handle_exit(sig, frame)
        self._over.set()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT and SIGQUIT: end at once."""
        self._over.set()
        super().handle_quit(sig, frame)

    def run(self) -> None:
        """Serve until gunicorn ends the worker. Called by gunicorn."""
        from hubcore import joinall, spawn

        servers = [self._server(each) for each in self.sockets]
        for server in servers:
            server.start()
        beating = spawn(self._beat)
        try:
            while self.alive and not self._over.wait(_BEAT):
                if self.ppid != os.getppid():
                    self.log.info("Parent changed, shutting down: %s", self)
                    break
                self.nr = sum(server.statistics["requests"] for server in servers)
                if self.nr >= self.max_requests:
                    self.log.info("Autorestarting worker after current request.")
                    break
            self.alive = False
            joinall([spawn(server.stop, self.cfg.graceful_timeout) for server in servers], raise_error=True)
        finally:
            beating.kill()

    def _beat(self) -> None:
        """Give signs of life: they stop when something holds up the hub, and then gunicorn ends the worker."""
        from hubcore.hub import sleep

        while True:
            self.notify()
            sleep(min(_BEAT, self.timeout / 2) if self.timeout else _BEAT)

    def _server(self, listener: Any) -> Any:
        from hubcore import socket
        from hubcore._http.room import Room
        from hubcore.pywsgi import WSGIServer

        # A socket of its own on the same open file: the other workers and gunicorn go on with theirs.
        sock = socket.socket(fileno=os.dup(listener.fileno()))
        server = WSGIServer(
            sock,
            self.wsgi,
            spawn=Room(self.cfg.worker_connections),
            log=None,
            error_log=_ErrorLog(self.log),
            handler_class=_handler_class(self),
            environ={"wsgi.multiprocess": self.cfg.workers > 1},
            **self._limits(),
            **self._tls(),
        )
        server.takes_waiting = False  # the other workers accept what waits
        if self.log.access_log_enabled:
            server._rules.log = _AccessLog(self.log)
        return server

    def _limits(self) -> dict[str, Any]:
        cfg = self.cfg
        found = {
            "limit_request_line": cfg.limit_request_line,
            "limit_request_fields": cfg.limit_request_fields,
            "limit_request_field_size": cfg.limit_request_field_size,
            "keepalive": cfg.keepalive,
            "graceful_timeout": cfg.graceful_timeout,
            "header_map": cfg.header_map,
            # As gunicorn has it, Unix sockets are trusted.
            "forwarded_allow_ips": [*_addresses(cfg.forwarded_allow_ips), "unix"],
        }
        if cfg.proxy_protocol not in (False, None, "off"):
            found |= {"proxy_protocol": True, "proxy_allow_ips": [*_addresses(cfg.proxy_allow_ips), "unix"]}
        return found | self.limits

    def _tls(self) -> dict[str, Any]:
        if not self.cfg.is_ssl:
            return {}
        context = ssl_context(self.cfg)
        if "h2" in (self.cfg.http_protocols or ()):
            self.log.warning("hubcore.gunicorn.Worker speaks HTTP/1.1 only; HTTP/2 is left to a proxy")
        context.set_alpn_protocols(["http/1.1"])
        return {"ssl_context": context}


class _ErrorLog:
    """gunicorn's error log as a stream."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def write(self, text: str) -> None:
        """Log `text`."""
        self._log.log(logging.ERROR, "%s", text.rstrip("\n"))

    def writelines(self, lines: Any) -> None:
        """Log each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing: gunicorn's handlers do that."""


def _addresses(setting: Any) -> list[str]:
    return setting.split(",") if isinstance(setting, str) else [str(each) for each in setting]


def _handler_class(worker: Any) -> type[Any]:
    """WSGIHandler, or one that calls gunicorn's hooks pre_request and post_request, where those are set."""
    from hubcore.pywsgi import WSGIHandler

    settings = worker.cfg.settings
    if all(_is_default(settings[name]) for name in ("pre_request", "post_request")):
        return WSGIHandler

    class Handler(WSGIHandler):
        def handle_one_response(self) -> None:
            request = SimpleNamespace(
                method=self.command,
                uri=self.path,
                path=self.path.partition("?")[0],
                query=self.path.partition("?")[2],
                headers=_headers(self.environ),
                version=(1, 1 if self.request_version == "HTTP/1.1" else 0),
            )
            worker.cfg.pre_request(worker, request)
            try:
                super().handle_one_response()
            finally:
                response = SimpleNamespace(
                    status=self.status, headers=self.response_headers or [], sent=self.response_length
                )
                try:
                    worker.cfg.post_request(worker, request, self.environ, response)
                except Exception:
                    worker.log.exception("Exception in post_request hook")

    return Handler


def _is_default(setting: Any) -> bool:
    found, default = setting.get(), type(setting).__dict__.get("default")
    default = getattr(default, "__func__", default)
    return getattr(found, "__code__", found) is getattr(default, "__code__", default)
