"""hubcore.events, and the settings of the code that publishes them."""

import pytest

from hubcore import events
from hubcore.testing import run_python


@pytest.mark.parametrize(
    ("variable", "value", "wrong"),
    [
        ("HUBCORE_MAX_BLOCKING_TIME", "soon", "'soon'; it takes a number of seconds above 0, such as 0.1"),
        ("HUBCORE_MAX_BLOCKING_TIME", "-1", "'-1'; it takes a number of seconds above 0"),
        ("HUBCORE_DEADLOCK_CHECK_PERIOD", "nan", "'nan'; it takes a number of seconds above 0, such as 60"),
        ("HUBCORE_MONITOR_THREAD", "maybe", "'maybe'; it takes 1 or 0"),
    ],
)
def test_a_setting_that_is_no_value_is_refused_by_name(variable, value, wrong):
    done = run_python("import hubcore", env={variable: value}, status=1)
    assert f"{variable} is {wrong}" in done.stderr


def test_settings_come_from_the_environment():
    done = run_python(
        """
        from hubcore import config
        print(config.monitor_thread, config.max_blocking_time, config.print_blocking_reports, config.max_memory_usage,
              config.memory_monitor_period, config.deadlock_check_period)
        """,
        env={
            "HUBCORE_MONITOR_THREAD": "on",
            "HUBCORE_MAX_BLOCKING_TIME": "2.5",
            "HUBCORE_PRINT_BLOCKING_REPORTS": "0",
            "HUBCORE_MAX_MEMORY_USAGE": "1000",
            "HUBCORE_MEMORY_MONITOR_PERIOD": "7",
            "HUBCORE_DEADLOCK_CHECK_PERIOD": "30",
        },
    )
    assert done.stdout == "True 2.5 False 1000 7.0 30.0\n"


def test_a_subscriber_that_raises_is_reported_and_the_others_are_called(caplog):
    seen = []

    def bad(event):
        raise ValueError("on purpose")

    before = list(events.subscribers)
    events.subscribers[:] = [bad, seen.append]
    try:
        events.notify("it happened")
    finally:
        events.subscribers[:] = before
    assert seen == ["it happened"]
    assert "on purpose" in caplog.text


def test_events_stand_for_gevents_interfaces():
    event = events.EventLoopBlocked(None, 1.5, ["line"])
    assert events.IEventLoopBlocked.providedBy(event)
    assert not events.IMemoryUsageThresholdExceeded.providedBy(event)
    assert (event.greenlet, event.blocking_time, event.info, event.hub) == (None, 1.5, ["line"], None)
