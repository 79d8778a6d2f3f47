"""Text from clients, made fit for logs."""

from __future__ import annotations

import re

_unsafe = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def escape(text: str) -> str:
    """`text` as printable ASCII on one line: controls, quotes, backslashes and characters beyond ASCII are escaped."""
    if _unsafe.search(text) is None:
        return text
    return _unsafe.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
