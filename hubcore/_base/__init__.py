"""Plain helpers that know no greenlet and no loop.

It imports nothing of hubcore but public settings and exceptions.
Begin reading at `originals`, the standard library as it was before patching.
"""
