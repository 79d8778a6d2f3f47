"""What `hubcore.monkey` is made of: the standard library becomes cooperative in place.

It may import every folder but the commands and the tests.
Begin reading at `patch_all` (the order), then `modules` (one function for each module).
"""
