"""The folder of hubcore's own files."""

from __future__ import annotations

import os

#: The prefix of the names of hubcore's own files, with a slash at the end: the spawn site is the innermost frame of
#: another file.
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/"
