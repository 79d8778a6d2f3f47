"""The engine: one thread's waits, its ready queue, its deadlines and its scheduler.

It imports `_base`, `_capi` and the exceptions; it knows no watcher, no backend and no Hub.
Begin reading at `waiter` (one wait), then `scheduler` (which greenlet runs next).
"""
