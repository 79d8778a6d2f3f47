"""What compiled code has from C: declarations, and their Python stand-ins for uncompiled runs.

It imports `_base` only.
Begin reading at `greenlet.pxd`, greenlet's C API.
"""
