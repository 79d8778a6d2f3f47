"""Native threads, and the greenlets that stand for threads under patching.

It imports `_sync`, `_tasks`, `event`, `hub` and below.
Begin reading at `job`, one call in a worker thread.
"""
