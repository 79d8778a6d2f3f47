"""The pytest plugin: gives each test a fresh hub on each chosen backend, and fails tests that leak.

    pytest --hub-backend=all                   on libev, libuv and virtual
    pytest --hub-backend=libuv,my.module:Loop  on these; without the option, on the default backend

A test takes the fixture `hub` or `hub_backend`. With `hub` it fails if it leaves greenlets, watchers, file descriptors
or threads behind. With either it fails after 50 seconds; `--hub-hang-after=SECONDS` and
`@pytest.mark.hang_after(seconds)` change that limit, and 0 removes it.

A greenlet or callback that fails unseen during a test is a `GreenletFailed` warning of that test, like pytest's own for
threads; a test that takes `caplog` looks at the log itself and gets none.

pytest loads this module in every run, so it imports hubcore only once a test uses it.

A test with the mark `sim` and the fixture `sim` is simulated, once for each of its seeds: see hubcore.testing.sim. The
limit is then that of each run.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Generator, Iterator
from math import inf

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub
    from hubcore.testing.watchdog import Watchdog

ALL = ("libev", "libuv", "virtual")
HANG_AFTER = 50.0
_FIXTURES = {"hub", "loop", "hub_backend"}  # `loop` is the conformance suite's

_chosen = pytest.StashKey[list[str]]()
_stderr = pytest.StashKey[int]()
_watchdog = pytest.StashKey["Watchdog"]()
_passed = pytest.StashKey[bool]()

_warm: set[str] = set()  # backends that have opened their process-wide fds, such as libuv's pipe for signals


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options --hub-backend and --hub-hang-after, and those of simulations."""
    group = parser.getgroup("hubcore")
    group.addoption(
        "--hub-backend",
        metavar="NAMES",
        help="backends to test on: 'all', or names and package.module:Class, separated by commas",
    )
    group.addoption(
        "--hub-hang-after",
        metavar="SECONDS",
        type=float,
        default=HANG_AFTER,
        help=f"fail a test after this time, by default {HANG_AFTER:g} s; 0: no limit",
    )
    group.addoption("--sim-seeds", type=int, metavar="N", help="simulate N seeds instead of what the test's mark says")
    group.addoption("--sim-seed", type=int, metavar="S", help="simulate the seed S only, and do not reduce its failure")
    group.addoption("--sim-shrink", type=float, metavar="SECONDS", help="reduce a failure for so long; 0: not at all")
    group.addoption("--sim-replay", metavar="FILE", help="simulate the reduced failure that was written to FILE")


def hang_after(config: pytest.Config) -> float:
    """Return the limit of a test without a mark of its own, in seconds; infinity for no limit."""
    seconds: float = config.getoption("--hub-hang-after")
    return seconds if seconds > 0.0 else inf


def pytest_plugin_registered(plugin: object, plugin_name: str, manager: pytest.PytestPluginManager) -> None:
    """Block the entry point if -p has loaded this plugin already: pytest would register it twice."""
    if plugin_name == __name__:
        manager.set_blocked("hubcore")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse backends that are not available before any test runs."""
    config.addinivalue_line("markers", "hang_after(seconds): fail the test after this time; 0: no limit")
    config.addinivalue_line(
        "markers", "sim(seeds=200, shrink=20.0, **as hubcore.testing.sim.run): simulate the test, once for each seed"
    )
    config.stash[_stderr] = os.dup(2)  # now, because pytest captures stderr later
    if config.getoption("--hub-backend"):
        _backends(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Release the watchdog."""
    _disarm(config)
    if _stderr in config.stash:
        os.close(config.stash[_stderr])


def _watch(config: pytest.Config) -> Watchdog:
    """Return the watchdog, and make it at the first call."""
    if _watchdog not in config.stash:
        from hubcore.testing.watchdog import Watchdog

        config.stash[_watchdog] = Watchdog(config.stash[_stderr])
    return config.stash[_watchdog]


