"""What `hubcore.server` and `hubcore.backdoor` are made of.

It imports `socket`, `_tls` and below.
Begin reading at `listening`.
"""
