"""`python -m hubcore`: the `hubcore` command."""

from __future__ import annotations

import sys

from hubcore.cli import main

if __name__ == "__main__":
    sys.exit(main())
