"""What `hubcore.util` is made of: run info, the greenlet tree, assert_switches.

It imports `_diagnostics`, `greenlet`, `hub` and below.
Begin reading at `run_info`.
"""
