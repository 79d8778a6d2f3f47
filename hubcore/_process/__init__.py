"""Child processes, fork, and signal handlers.

It imports `_io`, `_sync`, `_watchers`, `fileobject`, `greenlet`, `hub` and below.
Begin reading at `popen`, or `fork` for what a fork does to hubs.
"""
