"""Deterministic simulation: whole systems of blocking programs, from one seed, that replay exactly.

    from hubcore.testing import sim

    def test(sim):                              # runs on the host "test"
        db = sim.host("db", serve, 6379)        # another host, whose program is serve(6379)
        sim.partition("test", "db")
        time.sleep(30)                          # virtual seconds
        sim.heal()
        db.kill()
        db.start()

    sim.run(test, seed=17)                      # one world
    sim.explore(test, seeds=200)                # many, and the first failure reduced

See docs/simulation.md. What is here is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim import strategies
    from hubcore.testing.sim._errors import (
        Nondeterminism,
        NotLinearizable,
        SimulationDeadlock,
        SimulationFailure,
        SimulationTimeout,
        Unsimulated,
    )
    from hubcore.testing.sim._explore import explore
    from hubcore.testing.sim._faults import Fault
    from hubcore.testing.sim._history import History
    from hubcore.testing.sim._host import Host
    from hubcore.testing.sim._models import UNKNOWN, CasRegister, Counter, KeyValue, Register
    from hubcore.testing.sim._run import run
    from hubcore.testing.sim._simulation import Simulation

__all__ = [
    "UNKNOWN", "CasRegister", "Counter", "Fault", "History", "Host", "KeyValue", "Nondeterminism", "NotLinearizable",
    "Register", "Simulation", "SimulationDeadlock", "SimulationFailure", "SimulationTimeout", "Unsimulated", "explore",
    "run", "strategies",
]  # fmt: skip

_HOME = {
    "_errors": "Nondeterminism NotLinearizable SimulationDeadlock SimulationFailure SimulationTimeout Unsimulated",
    "_explore": "explore",
    "_faults": "Fault",
    "_history": "History",
    "_host": "Host",
    "_models": "UNKNOWN CasRegister Counter KeyValue Register",
    "_run": "run",
    "_simulation": "Simulation",
}


if not TYPE_CHECKING:  # or checkers would take every name

    def __getattr__(name: str) -> object:
        if name == "strategies":  # needs hypothesis
            return import_module(f"{__name__}.strategies")
        for home, names in _HOME.items():
            if name in names.split():
                return getattr(import_module(f"{__name__}.{home}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
