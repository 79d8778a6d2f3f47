"""Connect to a host with several addresses by RFC 8305: an address that does not answer costs at most 250 ms."""

from __future__ import annotations

from hubcore.hub import get_hub, spawn_raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hubcore._core.waiter import Waiter

#: Seconds that an attempt has before the next one starts beside it.
STAGGER = 0.25


def interleave(found: list[Any]) -> list[Any]:
    """Return getaddrinfo's results with the families taking turns, each family's addresses in their original order."""
    families: dict[int, list[Any]] = {}
    for one in found:
        families.setdefault(one[0], []).append(one)
    queues = list(families.values())
    return [queue[turn] for turn in range(max(map(len, queues), default=0)) for queue in queues if turn < len(queue)]


def host_and_port(address: Any) -> tuple[Any, Any]:
    """Return the host and the port of `address`. Errors have the standard library's classes."""
    if isinstance(address, (str, bytes)):
        raise ValueError(f"create_connection(): address must be a pair (host, port), not {address!r}")
    try:
        host, port = address
    except (TypeError, ValueError) as error:
        raise type(error)(f"create_connection(): address must be a pair (host, port), not {address!r}") from None
    return host, port


class Race:
    """Attempts to connect, one for each of `found`. The first that succeeds wins; the others' sockets are closed.

    `make(found)` makes a socket and must not switch; `connect(socket, found)` connects it. An OSError of either ends
    that attempt; any other exception ends the race.
    """

    def __init__(self, found: list[Any], make: Callable[[Any], Any], connect: Callable[[Any, Any], object]) -> None:
        self._found = interleave(found)
        self._make = make
        self._connect = connect
        self._errors: dict[int, OSError] = {}
        self._fatal: BaseException | None = None
        self._sockets: dict[int, Any] = {}
        self._winner: Any = None
        self._over = False
        self._waiter: Waiter | None = None

    def run(self) -> Any:
        """Return the connected socket, or None if all attempts failed. Switches. No other socket stays open."""
        if len(self._found) == 1:
            return self._run_alone()
        hub = get_hub()
        try:
            for number in range(len(self._found)):
                spawn_raw(self._attempt, number)
                end = hub.loop.update_now() + STAGGER
                last = number == len(self._found) - 1
                # The next attempt starts when STAGGER has passed, or when all started attempts have failed.
                while self._winner is None and self._fatal is None and len(self._errors) <= number:
                    left = end - hub.loop.update_now()
                    if not last and left <= 0.0:
                        break
                    self._waiter = hub.new_waiter(self)
                    hub.park(self._waiter, None if last else left)
                if self._winner is not None or self._fatal is not None:
                    break
            if self._fatal is not None:
                raise self._fatal
            return self._winner
        except BaseException:
            self._close(self._winner)
            raise
        finally:
            self._over = True
            for number in list(self._sockets):
                self._close(self._sockets.pop(number))  # this wakes the greenlet that connects it
            self._winner = self._fatal = None  # a traceback holds its frame, and the frame holds this object

    def winner(self, all_errors: bool) -> Any:
        """Like `run`, but if all attempts fail, raise the last one's error, or an ExceptionGroup with `all_errors`."""
        sock = self.run()
        if sock is not None:
            return sock
        errors = self.errors()
        try:
            if not all_errors:
                raise errors[-1]
            raise ExceptionGroup("create_connection failed", errors)
        finally:
            errors.clear()  # each holds a traceback, which holds this frame

    def errors(self) -> list[OSError]:
        """Return the errors of the failed attempts, in the order of the attempts, and forget them."""
        errors, self._errors = self._errors, {}
        return [errors[number] for number in sorted(errors)]

    def _run_alone(self) -> Any:
        sock = None
        try:
            sock = self._make(self._found[0])
            self._connect(sock, self._found[0])
        except OSError as error:
            self._close(sock)
            self._errors[0] = error
            return None
        except BaseException:
            self._close(sock)
            raise
        return sock

    def _attempt(self, number: int) -> None:
        if self._over:
            return
        sock = None
        try:
            sock = self._sockets[number] = self._make(self._found[number])
            self._connect(sock, self._found[number])
        except OSError as error:
            if not self._over:
                self._errors[number] = error
        except BaseException as error:  # run() raises it in its caller
            self._fatal = error
        else:
            if not self._over and self._winner is None:
                self._winner = self._sockets.pop(number)
        finally:
            self._close(self._sockets.pop(number, None))
            if self._waiter is not None:
                self._waiter.wake()

    def _close(self, sock: Any) -> None:
        if sock is not None:
            sock.close()

    def __repr__(self) -> str:
        return f"<connecting to {', '.join(str(one[4]) for one in self._found)}>"
