"""The wheel named gevent: a package of a few lines that puts hubcore in its place, for lists of requirements.

pip then counts gevent as installed, and no hook is needed: C programs and `python -S` find it like any package.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import zipfile

from hubcore._gevent import names
from hubcore._gevent.distribution import metadata

_INIT = '''\
"""hubcore in gevent's place. `hubcore gevent-wheel` wrote this file."""

import sys

from hubcore.dropin import replace_wheel

replace_wheel(sys.modules[__name__], {version!r})
'''
_WHEEL = "Wheel-Version: 1.0\nGenerator: hubcore\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
# A zip file cannot hold an earlier time, and with a fixed one the same version is the same file.
_TIME = (1980, 1, 1, 0, 0, 0)


def write(folder: str, version: str) -> str:
    """Write the wheel of `version` into `folder`, which is made, and return its path. It is replaced if it is there.

    Its version has the local label "+hubcore", which index servers refuse, and which satisfies `gevent>=24.10.1` as
    the plain version does. ValueError if `version` is not numbers with dots; OSError if it cannot be written.
    """
    if not re.fullmatch(r"[1-9]\d*(\.\d+){1,3}", version):
        raise ValueError(f"the wheel's version is {version!r}; it takes numbers with dots, such as {names.version}")
    labelled = f"{version}+hubcore"
    info = f"{names.NAME}-{labelled}.dist-info"
    files = {
        f"{names.NAME}/__init__.py": _INIT.format(version=version),
        f"{info}/METADATA": metadata(labelled, "hubcore"),
        f"{info}/WHEEL": _WHEEL,
        f"{info}/top_level.txt": f"{names.NAME}\n",
    }
    record = [f"{name},sha256={_digest(text)},{len(text.encode())}" for name, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{names.NAME}-{labelled}-py3-none-any.whl")
    # Under another name first, so that what is there stays whole if this fails.
    part = f"{path}.part"
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                entry = zipfile.ZipInfo(name, _TIME)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, text)
        os.replace(part, path)
    except OSError:
        if os.path.exists(part):
            os.remove(part)
        raise
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
