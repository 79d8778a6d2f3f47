"""What was made before the patch: locks, executors, references to originals.

It imports what `_patching` may.
Begin reading at `stale_references`.
"""
