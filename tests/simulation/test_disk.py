"""Disks: what is synced survives a crash, what is not is lost or torn; modules of a host's own; traces."""

import errno
import os
import sys

import pytest

from hubcore import sleep
from hubcore.testing import sim
from tests.simulation.worlds import here


def after_crash(write, seed):
    """The files of a host after `write(path)` and a crash."""

    def main(simulation):
        host = simulation.host("db")
        path = host.path
        write(path)
        host.crash()
        host.start()
        found = {}
        for name in sorted(os.listdir(path)):
            with open(f"{path}/{name}", "rb") as file:
                found[name] = file.read()
        return found

    return here(main, seed=seed)


def synced(path, name, data):
    with open(f"{path}/{name}", "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def test_what_was_synced_is_there():
    data = bytes(range(256)) * 64

    def write(path):
        synced(path, "by open", data)
        fd = os.open(f"{path}/by number", os.O_CREAT | os.O_WRONLY)
        os.write(fd, data)
        os.fdatasync(fd)
        os.close(fd)

    for seed in range(20):
        assert after_crash(write, seed) == {"by open": data, "by number": data}


def test_what_was_not_synced_is_lost_torn_or_there():
    old, new = b"o" * 4000, b"n" * 4000

    def write(path):
        synced(path, "file", old)
        with open(f"{path}/file", "r+b") as file:
            file.write(new)

    found = {after_crash(write, seed)["file"] for seed in range(40)}
    assert old in found
    assert any(set(data) == {ord("o"), ord("n")} for data in found)  # torn
    assert all(set(data) <= {ord("o"), ord("n")} and len(data) == 4000 for data in found)


def test_a_file_that_was_never_synced_may_be_gone_empty_or_whole():
    def write(path):
        with open(f"{path}/file", "w") as file:
            file.write("x" * 2000)

    found = [after_crash(write, seed).get("file") for seed in range(60)]
    assert None in found
    assert b"" in found
    assert b"x" * 2000 in found


def test_a_rename_needs_its_folder_synced():
    def write(path, sync_folder):
        synced(path, "file", b"old")
        synced(path, "new", b"new")
        os.replace(f"{path}/new", f"{path}/file")
        if sync_folder:
            folder = os.open(path, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)

    without = {after_crash(lambda path: write(path, False), seed)["file"] for seed in range(30)}
    assert without == {b"old", b"new"}
    with_it = {after_crash(lambda path: write(path, True), seed)["file"] for seed in range(30)}
    assert with_it == {b"new"}


def test_a_kill_loses_nothing():
    def main(simulation):
        host = simulation.host("db")
        with open(f"{host.path}/file", "w") as file:
            file.write("written")
        host.kill()
        with open(f"{host.path}/file") as file:
            return file.read()

    assert here(main) == "written"


@pytest.mark.parametrize(("fault", "code"), [("ENOSPC", errno.ENOSPC), ("EIO", errno.EIO)])
def test_full_and_broken_disks(fault, code):
    def main(simulation):
        host = simulation.host("db")
        path = host.path
        host._disk.fault = fault
        codes = []
        for attempt in range(20):
            try:
                with open(f"{path}/{attempt}", "wb", buffering=0) as file:
                    file.write(b"x")
            except OSError as error:
                codes.append(error.errno)
        host._disk.fault = ""
        with open(f"{path}/after", "w") as file:
            file.write("fine")
        return codes

    codes = here(main)
    assert set(codes) == {code}
    assert len(codes) == 20 if fault == "ENOSPC" else 3 < len(codes) < 20


def test_a_disk_stops_the_whole_program():
    def main(simulation):
        def program():
            path = simulation.hosts["db"].path
            simulation.hosts["db"]._disk.fault = "slow"
            synced(path, "file", b"x")
            sleep(1e-6)
            return simulation.now

        host = simulation.host("db")
        start = simulation.now
        assert host.spawn(program).get() - start > 0.1

    here(main)


def test_other_files_are_left_alone_and_the_folder_goes(tmp_path):
    def main(simulation):
        host = simulation.host("db")
        with open(tmp_path / "outside", "w") as file:
            file.write("x")
        host.crash()
        return host.path

    path = here(main)
    assert (tmp_path / "outside").read_text() == "x"
    assert not os.path.exists(path)
    assert not os.path.exists(os.path.dirname(path))


@pytest.mark.parametrize("mode", ["rw", "z", "rr", "", "wbt"])
def test_a_wrong_mode_is_the_standard_librarys_error(mode):
    def main(simulation):
        path = simulation.host("db").path
        try:
            open(f"{path}/file", mode).close()
        except ValueError as error:
            return str(error)

    with pytest.raises(ValueError) as caught:
        open("/tmp/never", mode).close()
    assert here(main) == str(caught.value)


def test_modules_of_a_hosts_own(tmp_path, monkeypatch):
    package = tmp_path / "counted_app"
    package.mkdir()
    (package / "__init__.py").write_text("count = 0\n")
    (package / "server.py").write_text(
        "import counted_app\n"
        "from hubcore import sleep\n"
        "def main(out, name):\n"
        "    counted_app.count += 1\n"
        "    sleep(1)\n"
        "    from counted_app import count\n"
        "    out.append((name, count))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import counted_app.server

    def main(simulation, modules):
        out = []
        hosts = [simulation.host(name, counted_app.server.main, out, name, modules=modules) for name in "ab"]
        sleep(2)
        hosts[0].start()
        sleep(2)
        return out

    try:
        assert here(main, ["counted_app"]) == [("a", 1), ("b", 1), ("a", 1)]
        assert counted_app.count == 0
        assert sys.modules["counted_app"] is counted_app
        assert here(main, []) == [("a", 2), ("b", 2), ("a", 3)]
        with pytest.raises(ValueError, match="its module has by name"):
            here(lambda simulation: simulation.host("a", made_in(counted_app), modules=["counted_app"]))
    finally:
        for name in [name for name in sys.modules if name.startswith("counted_app")]:
            del sys.modules[name]


def made_in(module):
    def local():
        pass

    local.__module__ = module.__name__
    return local


def test_strategies():
    from hypothesis import given, settings

    @settings(max_examples=50, deadline=None)
    @given(faults=sim.strategies.faults(["a", "b", "test"], until=20))
    def check(faults):
        assert faults == sorted(faults)
        for fault in faults:
            assert fault.at + fault.lasting <= 20
            assert fault.kind in ("partition", "reset") or "test" not in fault.where

        def main(simulation):
            for name in "ab":
                simulation.host(name)
            sleep(30)
            return [host.alive for host in simulation.hosts.values()]

        assert all(here(main, faults=faults))

    check()
    for wrong in ("a", [], [1]):
        with pytest.raises(TypeError, match="hosts"):
            sim.strategies.faults(wrong)
    with pytest.raises(ValueError, match="'fire'"):
        sim.strategies.faults(["a"], kinds=["fire"])
