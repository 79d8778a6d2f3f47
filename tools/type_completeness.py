"""Measures how complete the types of the package are, with `pyright --verifytypes`; part of `make lint`.

    python tools/type_completeness.py [--least 98]

Exit status 1, with the symbols whose types are unknown or differ between type checkers, if the score is below.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LEAST = 98.0
SECONDS = 300.0
PACKAGE = Path(__file__).parent.parent / "hubcore"


def main() -> int:
    parser = argparse.ArgumentParser(description="measure how complete the types of the package are")
    parser.add_argument("--least", type=float, default=LEAST, help="the score in percent that is enough")
    least: float = parser.parse_args().least
    report = measure()["typeCompleteness"]
    score = 100 * report["completenessScore"]
    known = report["exportedSymbolCounts"]["withKnownType"]
    print(f"types are {score:.1f} % complete: {known} public symbols have a known type; at least {least:g} % is wanted")
    if score >= least:
        return 0
    for symbol in report["symbols"]:
        for problem in symbol["diagnostics"] if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"] else ():
            if problem["severity"] == "error":
                print(f"{symbol['name']}: {problem['message'].splitlines()[0]}")
    return 1


def measure() -> dict[str, Any]:
    """Return the report of pyright, which finds the package as an installed one."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, PACKAGE.name).symlink_to(PACKAGE.resolve())
        path = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
        command += ["--verifytypes", PACKAGE.name, "--ignoreexternal", "--outputjson"]
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
        )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


if __name__ == "__main__":
    raise SystemExit(main())
