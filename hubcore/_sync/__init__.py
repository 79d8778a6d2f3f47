"""Waiting for each other: links, events' base, locks, conditions, `wait` and `joinall`.

It imports the engine, `hub`, `scopes` and `timeout`.
Begin reading at `waitable`, the base of events, locks and queues.
"""
