"""The pytest side: a test marked `sim` is the main program of runs, one for each seed, and one item."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hubcore.testing.sim import _again
from hubcore.testing.sim._explore import Failure, check_twice, from_json, search
from hubcore.testing.sim._run import add_notes
from hubcore.testing.sim._settings import checked, order_for
from hubcore.testing.sim._template import Template

_RUNNERS = {"pytest", "py.test", "pytest.exe", "__main__.py", "_jb_pytest_runner.py"}
_DEFAULTS: dict[str, Any] = {
    "seeds": 200, "shrink": 20.0, "timeout": 3600.0, "order": "mixed", "latency": (0.0005, 0.005), "faults": None,
    "fork": True,
}  # fmt: skip
FOLDER = ".hubcore-sim"


class Outside:
    """What the fixture `sim` is while fixtures are made: it becomes the Simulation when the test runs."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"sim.{name} is there only within a run: use it in the test, not in a fixture")


class Skipped(Exception):
    """Carries what pytest.skip was given out of the run: pytest's own exceptions cannot be pickled."""


def may_execute_again(config: pytest.Config) -> bool:
    """Whether this process is a plain pytest, which can be executed once more with the same command line."""
    if _again.is_fixed() or sys.gettrace() is not None or hasattr(config, "workerinput"):
        return False
    command = sys.orig_argv
    return any(Path(word).name in _RUNNERS for word in command[1:3]) or command[1:3] == ["-m", "pytest"]


def execute_again(config: pytest.Config) -> None:
    """Do that; what was captured so far is nothing."""
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.stop_global_capturing()
    print("hubcore: starting again with PYTHONHASHSEED=0 and fixed addresses, so that simulations replay", flush=True)
    _again.execute()


def call(item: pytest.Function, before_each: Callable[[], object]) -> None:
    """Run the test: its seeds, or the one that the command line names. `before_each` is called before each run."""
    __tracebackhide__ = True
    given = _arguments(item)
    function = item.obj
    fixtures = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}
    takes_sim = "sim" in fixtures

    def main(sim: Any) -> None:
        try:
            function(**(fixtures | {"sim": sim} if takes_sim else fixtures))
        except pytest.skip.Exception as skipped:
            raise Skipped(str(skipped)) from None
        except pytest.fail.Exception as failed:
            raise AssertionError(str(failed)).with_traceback(failed.__traceback__) from None

    option = item.config.getoption
    replay, seed = option("--sim-replay"), option("--sim-seed")
    if replay is not None:
        before_each()
        _replay(item, main, replay)
    elif seed is not None:
        before_each()
        _one(item, main, given, seed)
    else:
        _explore(item, main, given, before_each)


def _arguments(item: pytest.Function) -> dict[str, Any]:
    mark = item.get_closest_marker("sim")
    assert mark is not None
    unknown = sorted(set(mark.kwargs) - set(_DEFAULTS))
    if mark.args or unknown:
        wrong = ", ".join(map(repr, unknown or mark.args))
        raise TypeError(f"@pytest.mark.sim does not take {wrong}; it takes {', '.join(_DEFAULTS)}, each by its name")
    given: dict[str, Any] = {**_DEFAULTS, **mark.kwargs}
    seeds, shrink = item.config.getoption("--sim-seeds"), item.config.getoption("--sim-shrink")
    if seeds is not None:
        given["seeds"] = seeds
    if shrink is not None:
        given["shrink"] = shrink
    return given


def _explore(item: pytest.Function, main: Any, given: dict[str, Any], before_each: Callable[[], object]) -> None:
    __tracebackhide__ = True
    try:
        failure = search(main, (), passing=(Skipped,), before_each=before_each, **given)
    except Skipped as skipped:
        pytest.skip(str(skipped))
    if failure is None:
        return
    error = failure.error
    path = _save(item, failure)
    again = f"again:  pytest {item.nodeid} --sim-seed {failure.first.seed}          reduced:  --sim-replay {path}"
    lines = failure.lines(again)
    drawn = _again.what_is_drawn()
    if drawn:
        lines.append(f"this process has drawn {' and '.join(drawn)}: in another, what depends on that differs")
    error.add_note("\n".join(lines))
    _raise_with(error, failure.outcome.trace)


def _raise_with(error: BaseException, trace: str) -> None:
    """Raise `error`, to be shown by `trace`, its traceback in the run, and its notes."""
    __tracebackhide__ = True
    if error.__traceback__ is None:
        what = f"{type(error).__name__}: {error}".partition("\n")[0]
        notes = "\n".join(getattr(error, "__notes__", ())[-1:])
        error.simulated_text = f"{what}\n\n{trace.rstrip()}\n\n{notes}"  # type: ignore[attr-defined]
    raise error


def _one(item: pytest.Function, main: Any, given: dict[str, Any], seed: int) -> None:
    __tracebackhide__ = True
    settings = checked({**given, "seed": seed})
    settings.order = order_for(seed, given["order"])
    with Template(main, ()) as template:
        outcome = template.run(settings)
        if outcome.error is None:
            check_twice(template.run, settings, outcome)
    _raise(outcome)


def _replay(item: pytest.Function, main: Any, path: str) -> None:
    __tracebackhide__ = True
    try:
        text = Path(path).read_text()
    except OSError as error:
        raise pytest.UsageError(f"--sim-replay {path}: {error.strerror}") from None
    settings, told = from_json(text)
    for warning in told:
        warnings.warn(warning, stacklevel=2)
    with Template(main, ()) as template:
        _raise(template.run(settings))


def _raise(outcome: Any) -> None:
    __tracebackhide__ = True
    if outcome.output:
        sys.stdout.write(outcome.output)
    error = outcome.error
    if isinstance(error, Skipped):
        pytest.skip(str(error))
    if error is not None:
        add_notes(error, outcome)
        _raise_with(error, outcome.trace)


def _save(item: pytest.Function, failure: Failure) -> str:
    """Write the file that --sim-replay takes; its path, as it is told."""
    folder = item.config.rootpath / FOLDER
    name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in item.name)
    path = folder / f"{name}-{failure.first.seed}.json"
    try:
        folder.mkdir(exist_ok=True)
        path.write_text(failure.as_json())
    except OSError as error:
        return f"(could not be written: {error})"
    return os.path.relpath(path)
