"""A small LDAP server (RFC 4511), enough for ldap3: it binds everybody, and answers searches.

slapd would do, but takes a minute to install and configure. The messages are encoded with ldap3's own definitions.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hubcore.event import Event
from hubcore.server import StreamServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # ldap3 imports old names of pyasn1
    import ldap3 as ldap3
    from ldap3.protocol import rfc4511 as asn1
    from pyasn1.codec.ber import decoder, encoder


class Ldapd:
    """Answers a bind, an unbind and a search: for `cn=N` with N entries; one below `ou=late` once `go_on` is set."""

    def __init__(self) -> None:
        self.port = 0
        self.go_on = Event()
        self.connections = self.waiting = 0

    def handle(self, sock: Any, _: Any) -> None:
        self.connections += 1
        try:
            for request in messages(sock):
                number, operation = int(request["messageID"]), request["protocolOp"]
                kind = operation.getName()
                if kind == "unbindRequest":
                    return
                if kind == "bindRequest":
                    answer(sock, number, "bindResponse", result(asn1.BindResponse()))
                elif kind == "searchRequest":
                    self.search(sock, number, operation["searchRequest"])
        finally:
            self.connections -= 1

    def search(self, sock: Any, number: int, request: Any) -> None:
        base = str(request["baseObject"])
        if base.startswith("ou=late"):
            self.waiting += 1
            self.go_on.wait(30)
            self.waiting -= 1
        count = int(base.partition(",")[0].removeprefix("cn=")) if base.startswith("cn=") else 1
        for each in range(count):
            entry = asn1.SearchResultEntry()
            entry["object"] = f"uid={each},{base}"
            attribute = asn1.PartialAttribute()
            attribute["type"] = "uid"
            attribute["vals"] = asn1.Vals().setComponents(str(each).encode())
            entry["attributes"] = asn1.PartialAttributeList().setComponents(attribute)
            answer(sock, number, "searchResEntry", entry)
        answer(sock, number, "searchResDone", result(asn1.SearchResultDone()))


def messages(sock: Any) -> Iterator[Any]:
    """Each request that comes, decoded."""
    data = b""
    while part := sock.recv(65536):
        data += part
        while len(data) > 1 and len(data) >= (size := length(data)):
            yield decoder.decode(data[:size], asn1Spec=asn1.LDAPMessage())[0]
            data = data[size:]


def length(data: bytes) -> int:
    """The size of the BER element that begins `data`."""
    if data[1] < 0x80:
        return 2 + data[1]
    octets = data[1] & 0x7F
    return 2 + octets + int.from_bytes(data[2 : 2 + octets], "big")


def result(response: Any) -> Any:
    response["resultCode"] = asn1.ResultCode("success")
    response["matchedDN"] = ""
    response["diagnosticMessage"] = ""
    return response


def answer(sock: Any, number: int, name: str, response: Any) -> None:
    message = asn1.LDAPMessage()
    message["messageID"] = asn1.MessageID(number)
    message["protocolOp"] = asn1.ProtocolOp().setComponentByName(name, response)
    sock.sendall(encoder.encode(message))


@contextmanager
def ldapd(certificate: str | None = None) -> Iterator[Ldapd]:
    """A running server; with a `certificate` it speaks TLS from the beginning."""
    server = Ldapd()
    options: dict[str, Any] = {}
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        options["ssl_context"] = context
    listener = StreamServer(("127.0.0.1", 0), server.handle, **options)
    listener.start()
    server.port = listener.server_port
    try:
        yield server
    finally:
        listener.stop(timeout=5)
