"""Where hubcore's own files are."""

from __future__ import annotations

import os

#: What the file names of hubcore's own code begin with: its folder, with a slash at the end.
PACKAGE = os.path.dirname(os.path.abspath(__file__)) + "/"
