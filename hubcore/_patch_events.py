"""The events of patching, also under gevent's names; `hubcore.events` exports them all.

hubcore calls each subscriber, and each entry point of the group `ENTRY_POINT_NAME`, with each event. If one of them
raises DoNotPatch at a "will patch" event, that patch does not happen.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class DoNotPatch(BaseException):
    """Raised by a subscriber of a "will patch" event to prevent that patch; the rest goes on."""


class _Interface:
    """The base of the stand-ins for gevent's interfaces: zope interfaces there, plain base classes here."""

    @classmethod
    def providedBy(cls, thing: object) -> bool:
        """Return whether `thing` is an instance."""
        return isinstance(thing, cls)


class IPatchEvent(_Interface):
    """An event of patching: `source` is the module with the replacements, `target` the patched module."""


class IWillPatchEvent(IPatchEvent):
    """A patch is about to happen; DoNotPatch prevents it."""


class IDidPatchEvent(IPatchEvent):
    """A patch has happened."""


class IWillPatchModuleEvent(IWillPatchEvent):
    """One module is about to be patched."""


class IDidPatchModuleEvent(IDidPatchEvent):
    """One module was patched."""


class IWillPatchAllEvent(IWillPatchEvent):
    """patch_all begins."""


class IDidPatchBuiltinModulesEvent(IDidPatchEvent):
    """patch_all has patched the standard library."""


class IDidPatchAllEvent(IDidPatchEvent):
    """patch_all is done."""


class PatchEvent(IPatchEvent):
    """An event of patching."""

    #: A list that collects warnings, for callers of `patch_module` within a larger patch.
    _warnings: list[str] | None = None

    def __init__(self, source: ModuleType | None, target: ModuleType | None) -> None:
        self.source = source
        self.target = target

    def __repr__(self) -> str:
        return f"<{type(self).__name__} source={self.source!r} target={self.target!r}>"


class WillPatchEvent(PatchEvent, IWillPatchEvent):
    """A patch is about to happen; DoNotPatch prevents it."""


class DidPatchEvent(PatchEvent, IDidPatchEvent):
    """A patch has happened."""


class WillPatchModuleEvent(WillPatchEvent, IWillPatchModuleEvent):
    """The names `target_item_names` of the module `module_name` are about to be replaced."""

    ENTRY_POINT_NAME = "hubcore.plugins.monkey.will_patch_module"

    def __init__(self, module_name: str, source: ModuleType, target: ModuleType, items: list[str]) -> None:
        super().__init__(source, target)
        self.module_name = module_name
        self.target_item_names = items


class DidPatchModuleEvent(DidPatchEvent, IDidPatchModuleEvent):
    """The module `module_name` was patched."""

    ENTRY_POINT_NAME = "hubcore.plugins.monkey.did_patch_module"

    def __init__(self, module_name: str, source: ModuleType, target: ModuleType) -> None:
        super().__init__(source, target)
        self.module_name = module_name


class _PatchAllEvent(PatchEvent):
    def __init__(self, patch_all_arguments: dict[str, Any], patch_all_kwargs: dict[str, Any]) -> None:
        super().__init__(None, None)
        self._arguments = dict(patch_all_arguments)
        self._kwargs = dict(patch_all_kwargs)

    @property
    def patch_all_arguments(self) -> dict[str, Any]:
        """The arguments of patch_all by name, defaults included; a copy."""
        return dict(self._arguments)

    @property
    def patch_all_kwargs(self) -> dict[str, Any]:
        """The keyword arguments that patch_all itself does not know; a copy."""
        return dict(self._kwargs)


class WillPatchAllEvent(_PatchAllEvent, WillPatchEvent, IWillPatchAllEvent):
    """patch_all begins; DoNotPatch prevents all of it."""

    ENTRY_POINT_NAME = "hubcore.plugins.monkey.will_patch_all"

    def will_patch_module(self, module_name: str) -> bool:
        """Return whether the argument `module_name` of patch_all is true."""
        return bool(self._arguments.get(module_name, False))


class DidPatchBuiltinModulesEvent(_PatchAllEvent, DidPatchEvent, IDidPatchBuiltinModulesEvent):
    """patch_all has patched the standard library; a subscriber that depends on it can apply its own patches now."""

    ENTRY_POINT_NAME = "hubcore.plugins.monkey.did_patch_builtins"


class DidPatchAllEvent(_PatchAllEvent, DidPatchEvent, IDidPatchAllEvent):
    """patch_all is done, and so are the subscribers of DidPatchBuiltinModulesEvent."""

    ENTRY_POINT_NAME = "hubcore.plugins.monkey.did_patch_all"


#: gevent's names.
GeventPatchEvent = PatchEvent
GeventWillPatchEvent = WillPatchEvent
GeventDidPatchEvent = DidPatchEvent
GeventWillPatchModuleEvent = WillPatchModuleEvent
GeventDidPatchModuleEvent = DidPatchModuleEvent
GeventWillPatchAllEvent = WillPatchAllEvent
GeventDidPatchBuiltinModulesEvent = DidPatchBuiltinModulesEvent
GeventDidPatchAllEvent = DidPatchAllEvent
IGeventPatchEvent = IPatchEvent
IGeventWillPatchEvent = IWillPatchEvent
IGeventDidPatchEvent = IDidPatchEvent
IGeventWillPatchModuleEvent = IWillPatchModuleEvent
IGeventDidPatchModuleEvent = IDidPatchModuleEvent
IGeventWillPatchAllEvent = IWillPatchAllEvent
IGeventDidPatchBuiltinModulesEvent = IDidPatchBuiltinModulesEvent
IGeventDidPatchAllEvent = IDidPatchAllEvent

__all__ = [
    "DidPatchAllEvent",
    "DidPatchBuiltinModulesEvent",
    "DidPatchEvent",
    "DidPatchModuleEvent",
    "DoNotPatch",
    "GeventDidPatchAllEvent",
    "GeventDidPatchBuiltinModulesEvent",
    "GeventDidPatchEvent",
    "GeventDidPatchModuleEvent",
    "GeventPatchEvent",
    "GeventWillPatchAllEvent",
    "GeventWillPatchEvent",
    "GeventWillPatchModuleEvent",
    "IDidPatchAllEvent",
    "IDidPatchBuiltinModulesEvent",
    "IDidPatchEvent",
    "IDidPatchModuleEvent",
    "IGeventDidPatchAllEvent",
    "IGeventDidPatchBuiltinModulesEvent",
    "IGeventDidPatchEvent",
    "IGeventDidPatchModuleEvent",
    "IGeventPatchEvent",
    "IGeventWillPatchAllEvent",
    "IGeventWillPatchEvent",
    "IGeventWillPatchModuleEvent",
    "IPatchEvent",
    "IWillPatchAllEvent",
    "IWillPatchEvent",
    "IWillPatchModuleEvent",
    "PatchEvent",
    "WillPatchAllEvent",
    "WillPatchEvent",
    "WillPatchModuleEvent",
]
