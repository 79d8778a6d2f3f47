"""What a simulation costs: `python -m benchmarks.simulation` prints a line for each figure.

Seeds a second: runs of the lease service of the tutorial (3 hosts, 20 virtual seconds, faults) in processes forked from
one. Packets a second: a transfer of 8 MiB between two hosts. A round trip is of one byte, against the same on loopback
on this process's backend. Memory: what 200 hosts add to the process, each with a program that waits in accept.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs" / "simulation"))
_ROUND_TRIPS = 3000
_BYTES = 8 << 20
_HOSTS = 200


def _modules_of(code: str) -> int:
    text = f"{code}; import sys; print(sum(name.startswith('hubcore.testing.sim') for name in sys.modules))"
    return int(subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout)


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """The seconds that `call` takes, by the real clock also within a run; and its result."""
    clock = _real_clock()
    begin = clock()
    result = call()
    return clock() - begin, result


def _real_clock() -> Callable[[], float]:
    from hubcore.testing.sim import _builtins

    made = _builtins._made.get(("time", "perf_counter"))
    return time.perf_counter if made is None else made.original


def _seeds(count: int = 200) -> float:
    from hubcore.testing import sim

    lease = importlib.import_module("lease")
    seconds, _ = _timed(lambda: sim.explore(lease.scenario, lease.MendedLease, 20.0, seeds=count))
    return count / seconds


def _empty(simulation: Any) -> None:
    """A run that does nothing."""


def _forks(count: int = 300) -> float:
    from hubcore.testing import sim

    return _timed(lambda: sim.explore(_empty, seeds=count))[0] / count


def _echo() -> None:
    from hubcore import socket, spawn

    def answer(connection: Any) -> None:
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    with socket.create_server(("", 7)) as listener:
        while True:
            connection, _ = listener.accept()
            spawn(answer, connection)


def _round_trips(connection: Any) -> float:
    def go() -> None:
        for _ in range(_ROUND_TRIPS):
            connection.sendall(b"x")
            connection.recv(1)

    return _timed(go)[0] / _ROUND_TRIPS


def _simulated_round_trip(simulation: Any) -> float:
    from hubcore import socket

    simulation.host("db", _echo)
    with socket.create_connection(("db", 7)) as connection:
        return _round_trips(connection)


def _real_round_trip() -> float:
    from hubcore import socket, spawn

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)

        greenlet = spawn(answer)
        with socket.create_connection(listener.getsockname()) as connection:
            found = _round_trips(connection)
        greenlet.join()
    return found


def _transfer(simulation: Any) -> tuple[float, int, int]:
    from hubcore import socket

    def sink() -> None:
        with socket.create_server(("", 7)) as listener:
            connection, _ = listener.accept()
            while connection.recv(65536):
                pass

    simulation.host("db", sink)
    packets, steps = _packets(simulation), simulation._world.steps
    with socket.create_connection(("db", 7)) as connection:
        seconds, _ = _timed(lambda: connection.sendall(bytes(_BYTES)))
    return seconds, _packets(simulation) - packets, simulation._world.steps - steps


def _packets(simulation: Any) -> int:
    return sum(event.kind in ("send", "receive") for event in simulation.log)


def _memory(simulation: Any) -> float:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    simulation.host("first", _echo)
    before = resident()
    for number in range(_HOSTS):
        simulation.host(f"h{number}", _echo)
    return (resident() - before) / _HOSTS


def _in_process(main: Callable[..., Any], **settings: Any) -> Any:
    """Of programs on hubcore's own calls: without a fork, in production's order, timed by the real clock."""
    from hubcore.testing import sim

    return sim.run(main, fork=False, order="fifo", timeout=1e6, **settings)


def main() -> None:
    """Print the figures."""
    print(f"modules of the simulation that `import hubcore` loads: {_modules_of('import hubcore')}")
    print(f"seeds a second, lease service, 20 virtual seconds: {_seeds():.0f}")
    print(f"a fork and an empty run: {_forks() * 1e3:.1f} ms")
    real = min(_real_round_trip() for _ in range(3))
    simulated = min(_in_process(_simulated_round_trip) for _ in range(3))
    print(f"a round trip: {simulated * 1e6:.0f} us simulated, {real * 1e6:.0f} us over loopback: "
          f"{simulated / real:.1f} times")  # fmt: skip
    seconds, packets, steps = _in_process(_transfer)
    print(f"a transfer: {packets / seconds:.0f} packets a second, {steps / seconds:.0f} events a second, "
          f"{_BYTES / seconds / 1e6:.0f} MB a second")  # fmt: skip
    print(f"memory of a host: {_in_process(_memory) / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
