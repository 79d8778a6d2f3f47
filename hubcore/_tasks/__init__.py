"""Greenlets in groups, and results that cross threads.

It imports `_sync`, `_queues`, `greenlet`, `event` and below.
Begin reading at `task_group`.
"""
