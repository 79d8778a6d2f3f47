# cython: binding=True
"""Built-in functions and methods of C modules, exchanged so that every reference to them follows.

See the .pxd for how. An exchange is made once, and can then be taken back and made again; its replacement is called
only while it is made. For one process, all threads: a replacement that is asked by a thread that it is not meant for
calls `original`.
"""

from hubcore._base import uncompiled as cython

if not cython.compiled:
    raise cython.not_built("hubcore.testing.sim._exchange")

from cython.cimports.cpython.ref import PyObject
from cython.cimports.hubcore.testing.sim._exchange import (
    hubcore_exchange,
    hubcore_original,
    hubcore_redo_exchange,
    hubcore_stand_in,
    hubcore_undo_exchange,
)


class Exchange:
    """`builtin`, a function of a C module or a method as its type's dictionary has it, exchanged for `replacement`,
    which gets a method's self first.

    With `replacement` None the call goes to the original, but with the self that `stand_in` says. TypeError for what
    is not built in, RuntimeError for what is exchanged already.
    """

    def __init__(self, builtin: object, replacement: object) -> None:
        self._builtin = builtin
        self._place = hubcore_exchange(builtin, replacement)
        self._made = True
        #: The function or method as it was.
        self.original = hubcore_original(self._place, builtin)
        self._kept: tuple[object, ...] = ()

    def take_back(self) -> None:
        """Have the original be called again. Harmless where it is."""
        if self._made:
            self._made = False
            hubcore_undo_exchange(self._place)

    def make_again(self) -> None:
        """Undo `take_back`."""
        if not self._made:
            self._made = True
            hubcore_redo_exchange(self._place)

    def stand_in(self, self_of_call: object, stand_in: object) -> None:
        """Calls with `self_of_call` get `stand_in` in its place from now on; None for both ends that."""
        if self_of_call is None or stand_in is None:
            hubcore_stand_in(self._place, cython.NULL, cython.NULL)
        else:
            hubcore_stand_in(
                self._place,
                cython.cast(cython.pointer[PyObject], self_of_call),
                cython.cast(cython.pointer[PyObject], stand_in),
            )
        self._kept = (self_of_call, stand_in)

    def __repr__(self) -> str:
        return f"<Exchange of {self._builtin!r}>"
