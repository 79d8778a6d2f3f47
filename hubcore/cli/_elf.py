"""Where a symbol of a shared library is: enough of the ELF format to find one exported variable."""

from __future__ import annotations

from struct import Struct

_HEADER = Struct("<16sHHIQQQIHHHHHH")
_SECTION = Struct("<IIQQQQIIQQ")
_SYMBOL = Struct("<IBBHQQ")
_DYNSYM = 11


def symbol_offset(data: bytes, name: bytes) -> int | None:
    """Return the address of the symbol `name` relative to where the library is loaded; None if it has no such symbol.

    `data` is the file. ValueError if it is no 64-bit little-endian ELF file.
    """
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    header = _HEADER.unpack_from(data)
    at, size, count = header[6], header[11], header[12]
    sections = [_SECTION.unpack_from(data, at + i * size) for i in range(count)]
    for section in sections:
        if section[1] != _DYNSYM:
            continue
        strings = sections[section[6]][4]
        for place in range(section[4], section[4] + section[5], _SYMBOL.size):
            symbol = _SYMBOL.unpack_from(data, place)
            start = strings + symbol[0]
            if symbol[4] and data[start : start + len(name) + 1] == name + b"\0":
                return int(symbol[4])
    return None
