"""The names that annotations use. `typing.get_type_hints` finds them here, and no program imports `typing` for them.

The modules of hubcore do not import `typing`, which takes a third as long as all of hubcore. At run time each name
is a `Late`: the text of an expression, which `get_type_hints` evaluates like any other annotation in quotes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable as Callable
    from collections.abc import Collection as Collection
    from collections.abc import Coroutine as Coroutine
    from collections.abc import Generator as Generator
    from collections.abc import Iterable as Iterable
    from collections.abc import Iterator as Iterator
    from collections.abc import Mapping as Mapping
    from collections.abc import Sequence as Sequence
    from contextlib import AbstractAsyncContextManager as AbstractAsyncContextManager
    from types import CodeType as CodeType
    from types import FrameType as FrameType
    from types import ModuleType as ModuleType
    from types import TracebackType as TracebackType
    from typing import Any as Any
    from typing import Generic as Generic
    from typing import Literal as Literal
    from typing import NoReturn as NoReturn
    from typing import Self as Self
    from typing import TextIO as TextIO

    from hubcore._base.type_variables import A as A
    from hubcore._base.type_variables import Arguments as Arguments
    from hubcore._base.type_variables import D as D
    from hubcore._base.type_variables import P as P
    from hubcore._base.type_variables import R as R
    from hubcore._base.type_variables import T as T
    from hubcore._base.type_variables import T_co as T_co
    from hubcore._base.type_variables import T_contra as T_contra


class Late(str):
    """A name of a module, as text that Python evaluates to it: `Late("typing:Any")`."""

    __slots__ = ()

    def __new__(cls, path: str) -> Self:
        module, _, name = path.partition(":")
        return super().__new__(cls, f"__import__({module!r}, fromlist=['']).{name}")

    def value(self) -> Any:
        """Import it."""
        return eval(self)

    # In an expression such as `Callable[P, R] | None` or `P.args`, it is itself what it names.

    def __getitem__(self, item: Any) -> Any:
        if type(item) is int or isinstance(item, slice):  # a character of the text; True is of `Literal[True]`
            return super().__getitem__(item)
        return self.value()[_value_of(item)]

    def __iter__(self) -> Any:
        return iter(self.value())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.value(), name)

    def __or__(self, other: Any) -> Any:
        return self.value() | _value_of(other)

    def __ror__(self, other: Any) -> Any:
        return _value_of(other) | self.value()


def _value_of(item: Any) -> Any:
    """Return `item` with the values of all that is late in it."""
    if isinstance(item, Late):
        return item.value()
    if isinstance(item, (tuple, list)):
        return type(item)([_value_of(each) for each in item])
    return item


#: The `__class_getitem__` of a generic class: at run time `Queue[int]` is an alias that makes plain Queues.
class_getitem: Any = classmethod(type(list[int]))

if not TYPE_CHECKING:
    Callable = Late("collections.abc:Callable")
    Collection = Late("collections.abc:Collection")
    Coroutine = Late("collections.abc:Coroutine")
    Generator = Late("collections.abc:Generator")
    Iterable = Late("collections.abc:Iterable")
    Iterator = Late("collections.abc:Iterator")
    Mapping = Late("collections.abc:Mapping")
    Sequence = Late("collections.abc:Sequence")
    AbstractAsyncContextManager = Late("contextlib:AbstractAsyncContextManager")
    CodeType = Late("types:CodeType")
    FrameType = Late("types:FrameType")
    ModuleType = Late("types:ModuleType")
    TracebackType = Late("types:TracebackType")
    Any = Late("typing:Any")
    Literal = Late("typing:Literal")
    NoReturn = Late("typing:NoReturn")
    Self = Late("typing:Self")
    TextIO = Late("typing:TextIO")
    A = Late("hubcore._base.type_variables:A")
    Arguments = Late("hubcore._base.type_variables:Arguments")
    D = Late("hubcore._base.type_variables:D")
    P = Late("hubcore._base.type_variables:P")
    R = Late("hubcore._base.type_variables:R")
    T = Late("hubcore._base.type_variables:T")
    T_co = Late("hubcore._base.type_variables:T_co")
    T_contra = Late("hubcore._base.type_variables:T_contra")

    class Generic:
        """The base of a generic class, without a meaning at run time."""

        __slots__ = ()
        __class_getitem__ = class_getitem
