"""Random requests: the server reads in valid ones what h11 reads, and in damaged ones nothing that h11 does not."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http import messages, seam

usual = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck), max_examples=200
)
places = st.lists(st.integers(0, 500), max_size=6)


class Reader:
    """Notes the requests that were read to their end."""

    def __init__(self):
        self.requests = []

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read()
        self.requests.append((environ["REQUEST_METHOD"].encode(), environ["RAW_URI"].encode(), body))
        start_response("200 OK", [])
        return []


def read(pieces):
    """The requests that the server reads in these pieces, and the statuses of its responses."""
    app = Reader()
    responses, errors = seam.talk(app, *pieces)
    assert "Traceback" not in errors, errors
    return app.requests, [response.status for response in responses]


@given(st.lists(messages.requests(), min_size=1, max_size=3), places)
@usual
def test_valid_requests_are_read_as_h11_reads_them(requests, at):
    check_valid(requests, at)


@given(messages.damaged(), places)
@settings(usual, max_examples=400)
def test_what_is_damaged_is_refused_or_read_as_h11_reads_it(data, at):
    check_damaged(data, at)


def check_valid(requests, at):
    """Valid requests, in pieces, are read as h11 reads them, and all are answered."""
    data = b"".join(requests)
    found, whole = messages.read_by_h11(data)
    assert whole
    assert len(found) == len(requests)
    ours, statuses = read(messages.cut(data, at))
    assert ours == found
    assert statuses == [200] * len(found)


def check_damaged(data, at):
    """However it is cut, the same is read of it, and that is what h11 reads; the first thing refused is the last."""
    whole, statuses = read([data])
    for pieces in (messages.cut(data, at), [data[i : i + 1] for i in range(len(data))]):
        assert read(pieces) == (whole, statuses), "it matters how it is cut"
    assert all(status == 200 for status in statuses[:-1])
    assert statuses.count(200) == len(whole)
    found, _ = messages.read_by_h11(data)
    assert whole == found[: len(whole)]
