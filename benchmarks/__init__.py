"""Benchmarks of hubcore beside gevent, asyncio, uvloop and what the machine allows at all: `python -m benchmarks`.

Every sample is taken in a fresh process (`benchmarks.worker`), contenders alternate within a round, medians
are reported.
"""
