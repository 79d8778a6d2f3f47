"""What `hubcore.socket` is made of.

It imports `_io`, `hub` and below.
Begin reading at `stream_calls` (recv, send).
"""
