"""The backend that docs/write-a-backend.md builds: the page's code blocks, one below the other."""

import re

from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "write-a-backend.md"


def blocks(text):
    """The page's code blocks and commands in their order, each with its kind: "python" or "console"."""
    return re.findall(r"^```(python|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def source(parts):
    """The module that the code blocks among `parts` make: an indented block goes on with the class before it."""
    return "\n\n".join(code.strip("\n") for kind, code in parts if kind == "python") + "\n"


exec(compile(source(blocks(PAGE.read_text())), str(PAGE), "exec"))

ExampleLoop = globals()["EpollLoop"]
ExampleFdWatch = globals()["EpollFdWatch"]
ExampleLoop.name = f"{__name__}:ExampleLoop"
