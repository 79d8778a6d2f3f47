# cython: annotation_typing=True
"""What greenlets keep their Python frames in: a small chunk each, and a cache of the large ones.

Facts: since CPython 3.11 the first Python frame of every greenlet takes a fresh chunk of 16 KiB for its frames from
the interpreter's arena allocator, which maps it, and gives it back, unmapped, when the greenlet ends. That is two
thirds of what a short greenlet costs in time, and a page of memory for as long as it lives. The allocator may be
replaced (PyObject_SetArenaAllocator). A chunk is given back with the size that stands in it; and frames that do not
fit into the thread's current chunk get another, which is given back as soon as they are gone.

Consequences: `begin_stack` gives a greenlet that begins a first chunk of 1 KiB, enough for the few frames in which
most of them wait. `install` puts itself in front of the allocator that is there: small chunks go back to where they
come from, of those of 16 KiB it keeps a bounded list, and every other size goes straight on. Large chunks come from
that allocator, so they may be freed by it too, in whatever order caches are put on top of each other.

The list has a lock of one flag. Chunks are usually handled with the GIL held, but a thread state may be deleted
without it; whoever finds the flag taken goes to the allocator below instead of waiting. So the cache is never in the
way at exit, and a child that was forked while another thread held the flag merely has no cache.
"""

import cython

if not cython.compiled:
    raise ImportError("hubcore._arena is not built; run: pip install -e .")

from cython.cimports.cpython.mem import PyMem_RawFree
from cython.cimports.hubcore import _arena_api as api

# With malloc's own header 1 KiB. No arena and no large chunk has a size like it.
_SMALL = cython.declare(cython.size_t, 1016)
_CHUNK = cython.declare(cython.size_t, 16 * 1024)

_below = cython.declare(api.PyObjectArenaAllocator)
_free = cython.declare(cython.p_void)  # each free chunk's first word is the next one
_count = cython.declare(cython.size_t)
_most = cython.declare(cython.size_t)
_busy = cython.declare(cython.int)
_installed = cython.declare(cython.bint)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _alloc(context: cython.p_void, size: cython.size_t) -> cython.p_void:
    global _free, _count
    chunk: cython.p_void = cython.NULL
    if size == _CHUNK and _free != cython.NULL and api.try_lock(cython.address(_busy)):
        chunk = _free
        if chunk != cython.NULL:
            _free = cython.cast(cython.pointer[cython.p_void], chunk)[0]
            _count -= 1
        api.unlock(cython.address(_busy))
    if chunk != cython.NULL:
        return chunk
    return _below.alloc(_below.ctx, size)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _release(context: cython.p_void, chunk: cython.p_void, size: cython.size_t) -> cython.void:
    global _free, _count
    if size == _SMALL:
        PyMem_RawFree(chunk)
        return
    if size == _CHUNK and _count < _most and api.try_lock(cython.address(_busy)):
        cython.cast(cython.pointer[cython.p_void], chunk)[0] = _free
        _free = chunk
        _count += 1
        api.unlock(cython.address(_busy))
        return
    _below.free(_below.ctx, chunk, size)


@cython.cfunc
@cython.exceptval(check=False)
def begin_stack() -> cython.void:
    """Give the current greenlet, which has had no Python frame yet, a small chunk for its first ones.

    Nothing where the cache is off: deeper calls come and go, and would map and unmap a large chunk each time.
    """
    if _most:
        api.hubcore_begin_stack(_SMALL)


def install(most: cython.size_t) -> None:
    """Keep up to `most` free chunks from now on; 0 gives back what is kept, and keeps none. For the whole process."""
    global _installed, _most
    allocator: api.PyObjectArenaAllocator
    if most and not _installed:
        _installed = True
        api.PyObject_GetArenaAllocator(cython.address(_below))
        allocator.ctx = cython.NULL
        allocator.alloc = _alloc
        allocator.free = _release
        api.PyObject_SetArenaAllocator(cython.address(allocator))
    _most = most
    _trim(most)


@cython.cfunc
def _trim(most: cython.size_t):
    global _free, _count
    while _count > most and api.try_lock(cython.address(_busy)):
        chunk: cython.p_void = _free
        if chunk != cython.NULL:
            _free = cython.cast(cython.pointer[cython.p_void], chunk)[0]
            _count -= 1
        api.unlock(cython.address(_busy))
        if chunk == cython.NULL:
            return
        _below.free(_below.ctx, chunk, _CHUNK)


def statistics() -> dict[str, int]:
    """How many free chunks are kept, how many may be, and how large one is in bytes."""
    return {"kept": _count, "most": _most, "chunk_bytes": _CHUNK}
