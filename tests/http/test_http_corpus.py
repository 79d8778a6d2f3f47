"""Malformed requests of every kind get their status, and nothing behind them is parsed; valid ones are served."""

import pytest

from tests.http import seam

pytestmark = pytest.mark.usefixtures("hub")

MALFORMED = seam.cases("malformed")
VALID = seam.cases("valid")
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"
BEFORE = b"GET /before HTTP/1.1\r\nHost: test\r\n\r\n"
BEFORE_WITH_BODY = b"POST /before HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc"
BEFORE_IN_CHUNKS = b"POST /before HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"


def names(cases):
    return [case["name"] for case in cases]


def check_refused(case, *pieces, before=0):
    """`pieces` are `before` good requests and a malformed one: good answers, its status, and nothing after it."""
    app = seam.Seen()
    responses, errors = seam.talk(app, *pieces)
    assert [response.status for response in responses] == [200] * before + [case["status"]]
    assert responses[-1]["Connection"] == "close"
    assert [environ["PATH_INFO"] for environ, _ in app.requests] == ["/before"] * before
    assert "Traceback" not in errors
    assert len(errors.splitlines()) == len(app.failures)


def test_the_corpus_is_there():
    assert len(MALFORMED) >= 280
    assert len(set(names(MALFORMED))) == len(MALFORMED)
    assert {case["status"] for case in MALFORMED} == {400, 417, 501, 505}


@pytest.mark.parametrize("case", MALFORMED, ids=names(MALFORMED))
def test_a_malformed_request_is_refused_with_what_follows(case):
    check_refused(case, case["request"] + SMUGGLED)


@pytest.mark.parametrize("case", MALFORMED, ids=names(MALFORMED))
def test_a_malformed_request_is_refused_behind_others(case):
    check_refused(case, BEFORE + case["request"] + SMUGGLED, before=1)
    check_refused(case, BEFORE + BEFORE_WITH_BODY + BEFORE_IN_CHUNKS + case["request"] + SMUGGLED, before=3)
    check_refused(case, BEFORE_IN_CHUNKS, case["request"], SMUGGLED, before=1)


@pytest.mark.parametrize("case", MALFORMED, ids=names(MALFORMED))
def test_a_malformed_request_is_refused_wherever_it_is_cut(case):
    data = case["request"] + SMUGGLED
    step = 1 if len(data) < 1000 else 97
    for at in range(1, len(data), step):
        check_refused(case, data[:at], data[at:])
    if step == 1:
        check_refused(case, *[data[at : at + 1] for at in range(len(data))])


def check_served(case, *pieces, times=1):
    app = seam.Seen()
    responses, errors = seam.talk(app, *pieces)
    assert errors == ""
    assert [response.status for response in responses] == [200] * times
    assert len(app.requests) == times
    for (environ, body), response in zip(app.requests, responses, strict=True):
        assert body == response.body == case["body"]
        assert {key: environ[key] for key in case.get("environ", {})} == case.get("environ", {})
        assert not set(case.get("absent", ())) & set(environ)


def valid_request(case):
    data = case["request"]
    return data[: -case["skip_last"]] if "skip_last" in case else data


@pytest.mark.parametrize("case", VALID, ids=names(VALID))
def test_a_valid_request_is_served(case):
    check_served(case, valid_request(case))


@pytest.mark.parametrize("case", VALID, ids=names(VALID))
def test_a_valid_request_is_served_wherever_it_is_cut(case):
    data = valid_request(case)
    for at in range(1, len(data)):
        check_served(case, data[:at], data[at:])
    check_served(case, *[data[at : at + 1] for at in range(len(data))])


@pytest.mark.parametrize("case", VALID, ids=names(VALID))
def test_valid_requests_are_served_one_after_the_other(case):
    data = valid_request(case)
    times = 1 if case.get("last") else 3
    check_served(case, data * 3, times=times)
    check_served(case, data, data, data, times=times)
