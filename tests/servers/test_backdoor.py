"""BackdoorServer: a Python prompt into the process."""

import os
import stat
import sys

import pytest

import hubcore.server
from hubcore import sleep, socket, spawn
from hubcore.backdoor import BackdoorServer, default_path
from hubcore.testing import run_python, settle

pytestmark = pytest.mark.usefixtures("hub")

LOCAL = ("127.0.0.1", 0)
PROMPT = ">>> "


class Client:
    """Somebody at the prompt."""

    def __init__(self, server):
        family = socket.AF_UNIX if isinstance(server.address, str) else socket.AF_INET
        self.sock = socket.socket(family)
        self.sock.connect(server.address)
        self.banner = self.until(PROMPT)

    def until(self, end):
        got = ""
        while not got.endswith(end):
            part = self.sock.recv(4096)
            if not part:
                raise EOFError(got)
            got += part.decode()
        return got.removesuffix(end)

    def ask(self, line, end=PROMPT):
        self.sock.sendall(f"{line}\n".encode())
        return self.until(end)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()


@pytest.fixture
def streams():
    before = sys.stdin, sys.stdout, sys.stderr, sys.displayhook
    yield
    assert (sys.stdin, sys.stdout, sys.stderr, sys.displayhook) == before, "the process's own streams are back"


@pytest.fixture
def server(hub, streams):
    with BackdoorServer(LOCAL, {"answer": 42, "things": []}, banner="hello") as server:
        yield server


def test_expressions_statements_and_errors(server):
    with Client(server) as client:
        assert client.banner == "hello\n"
        assert client.ask("answer") == "42\n"
        assert client.ask("_ + 1") == "43\n"
        assert client.ask("print('out')") == "out\n"
        assert client.ask("import sys; sys.stderr.write('err') and None") == "err"
        assert client.ask("x = 1") == ""
        assert client.ask("None") == ""
        assert client.ask("def f():", "... ") == ""
        assert client.ask("    return 'é'", "... ") == ""
        assert client.ask("") == ""
        assert client.ask("f()") == "'é'\n"
        told = client.ask("1 / 0")
        assert told.startswith("Traceback")
        assert told.endswith("ZeroDivisionError: division by zero\n")
        assert "_console" not in told, "only the frames of what was typed"
        assert "SyntaxError" in client.ask("1 +")
        assert client.ask("quit") == "quit() or Ctrl-D ends this connection, not the process\n"


def test_input_reads_from_the_connection(server):
    with Client(server) as client:
        client.sock.sendall(b"word = input('which? ')\nthis one\nword\n")
        assert client.until("'this one'\n>>> ") == "which? >>> "


@pytest.mark.parametrize("end", ["quit()", "exit()", "exit(3)", "import sys; sys.exit()", "raise SystemExit", "\x04"])
def test_an_end_is_the_connections(server, end):
    with Client(server) as client, Client(server) as other:
        client.sock.sendall(end.encode() + b"\n")
        with pytest.raises(EOFError):
            client.until("more")
        assert other.ask("answer") == "42\n"


def test_each_connection_has_its_own_variables_and_output(server):
    with Client(server) as first, Client(server) as second:
        first.ask("mine = 'first'")
        assert "NameError" in second.ask("mine")
        assert second.ask("things.append(1)") == ""
        assert first.ask("things") == "[1]\n", "but the objects are the same"
        first.ask("import hubcore")
        first.sock.sendall(b"print('one'); hubcore.sleep(0.01); print('two')\n")
        assert second.ask("print('three')") == "three\n"
        assert first.until(PROMPT) == "one\ntwo\n"


def test_what_a_spawned_greenlet_prints_goes_to_its_connection_and_others_to_the_process(server, capsys):
    with Client(server) as client:
        client.ask("import hubcore")
        assert client.ask("hubcore.spawn(print, 'spawned').join()") == "spawned\n"
        print("the program's own")
        sys.displayhook(None)
        assert client.ask("later = hubcore.spawn_later(0.05, print, 'after all')") == ""
    sleep(0.1)
    assert capsys.readouterr().out == "the program's own\nafter all\n"


