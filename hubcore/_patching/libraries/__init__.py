"""Third-party libraries, and multiprocessing, which need more than the standard library's patch.

It imports what `_patching` may.
Begin reading at `multiprocessing`.
"""
