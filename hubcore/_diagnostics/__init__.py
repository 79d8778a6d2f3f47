"""What a hub reports about itself when something is wrong: LoopExit, deadlocks, greenlets that block it.

It imports `_base`, `_core`, `_watchers`, `config` and `events`. The hub loads it when it has something to report.
Begin reading at `describe` (a wait as text) and `wait_graph` (which greenlet waits for which).
"""
