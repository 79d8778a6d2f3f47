"""Queues and channels, and `select` over them.

It imports `_sync` and below.
Begin reading at `simple_queue`; the others build on it.
"""
