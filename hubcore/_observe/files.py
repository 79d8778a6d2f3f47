"""Writes a timeline to a file, in the format that the suffix chooses."""

from __future__ import annotations

import os

from hubcore._observe import html_file, other_files, perfetto_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._observe.timeline import Timeline

WRITERS = {
    ".pftrace": perfetto_file.packets,
    ".json": other_files.chrome,
    ".folded": other_files.folded,
    ".html": html_file.page,
}


def check_path(path: str | os.PathLike[str]) -> str:
    """Return `path` as a str. ValueError for an unknown suffix, FileNotFoundError for a folder that does not exist."""
    text = os.fspath(path)
    if os.path.splitext(text)[1] not in WRITERS:
        raise ValueError(f"the suffix of {text!r} must be one of {', '.join(WRITERS)}")
    folder = os.path.dirname(os.path.abspath(text))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"the folder of {text!r} does not exist")
    return text


def write(timeline: Timeline, path: str) -> None:
    """Write `timeline` to `path`, readable by this user only."""
    pieces = WRITERS[os.path.splitext(path)[1]](timeline)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.writelines(pieces)
