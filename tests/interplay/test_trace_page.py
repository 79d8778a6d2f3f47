"""The page that `hubcore trace -o out.html` writes, in a real headless Chromium: lanes, search and details."""

import json

import pytest

from hubcore import joinall, sleep, spawn, trace
from hubcore.queue import Queue

pytest.importorskip("websocket")
pytest.importorskip("simple_websocket")

from tests.interplay.test_browser import chromium

CLICK = """
(() => {
  const i = rows.findIndex(row => row.label.startsWith(%s) && !row.head);
  const span = rows[i].spans.find(each => each[2] === 2 && each[3] === "get from Queue");
  go(span[0], span[1], i);
  const box = canvas.getBoundingClientRect();
  const where = {clientX: box.left + x((span[0] + span[1]) / 2), clientY: box.top + i * ROW - scroll.scrollTop + 8,
                 pointerId: 1, bubbles: true};
  canvas.setPointerCapture = () => {};
  canvas.dispatchEvent(new PointerEvent("pointerdown", where));
  canvas.dispatchEvent(new PointerEvent("pointerup", where));
  return document.getElementById("detail").textContent;
})()
"""


def test_a_known_program(hub, tmp_path):
    there, back = Queue(), Queue()

    def pong():
        for _ in range(3):
            back.put(there.get())

    def ping():
        for _ in range(3):
            sleep(0.005)
            with trace.region("</script><b>a region"):
                there.put(1)
                back.get()

    with trace.recording(tmp_path / "out.html"):
        joinall([spawn(pong), spawn(ping)])
    with chromium(tmp_path) as tab:
        page = tab(f"file://{tmp_path / 'out.html'}")
        page.wait_for("typeof rows === 'object' && document.getElementById('waits').rows.length")
        labels = page.run("rows.map(row => row.label)")
        assert labels[:3] == ["hub main", "running", "poll"]
        assert any("ping spawned at test_a_known_program test_trace_page.py:" in label for label in labels)
        assert page.run("document.querySelectorAll('b').length") == 0
        pong_row = next(label for label in labels if "pong #" in label)
        detail = page.run(CLICK % json.dumps(pong_row))
        assert "blocked on get from Queue" in detail
        assert "spawned attest_a_known_program" in detail
        assert page.run("data.wakes.length") >= 6
        page.run(
            "{ const s = document.getElementById('search'); s.value = 'sleep'; s.dispatchEvent(new Event('input')) }"
        )
        assert page.run("parseInt(document.getElementById('found').textContent)") >= 3
        waits = page.run("document.getElementById('waits').textContent")
        assert "get from Queue" in waits
        assert "sleep" in waits
        page.run("document.querySelector('#longest tr').click()")
        assert "running" in page.run("document.getElementById('detail').textContent")
        drawn = page.run(
            "(() => { const d = pen.getImageData(0, 0, canvas.width, canvas.height).data;"
            " let n = 0; for (let i = 3; i < d.length; i += 4) if (d[i]) n++; return n; })()"
        )
        assert drawn > 1000
