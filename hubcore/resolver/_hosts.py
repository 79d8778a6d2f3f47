"""The hosts file: names that need no name server."""

from __future__ import annotations

import os
from _socket import AF_INET, AF_INET6, inet_pton


class Line:
    """An address and its names, the canonical one first."""

    __slots__ = ("address", "family", "names", "packed")

    def __init__(self, family: int, packed: bytes, address: str, names: list[str]) -> None:
        self.family = family
        self.packed = packed
        self.address = address
        self.names = names


PATH = "/etc/hosts"
_read: tuple[object, list[Line]] | None = None  # the file's version and its lines


def _lines() -> list[Line]:
    global _read
    try:
        status = os.stat(PATH)
        version = (PATH, status.st_mtime_ns, status.st_size, status.st_ino)
        if _read is None or _read[0] != version:
            with open(PATH, encoding="utf-8", errors="replace") as file:
                _read = (version, _parsed(file.read()))
        return _read[1]
    except OSError:
        return []


def _parsed(text: str) -> list[Line]:
    lines: list[Line] = []
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        for family in (AF_INET, AF_INET6):
            try:
                packed = inet_pton(family, address)
            except OSError:
                continue
            if names:
                lines.append(Line(family, packed, address, names))
    return lines


def by_name(name: str, families: tuple[int, ...]) -> tuple[str, list[str], list[str]] | None:
    """Return the canonical name, the other names and the addresses of `name`; None if it has none of these families."""
    wanted = name.lower()
    found = [line for line in _lines() if line.family in families and wanted in (one.lower() for one in line.names)]
    if not found:
        return None
    names = list(dict.fromkeys(one for line in found for one in line.names))
    return names[0], names[1:], list(dict.fromkeys(line.address for line in found))


def by_address(address: str) -> tuple[str, list[str]] | None:
    """Return the name and the other names of `address`; None if the file has none."""
    family = AF_INET6 if ":" in address else AF_INET
    packed = inet_pton(family, address.partition("%")[0])
    for line in _lines():
        if line.packed == packed:
            return line.names[0], line.names[1:]
    return None
