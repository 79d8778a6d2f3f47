"""ddtrace: imported before and after the patch; spans in threads. No agent listens."""

import pytest

from hubcore.testing import run_python

QUIET = {
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_CRASHTRACKING_ENABLED": "false",
    "DD_TRACE_STARTUP_LOGS": "false",
    "DD_TRACE_AGENT_URL": "unix:///nowhere/agent.socket",
    "DD_TRACE_LOG_LEVEL": "CRITICAL",
}
PATCH = "import hubcore.monkey; hubcore.monkey.patch_all()"
TRACE = """
import logging, threading, time
logging.disable(logging.CRITICAL)
from ddtrace.trace import tracer

seen = {}
def work(name):
    with tracer.trace("outer", resource=name) as outer:
        time.sleep(0.002)
        with tracer.trace("inner") as inner:
            time.sleep(0.002)
            seen[name] = (inner.parent_id == outer.span_id, tracer.current_span() is inner, outer.parent_id)
        assert tracer.current_span() is outer
threads = [threading.Thread(target=work, args=(f"T{n}",)) for n in range(10)]
for each in threads: each.start()
for each in threads: each.join()
assert tracer.current_span() is None
print(len(seen), all(value[:2] == (True, True) and not value[2] for value in seen.values()))
tracer.shutdown(timeout=1)
"""


@pytest.mark.parametrize("lines", [(PATCH, "import ddtrace"), ("import ddtrace", PATCH)], ids=["after", "before"])
def test_spans_of_threads_are_their_own(lines, hub_backend):
    code = "\n".join([*lines, TRACE])
    done = run_python(code, hub_backend, env=QUIET, timeout=60, python=("-W", "ignore"))
    assert done.stdout == "10 True\n", done.stderr
