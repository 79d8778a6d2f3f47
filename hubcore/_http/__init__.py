"""The engine of `hubcore.pywsgi`: one HTTP/1.1 connection after the other, request after request.

The classes stand on each other: `wire` (bytes in and out, with time limits), `request` (a head, checked, made an
environ), `response` (a head and a body, framed), `connection` (the loop, refusals, the end). `parser` is the only file
that imports the parser. Begin with `connection.py`.
"""
