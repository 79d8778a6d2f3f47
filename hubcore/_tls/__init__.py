"""What `hubcore.ssl` is made of: OpenSSL between two memory buffers.

It imports `_sockets`, `_io`, `_sync`, `socket` and below.
Begin reading at `connection`.
"""
