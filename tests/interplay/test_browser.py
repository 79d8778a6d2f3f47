"""The example page, served by `hubcore serve`, driven in a real headless Chromium by its debugging protocol."""

import hashlib
import json
import os
import re
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import pytest

from tests.cli.test_cli_serve import PATIENCE, serving
from tests.interplay.conftest import require
from tests.support.paths import ROOT

pytest.importorskip("simple_websocket")
websocket = pytest.importorskip("websocket")

DATA = bytes(range(256)) * 5000


class Page:
    """A tab of a browser."""

    def __init__(self, address):
        self.socket = websocket.create_connection(address, timeout=PATIENCE, suppress_origin=True)
        self.number = 0

    def ask(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def run(self, script):
        """The value of a script in the page."""
        result = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, script):
        end = time.monotonic() + PATIENCE
        while not (found := self.run(script)):
            assert time.monotonic() < end, script
            time.sleep(0.05)
        return found

    def choose_file(self, selector, path):
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[path])


@contextmanager
def chromium(folder):
    """A headless browser; a function that opens an address in a new tab."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run"]
    with (folder / "browser").open("wb") as said:
        process = subprocess.Popen(
            [require("chromium"), *options, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            stdout=said, stderr=said, start_new_session=True, env=os.environ | {"HOME": str(folder)},
        )  # fmt: skip
    try:
        end = time.monotonic() + PATIENCE
        while not (match := re.search(r"DevTools listening on ws://(\S+?)/", (folder / "browser").read_text())):
            assert time.monotonic() < end, (folder / "browser").read_text()
            time.sleep(0.05)

        pages = []

        def tab(url):
            request = urllib.request.Request(f"http://{match[1]}/json/new?{url}", method="PUT")
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                pages.append(Page(json.load(response)["webSocketDebuggerUrl"]))
            return pages[-1]

        yield tab
        for page in pages:
            page.socket.close()
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def test_the_example_in_a_browser(tmp_path, hub_backend):
    (tmp_path / "data.bin").write_bytes(DATA)
    with (
        serving(
            tmp_path,
            "app",
            "--app-dir",
            str(ROOT / "examples" / "web"),
            HUB_BACKEND=hub_backend,
            HUBCORE_SERVE_GRACEFUL_TIMEOUT="1",
        ) as running,
        chromium(tmp_path) as tab,
    ):
        url = f"http://127.0.0.1:{running.port}/"
        first, second = tab(url), tab(url)
        for page in (first, second):
            page.wait_for("typeof socket === 'object' && socket.readyState === 1")
            page.wait_for("/^\\d\\d:\\d\\d:\\d\\d$/.test(byId('clock').textContent)")
        first.choose_file("#file", str(tmp_path / "data.bin"))
        first.run("byId('upload').requestSubmit()")
        digest = hashlib.sha256(DATA).hexdigest()
        uploaded = first.wait_for("byId('uploaded').textContent")
        assert uploaded == f"data.bin: {len(DATA)} bytes, {digest}"
        for page, text in ((first, "hello"), (second, "hello, first")):
            page.run(f"byId('text').value = {json.dumps(text)}; byId('chat').requestSubmit()")
            for each in (first, second):
                each.wait_for(f"[...byId('said').children].some((line) => line.textContent === {json.dumps(text)})")
        before = first.run("byId('clock').textContent")
        first.wait_for(f"byId('clock').textContent !== {json.dumps(before)}")
        assert running.end() == 0  # event streams and chats are ended after the grace
        assert "Traceback" not in running.said()
