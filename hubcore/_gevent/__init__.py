"""hubcore under gevent's name: the package `gevent`, its finder, and the modules that only gevent has.

It may import everything but the command and what stands above it. Begin with `finder.py`; `hubcore.dropin` is the
public face, and docs/gevent.md the page for users.
"""
