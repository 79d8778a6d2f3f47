"""Watchers that are made of the two basic ones, Io and Timer: signals, children, and the rare kinds.

It imports `_base`, `_core` and the public module `watchers`.
Begin reading at `signals`.
"""
