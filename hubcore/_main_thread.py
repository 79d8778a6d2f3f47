"""Is this the thread where Python handles signals?"""

from __future__ import annotations

# The C module under `signal`, which adds enumerations to it that take longer to import than all of hubcore.
import _signal


def in_main_thread() -> bool:
    """Whether this is the thread where Python handles signals."""
    # Asking `threading` would import it. `signal` looks at the thread first, and has no use for None in any.
    try:
        _signal.signal(2, None)
    except ValueError:
        return False
    except TypeError:
        pass
    return True
