"""Packages that need a server of their own to do more are imported: gnsq, flask-sockets."""

from common import run


def main():
    import flask_sockets
    import gnsq
    from gnsq import Consumer

    assert Consumer is gnsq.Consumer
    assert flask_sockets.Sockets


run(main)
