"""Waiting for file descriptors; files that wait.

It imports the engine, `hub`, `lock`, `loop` and `watchers`.
Begin reading at `fd_waits`, the read wait and the write wait of one fd.
"""
