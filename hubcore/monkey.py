"""Make the standard library cooperative, in place: `from hubcore import monkey; monkey.patch_all()`.

Patch before any other import. `hubcore run program.py` and `python -m hubcore.monkey program.py` do that; HUB_PATCH=1
does it for every Python of an environment in which `hubcore patch-hook install` was run. Names and arguments are
gevent's.
"""

from __future__ import annotations

from hubcore._base.originals import get_original as get_original
from hubcore._base.originals import saved as saved
from hubcore._base.package import publish_all
from hubcore._patching.modules import (
    patch_builtins,
    patch_contextvars,
    patch_dns,
    patch_os,
    patch_queue,
    patch_select,
    patch_selectors,
    patch_signal,
    patch_socket,
    patch_ssl,
    patch_subprocess,
    patch_sys,
    patch_thread,
    patch_time,
)
from hubcore._patching.patch_all import patch_all
from hubcore._patching.replace import (
    MonkeyPatchWarning,
    is_anything_patched,
    is_module_patched,
    is_object_patched,
    patch_item,
    patch_module,
    remove_item,
)

__all__ = [
    "MonkeyPatchWarning",
    "get_original",
    "is_anything_patched",
    "is_module_patched",
    "is_object_patched",
    "main",
    "patch_all",
    "patch_builtins",
    "patch_contextvars",
    "patch_dns",
    "patch_item",
    "patch_module",
    "patch_os",
    "patch_queue",
    "patch_select",
    "patch_selectors",
    "patch_signal",
    "patch_socket",
    "patch_ssl",
    "patch_subprocess",
    "patch_sys",
    "patch_thread",
    "patch_time",
    "remove_item",
    "saved",
]


def main() -> None:
    """`python -m hubcore.monkey [options] script.py|-m module [argument ...]`: exits with the program's status."""
    import sys

    from hubcore.cli import monkey

    sys.exit(monkey.main(sys.argv[1:]))


if __name__ == "__main__":
    # Import it by its real name: the program may import hubcore.monkey, and must find the same module state.
    from hubcore.monkey import main as _main

    _main()


publish_all(globals())