def test_several_connections_end_in_any_order(server, hub):
    clients = [Client(server) for _ in range(3)]
    for client in (clients[1], clients[0], clients[2]):
        assert client.ask("answer") == "42\n"
        client.sock.close()
        settle(hub)


def test_a_peer_that_vanishes_harms_nobody(server, caplog):
    for act in (
        "print('a' * 10_000_000)",
        "import hubcore; hubcore.sleep(0.02); print(1)",
        "input()",
        "1 +",
        "while 1:",
    ):
        client = Client(server)
        client.sock.sendall(act.encode() + b"\n")
        sleep(0.001)
        client.sock.close()
    sleep(0.1)
    with Client(server) as client:
        assert client.ask("answer") == "42\n"
    assert not caplog.records


def test_stop_kills_who_is_at_work_at_the_prompt(hub, streams):
    server = BackdoorServer(LOCAL)
    server.start()
    with Client(server) as waits, Client(server) as works:
        works.sock.sendall(b"import hubcore; hubcore.sleep(1e6)\n")
        sleep(0.01)
        server.stop(timeout=0)
        assert waits.sock.recv(10) == b""
        assert works.sock.recv(10) == b""


def test_telnet_is_understood(server):
    with Client(server) as client:
        client.sock.sendall(b"\xff\xfd\x01answer\r\n")
        assert client.until(PROMPT) == "42\n"


@pytest.mark.parametrize("listener", [("0.0.0.0", 0), ("", 0), ":0", ("::", 0), 0, ("192.0.2.1", 7)], ids=str)
def test_what_other_machines_could_reach_is_refused(listener):
    with pytest.raises(ValueError, match="allow_remote=True") as raised:
        BackdoorServer(listener)
    assert "127.0.0.1" in str(raised.value)


def test_a_listener_that_others_could_reach_is_refused_too():
    listener = socket.create_server(("0.0.0.0", 0))
    with pytest.raises(ValueError, match=r"0\.0\.0\.0"):
        BackdoorServer(listener)
    assert listener.fileno() == -1, "it was the server's"


def test_remote_can_be_allowed_and_names_are_looked_at_when_bound():
    with BackdoorServer(("0.0.0.0", 0), allow_remote=True) as server:
        assert server.started
    with BackdoorServer(("localhost", 0)) as server:
        assert server.started


def test_the_default_is_a_unix_socket_for_this_user_only(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with BackdoorServer(locals={"answer": 42}) as server:
        assert server.address == default_path() == str(tmp_path / f"hubcore-backdoor-{os.getpid()}.socket")
        assert stat.S_IMODE(os.stat(server.address).st_mode) == 0o600
        with Client(server) as client:
            assert client.banner.startswith("Python 3")
            assert f"process {os.getpid()}" in client.banner
            assert client.ask("answer") == "42\n"
    assert not list(tmp_path.iterdir())
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert os.path.isabs(default_path())


def test_in_a_program_of_its_own():
    """Its output is its own, before, while and after somebody is connected."""
    code = """
        import hubcore, sys
        from hubcore import socket
        from hubcore.backdoor import BackdoorServer
        with BackdoorServer(("127.0.0.1", 0), banner="") as server:
            with socket.create_connection(server.address) as client:
                client.sendall(b"print('there')\\n" + b"quit()\\n")
                print("here")
                got = b""
                while part := client.recv(100):
                    got += part
        print(got)
    """
    assert run_python(code).stdout == "here\nb'>>> there\\n>>> '\n"


def test_a_subclass_may_have_a_handle_method():
    class Upper(hubcore.server.StreamServer):
        def handle(self, sock, address):
            sock.sendall(sock.recv(10).upper())

    with Upper(LOCAL) as server, socket.create_connection(server.address) as client:
        client.sendall(b"hello")
        assert client.recv(10) == b"HELLO"


def test_the_prompt_does_not_hold_up_the_hub(server):
    with Client(server):
        assert spawn(lambda: 5).get() == 5


def test_builtins_at_the_prompt_is_the_module(hub):
    with BackdoorServer(LOCAL) as server:
        client = Client(server)
        assert client.ask("__builtins__").strip() == "<module 'builtins' (built-in)>"
        assert client.ask("len('four')").strip() == "4"
        client.sock.close()
        settle(hub)
