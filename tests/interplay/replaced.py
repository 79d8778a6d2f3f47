"""A pytest plugin (`-p tests.interplay.replaced`): libraries that are imported from now on get hubcore's modules.

This is what there is without monkey patching: no locks, no threads, no `time.sleep`.
"""

from tests.cpython.child import replace

replace(("socket", "ssl", "select", "selectors", "queue"))