def _disarm(config: pytest.Config) -> None:
    if _watchdog in config.stash:
        config.stash[_watchdog].disarm()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that takes a hub or a loop once on each chosen backend."""
    if "hub_backend" in metafunc.fixturenames:
        metafunc.parametrize("hub_backend", _backends(metafunc.config), indirect=True)


def _backends(config: pytest.Config) -> list[str]:
    """Return the chosen backends in the form of HUB_BACKEND; UsageError if one is not available."""
    if _chosen not in config.stash:
        from hubcore.backends import BUILT_IN, loop_class
        from hubcore.exceptions import BackendUnavailable

        option = config.getoption("--hub-backend")
        try:
            if option:
                names = list(ALL) if option == "all" else [name.strip() for name in option.split(",") if name.strip()]
                for name in names:
                    loop_class(name)
            else:
                default = loop_class()
                target = f"{default.__module__}:{default.__qualname__}"
                names = [next((name for name, built_in in BUILT_IN.items() if built_in == target), target)]
        except BackendUnavailable as error:
            raise pytest.UsageError(f"--hub-backend: {error}") from error
        config.stash[_chosen] = names
    return config.stash[_chosen]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start pytest again in a process whose simulations replay in others, if there are any and that can be done."""
    config = session.config
    if config.option.collectonly or not any(item.get_closest_marker("sim") for item in session.items):
        return
    from hubcore.testing.sim import _pytest as simulated

    if simulated.may_execute_again(config):
        simulated.execute_again(config)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Simulate a test that is marked so."""
    __tracebackhide__ = True
    if pyfuncitem.get_closest_marker("sim") is None:
        return None
    from hubcore.testing.sim import _pytest as simulated

    mark = pyfuncitem.get_closest_marker("hang_after")
    seconds = hang_after(pyfuncitem.config) if mark is None else float(mark.args[0])
    watchdog = _watch(pyfuncitem.config)
    simulated.call(pyfuncitem, (lambda: watchdog.arm(seconds)) if 0.0 < seconds < inf else watchdog.disarm)
    return True


@pytest.fixture
def sim(request: pytest.FixtureRequest) -> object:
    """The simulation that the test runs in; while fixtures are made there is none yet."""
    if request.node.get_closest_marker("sim") is None:
        raise RuntimeError("the fixture `sim` is for tests marked with @pytest.mark.sim(seeds=200)")
    from hubcore.testing.sim._pytest import Outside

    return Outside()


# Innermost, because pytest sets faulthandler's only timer in its own wrapper of the protocol.
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Arm the watchdog for the test."""
    mark = item.get_closest_marker("hang_after")
    if mark is not None:
        seconds = float(mark.args[0])
    else:
        seconds = hang_after(item.config) if _FIXTURES & set(getattr(item, "fixturenames", ())) else 0.0
    if 0.0 < seconds < inf:
        _watch(item.config).arm(seconds)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Disarm the watchdog once the test and its fixtures have ended."""
    try:
        return (yield)
    finally:
        _disarm(item.config)


def pytest_enter_pdb(config: pytest.Config) -> None:
    """Disarm the watchdog: a developer is debugging the test."""
    _disarm(config)


class GreenletFailed(pytest.PytestWarning):
    """A greenlet, or a callback of a hub, failed during a test, and no code has seen its exception."""


class _Failures(logging.Handler):
    """Collects what hubcore logs of failures that no code has seen."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.texts.append(logging.Formatter("%(message)s").format(record))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Warn of greenlets that failed unseen."""
    if "caplog" in getattr(item, "fixturenames", ()) or not {"hub", "hub_backend"} & set(
        getattr(item, "fixturenames", ())
    ):
        return (yield)
    failures = _Failures()
    logger = logging.getLogger("hubcore")
    logger.addHandler(failures)
    try:
        result = yield
    finally:
        logger.removeHandler(failures)
    for text in failures.texts:
        warnings.warn(GreenletFailed(text), stacklevel=1)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record for the fixtures whether the test passed: leaks of a failed test are not reported.

    A failure within a simulation is shown by the traceback there: the one here leads through the plugin only.
    """
    report = yield
    if call.excinfo is not None and report.failed:
        text = getattr(call.excinfo.value, "simulated_text", None)
        if text is not None:
            report.longrepr = text
    if report.when == "call":
        item.stash[_passed] = report.passed
    return report


@pytest.fixture
def hub_backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The backend to test on, in the form of HUB_BACKEND. Hubs that the test makes, in any thread, use it."""
    from hubcore import config
    from hubcore.backends import loop_class

    name: str = request.param
    for each in {name, *_backends(request.config)} - _warm:  # a test may make hubs on the other backends, too
        loop_class(each)().close()
        _warm.add(each)
    before = config.backend
    config.backend = name
    yield name
    config.backend = before


@pytest.fixture
def hub(hub_backend: str, request: pytest.FixtureRequest) -> Iterator[Hub]:
    """A fresh hub in the test's thread. The test fails if it leaves anything behind in the hub or in the process."""
    from hubcore.hub import Hub, get_hub_if_any
    from hubcore.testing import leaks

    stale = get_hub_if_any()
    if stale is not None:
        stale.destroy()
    before = leaks.process()
    hub = Hub()
    born = leaks.Born.of(hub.loop)
    yield hub
    passed = has_passed(request)
    lines = []
    try:
        if passed and not hub.destroyed:
            lines += leaks.left_in_hub(hub, born)
    finally:
        hub.destroy()
        another = get_hub_if_any()
        if another is not None:
            another.destroy()
    fail_on(lines + (leaks.left_by_process(before) if passed else []))


def has_passed(request: pytest.FixtureRequest) -> bool:
    """Return whether the test itself has passed, for fixtures that check what it left."""
    return bool(request.node.stash.get(_passed, False))


def fail_on(lines: list[str]) -> None:
    """Fail the test if it left anything behind, as `lines` say."""
    if lines:
        pytest.fail("the test left behind:\n" + "\n".join(lines), pytrace=False)
