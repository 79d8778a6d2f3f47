"""Notebook cells in a real Jupyter kernel: its asyncio loop runs in the main thread, and hubcore is its guest."""

import pytest

nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from nbformat.v4 import new_code_cell, new_notebook  # noqa: E402  # comes with nbclient

pytestmark = [pytest.mark.slow, pytest.mark.hang_after(180)]


def run(*cells):
    """What each cell wrote and evaluated to, after all ran in a kernel of their own."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    found = []
    for cell in notebook.cells:
        texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
        found.append("".join(texts).strip())
    return found


WORK = """
import hubcore
from hubcore import aio

def work(number):
    hubcore.sleep(0.05)
    return number * number
"""


@pytest.mark.filterwarnings("default")
def test_greenlets_run_beside_the_kernel_and_between_the_cells(monkeypatch):
    monkeypatch.setenv("HUB_BACKEND", "asyncio")
    found = run(
        WORK,
        "jobs = [hubcore.spawn(work, number) for number in range(5)]\nhubcore.get_hub().backend",
        "import asyncio\nwhile not all(job.ready() for job in jobs):\n    await asyncio.sleep(0.01)\n"
        "[job.value for job in jobs]",
        "await aio.wrap(hubcore.spawn(work, 7))",
        "try:\n    hubcore.sleep(1)\n"
        "except Exception as error:\n    print(type(error).__name__, 'aio.wrap(' in str(error))",
        "import hubcore.socket\nleft, right = hubcore.socket.socketpair()\n"
        "echo = hubcore.spawn(lambda: right.sendall(right.recv(10).upper()))\n"
        "def ask():\n    left.sendall(b'hello')\n    return left.recv(10)\n"
        "await aio.wrap(hubcore.spawn(ask))",
    )
    assert found[1:] == ["'asyncio'", "[0, 1, 4, 9, 16]", "49", "BlockingSwitchOutError True", "b'HELLO'"]


@pytest.mark.filterwarnings("default")
def test_a_block_in_a_cell_is_a_guest_for_that_cell(monkeypatch):
    monkeypatch.delenv("HUB_BACKEND", raising=False)
    found = run(
        WORK,
        "async with aio.guest() as hub:\n    print(hub.backend, await aio.wrap(hubcore.spawn(work, 3)))",
        "print(hub.destroyed)",
        "async with aio.guest():\n    print(await aio.wrap(hubcore.spawn(work, 4)))",
    )
    assert found[1:] == ["asyncio 9", "True", "16"]
