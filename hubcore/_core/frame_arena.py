# cython: annotation_typing=True
"""Memory for the Python frames of greenlets: a small first chunk for each greenlet, and a cache of large chunks.

Facts: since CPython 3.11, the first Python frame of every greenlet takes a fresh chunk of 16 KiB for its frames from
the interpreter's arena allocator. The allocator maps the chunk, and unmaps it when the greenlet ends. This is two
thirds of the time that a short greenlet costs, and a page of memory for as long as it lives. A program may replace the
allocator (PyObject_SetArenaAllocator). CPython frees a chunk with the size that is recorded in it. Frames that do not
fit into the thread's current chunk get another one, which CPython frees as soon as they are gone.

Consequences: `begin_stack` gives a new greenlet a first chunk of 1 KiB, enough for the few frames in which most
greenlets wait. `install` puts a cache in front of the present allocator: it frees small chunks itself, keeps a bounded
list of chunks of 16 KiB, and passes every other size on. Large chunks come from the allocator below, so that allocator
may also free them, in any order in which programs stack such caches.

A lock of one flag guards the list. CPython usually allocates and frees chunks with the GIL held, but may delete a
thread state without it. A thread that finds the flag taken uses the allocator below and does not wait. So the cache
never blocks the exit of the process, and a child that was forked while another thread held the flag merely has no
cache.
"""

from hubcore._base import uncompiled as cython

if not cython.compiled:
    raise cython.not_built("hubcore._core.frame_arena")

from cython.cimports.cpython.mem import PyMem_RawFree
from cython.cimports.hubcore._core import arena_allocator as api

# 1 KiB with malloc's own header. No arena and no large chunk has this size.
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
    """Give the current greenlet, which has had no Python frame yet, a small chunk for its first frames.

    Do nothing if the cache is off: without it, deeper calls would map and unmap a large chunk again and again.
    """
    if _most:
        api.hubcore_begin_stack(_SMALL)


def install(most: cython.size_t) -> None:
    """Keep up to `most` free chunks from now on; 0 frees the kept chunks and keeps none. For the whole process."""
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
    """Return the number of kept free chunks, its maximum, and the size of a chunk in bytes."""
    return {"kept": _count, "most": _most, "chunk_bytes": _CHUNK}
