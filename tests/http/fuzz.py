"""Looks for requests that the server reads otherwise than h11: `make fuzz-http SECONDS=600`."""

import sys
import time

from hypothesis import HealthCheck, given, settings

from tests.http import messages, test_http_random


def main(seconds):
    """Check random requests until the time is over; the first difference ends it with the smallest example."""
    tried = 0
    end = time.monotonic() + seconds

    @given(messages.damaged(), test_http_random.places)
    @settings(max_examples=2000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def check(data, at):
        nonlocal tried
        tried += 1
        test_http_random.check_damaged(data, at)

    while time.monotonic() < end:
        check()
        print(f"{tried} requests, no difference", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
