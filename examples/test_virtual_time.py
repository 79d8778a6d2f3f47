"""Tests in virtual time: `pytest --hub-backend=virtual test_virtual_time.py`. The program sleeps, the tests do not."""

import pytest

import hubcore
from hubcore import fail_after


def with_retries(call, tries=5, pause=1.0):
    """Call until it succeeds; wait between two tries, each time twice as long."""
    for number in range(tries):
        try:
            return call()
        except ConnectionError:
            if number == tries - 1:
                raise
            hubcore.sleep(pause * 2**number)
    return None


class Service:
    """A service that is down for some seconds."""

    def __init__(self, hub, down):
        self.hub = hub
        self.up_at = hub.loop.now() + down
        self.asked_at = []

    def __call__(self):
        self.asked_at.append(self.hub.loop.now())
        if self.hub.loop.now() < self.up_at:
            raise ConnectionError("the service is down")
        return "answer"


def test_it_outlives_a_service_that_is_down_for_seven_seconds(hub):
    service = Service(hub, down=7)
    assert with_retries(service) == "answer"
    begin = service.asked_at[0]
    assert [time - begin for time in service.asked_at] == [0, 1, 3, 7]


def test_it_gives_up_after_the_last_try(hub):
    service = Service(hub, down=3600)
    with pytest.raises(ConnectionError):
        with_retries(service)
    assert len(service.asked_at) == 5


def test_a_deadline_cuts_the_pauses_short(hub):
    service = Service(hub, down=3600)
    with pytest.raises(TimeoutError), fail_after(10):
        with_retries(service, tries=100)
    assert hub.loop.now() - service.asked_at[0] == 10
