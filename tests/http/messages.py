"""Random requests, valid and damaged, and what another implementation (h11) reads in the same bytes."""

import h11
from hypothesis import strategies as st

TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "REPORT")
#: Bytes that make a difference somewhere in the grammar.
SHARP = [
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"\0",
    b"\x0b",
    b"\x7f",
    b"\x80",
    b"\xff",
    b'"',
    b"0",
    b"1",
    b"a",
    b"/",
]
FRAMING = ("content-length", "transfer-encoding", "host", "connection", "expect", "upgrade", "proxy")

names = st.text(TOKEN.replace("_", ""), min_size=1, max_size=20).filter(lambda name: name.lower() not in FRAMING)
values = st.text([chr(code) for code in (9, *range(32, 127), *range(128, 256))], max_size=30).map(
    lambda text: text.strip(" \t")
)
targets = st.one_of(
    st.text([chr(code) for code in range(33, 127) if chr(code) != "#"], max_size=30).map(lambda text: "/" + text),
    st.just("http://other:80/a?b"),
)
spaces = st.sampled_from(["", " ", "\t", "  ", " \t "])


@st.composite
def chunked_bodies(draw):
    """A body and its bytes in chunks."""
    parts = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
    out = b""
    for part in parts:
        zeros = draw(st.sampled_from(["", "0", "000"]))
        extension = draw(st.sampled_from(["", ";a", ";a=b", ';a="b;c"', ";a;b=c"]))
        size = draw(st.sampled_from(["%x", "%X"])) % len(part)
        out += f"{zeros}{size}{extension}\r\n".encode() + part + b"\r\n"
    out += b"0\r\n"
    for name, value in draw(st.lists(st.tuples(names, values), max_size=2)):
        out += f"{name}: {value}\r\n".encode("latin-1")
    return b"".join(parts), out + b"\r\n"


@st.composite
def requests(draw):
    """The bytes of a valid request."""
    method, target = draw(st.sampled_from(METHODS)), draw(targets)
    lines = [f"{method} {target} HTTP/1.1", f"Host:{draw(spaces)}test{draw(spaces)}"]
    for name, value in draw(st.lists(st.tuples(names, values), max_size=4)):
        lines.append(f"{name}:{draw(spaces)}{value}{draw(spaces)}")
    body = b""
    framing = draw(st.sampled_from(["none", "length", "chunks"]))
    if framing == "length":
        body = draw(st.binary(max_size=60))
        lines.append(f"{draw(st.sampled_from(['Content-Length', 'content-length']))}: {len(body)}")
    elif framing == "chunks":
        _, body = draw(chunked_bodies())
        lines.append(f"{draw(st.sampled_from(['Transfer-Encoding', 'transfer-encoding']))}: chunked")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@st.composite
def damaged(draw):
    """The bytes of a few valid requests with some changes."""
    data = b"".join(draw(st.lists(requests(), min_size=1, max_size=2)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["insert", "replace", "delete", "repeat"]))
        if kind == "insert":
            data = data[:at] + draw(st.sampled_from(SHARP)) + data[at:]
        elif kind == "replace":
            data = data[:at] + draw(st.sampled_from(SHARP)) + data[at + 1 :]
        elif kind == "delete":
            data = data[:at] + data[at + draw(st.integers(1, 4)) :]
        else:
            data = data[:at] + data[max(0, at - 10) : at] + data[at:]
    return data


def cut(data, places):
    """`data` in pieces."""
    places = sorted({place % (len(data) + 1) for place in places})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def read_by_h11(data):
    """The requests that h11 reads in `data`, as (method, target, body), and whether it read all of it without an error.

    The empty line that may stand before a request (RFC 9112, 2.2) is taken away, because h11 does not know it.
    """
    found = []
    while True:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        connection.receive_data(data.removeprefix(b"\r\n"))
        connection.receive_data(b"")
        try:
            request = connection.next_event()
            if not isinstance(request, h11.Request):
                return found, True
            body = b""
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                body += bytes(event.data)
        except h11.RemoteProtocolError:
            return found, False
        found.append((request.method, request.target, body))
        if connection.their_state is h11.MUST_CLOSE:
            return found, True
        data = connection.trailing_data[0]
