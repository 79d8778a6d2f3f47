"""The limits: what docs/http.md says of them is what they are."""

import re
from dataclasses import fields

from hubcore.pywsgi import Limits
from tests.support.paths import ROOT


def test_the_page_has_each_limit_with_its_default():
    text = (ROOT / "docs" / "http.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+) \| (\S+) \|$", text, re.MULTILINE)
    documented = {name: (default, status) for name, default, _, status in rows}
    right = {each.name: (str(each.default), each.metadata["status"] or "-") for each in fields(Limits)}
    assert {name: default for name, (default, _) in documented.items()} == {
        name: default for name, (default, _) in right.items()
    }
    statuses = {name: status for name, (_, status) in documented.items() if status.isdigit()}
    assert statuses == {name: status for name, (_, status) in right.items() if status.isdigit()}
