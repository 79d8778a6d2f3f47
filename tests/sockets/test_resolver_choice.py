"""The choice of a hub's resolver."""

import socket as stdlib

import pytest

import hubcore
from hubcore import config, socket
from hubcore.hub import Hub
from hubcore.resolver import AbstractResolver, blocking, resolver_class, thread
from hubcore.testing import run_python
from tests.sockets.test_resolver import ADDRESSES, GETADDRINFO, HOSTS
from tests.sockets.test_socket_errors import outcome


class Fixed(AbstractResolver):
    """Everything is at one address."""

    closed = 0

    def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):
        return [(stdlib.AF_INET, stdlib.SOCK_STREAM, 6, "", ("192.0.2.7", port))]

    def gethostbyname(self, hostname):
        return "192.0.2.7"

    def close(self):
        self.closed += 1


def test_the_default_is_made_at_the_first_use(hub):
    assert "resolver" not in hub.__dict__
    assert hub.resolver_class is thread.Resolver
    assert type(hub.resolver) is thread.Resolver
    assert hub.resolver is hub.resolver
    assert hub.resolver.hub is hub
    assert isinstance(hub.resolver, AbstractResolver)
    assert "thread.Resolver" in repr(hub.resolver)


def test_the_socket_module_asks_it(hub):
    hub.resolver = Fixed(hub)
    assert socket.gethostbyname("localhost") == "192.0.2.7"
    assert socket.getaddrinfo("localhost", 80) == [
        (stdlib.AF_INET, stdlib.SOCK_STREAM, stdlib.IPPROTO_TCP, "", ("192.0.2.7", 80))
    ]
    with pytest.raises(NotImplementedError, match=r"Fixed.*getnameinfo"):
        socket.getnameinfo(("127.0.0.1", 80), 0)
    del hub.resolver
    assert socket.gethostbyname("localhost") == "127.0.0.1"


def test_the_class_may_be_set_and_deleted(hub):
    hub.resolver_class = Fixed
    assert type(hub.resolver) is Fixed
    del hub.resolver, hub.resolver_class
    assert type(hub.resolver) is thread.Resolver


def test_it_is_closed_with_the_hub(hub_backend):
    hub = Hub()
    try:
        resolver = hub.resolver = Fixed(hub)
    finally:
        hub.destroy()
    assert resolver.closed == 1
    assert "resolver" not in hub.__dict__


def test_what_the_configuration_may_be(hub, monkeypatch):
    made = Fixed()
    for chosen, expected in (
        ("thread", thread.Resolver),
        ("block", blocking.Resolver),
        ("block, thread", blocking.Resolver),
        (["thread", "block"], thread.Resolver),
        (("nonsense.of:mine", "block"), blocking.Resolver),
        ("tests.sockets.test_resolver_choice:Fixed", None),
        (Fixed, Fixed),
        ([Fixed], Fixed),
        (made, Fixed),
    ):
        monkeypatch.setattr(config, "resolver", chosen)
        assert hub.resolver_class.__name__ == (expected or Fixed).__name__
        assert type(hub.resolver).__name__ == (expected or Fixed).__name__
        assert (hub.resolver is made) == (chosen is made)
        del hub.resolver, hub.resolver_class
    for wrong in ("thred", ["thred"]):
        with pytest.raises(ValueError, match=r"'thred'.*thread, cares"):
            resolver_class(wrong)
    with pytest.raises(ValueError, match="which names no resolver"):
        resolver_class([])
    with pytest.raises(ImportError, match="nonsense"):
        resolver_class("nonsense.of:mine")
    with pytest.raises(ImportError, match="the chosen resolver is 'json:Nothing', but module 'json' has no 'Nothing'"):
        resolver_class("json:Nothing")
    with pytest.raises(TypeError, match=r"the chosen resolver must be a name .* not 5"):
        resolver_class(5)


def test_the_environment_chooses(hub_backend):
    done = run_python(
        "import hubcore; r = hubcore.get_hub().resolver; print(type(r).__module__, r.gethostbyname('localhost'))",
        hub_backend,
        env={"HUB_RESOLVER": "block"},
    )
    assert done.stdout == "hubcore.resolver.blocking 127.0.0.1\n"


@pytest.mark.parametrize("name", ["thred", "nowhere.at:All", "thread,thred", ":", ".here:All"])
def test_a_wrong_environment_is_told_when_a_hub_is_made(hub_backend, name):
    run_python(
        """
        import os, sys, hubcore
        from hubcore import config, resolver, socket
        from hubcore._base import originals as _originals
        def told(function, *args):
            try:
                function(*args)
            except (ValueError, ImportError) as error:
                return str(error)
        first = told(hubcore.get_hub)
        assert first.startswith(f"HUB_RESOLVER is {os.environ['HUB_RESOLVER']!r}, but "), first
        assert told(hubcore.sleep) == told(socket.gethostbyname, "localhost") == first
        assert "pycares" not in sys.modules
        config.resolver = os.environ["HUB_RESOLVER"]  # who chooses wrong in the program hears the same
        assert told(resolver.resolver_class) == first.replace("HUB_RESOLVER", "hubcore.config.resolver")
        config.resolver = "block"
        assert socket.gethostbyname("127.0.0.1") == "127.0.0.1"
        """,
        hub_backend,
        env={"HUB_RESOLVER": name},
    )


def test_a_package_that_is_not_installed(hub_backend):
    run_python(
        """
        import sys
        sys.modules["pycares"] = sys.modules["dns"] = None
        from hubcore.resolver import resolver_class, thread
        for name, package in (("cares", "pycares"), ("ares", "pycares"), ("dnspython", "dnspython")):
            try:
                resolver_class(name)
            except ImportError as error:
                assert f"pip install {package}" in str(error), error
            else:
                raise AssertionError(name)
        assert resolver_class("cares, dnspython, thread") is thread.Resolver
        """,
        hub_backend,
    )


def test_each_hub_has_its_own(hub):
    hub.resolver = Fixed()
    found = []
    other = __import__("threading").Thread(target=lambda: found.append(hubcore.get_hub().resolver))
    other.start()
    other.join()
    assert type(found[0]) is thread.Resolver


@pytest.mark.parametrize("arguments", GETADDRINFO, ids=repr)
def test_the_blocking_ones_getaddrinfo(hub, arguments):
    hub.resolver_class = blocking.Resolver
    assert outcome(socket.getaddrinfo, *arguments) == outcome(stdlib.getaddrinfo, *arguments)


def test_the_blocking_ones_others(hub):
    hub.resolver_class = blocking.Resolver
    for name in ("gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
        for host in HOSTS:
            assert outcome(getattr(socket, name), host) == outcome(getattr(stdlib, name), host)
    for arguments in ADDRESSES:
        assert outcome(socket.getnameinfo, *arguments) == outcome(stdlib.getnameinfo, *arguments)
