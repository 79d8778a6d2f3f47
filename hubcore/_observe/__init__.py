"""Seeing inside: instruments, snapshots, recordings, and the answers to the commands ps, dump, top and trace.

It imports `_core`, `_diagnostics`, `hub`, `_debug` and below.
Begin reading at `snapshot` (what every greenlet does now) and `recorder` (what it did).
"""
