"""Reports of failures whose result was dropped before any caller read it."""

from __future__ import annotations

from hubcore._diagnostics.describe import report_failure
from hubcore.exceptions import Cancelled
from hubcore.hub import get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub


def report_unread(result: object, error: BaseException, hub: Hub | None) -> None:
    """Pass `error`, of a `result` that is being finalized, to `hub`, as a greenlet's failure. Any thread; never raises.

    In the hub's own thread it does so at once, and never switches; from another thread the hub does it when it next
    runs.
    """
    if get_hub_if_any is None:
        return  # at the end of the process this module may have lost its names
    try:
        if isinstance(error, Cancelled):
            return
        if hub is None or hub.destroyed:
            if isinstance(error, Exception):
                report_failure(result, type(error), error, error.__traceback__)
        elif hub is get_hub_if_any():
            hub.handle_error(result, type(error), error, error.__traceback__)
        else:
            hub.loop.run_callback_threadsafe(hub.handle_error, result, type(error), error, error.__traceback__)
    except Exception:  # the interpreter is ending, or the hub has just been destroyed
        report_failure(result, type(error), error, error.__traceback__)
