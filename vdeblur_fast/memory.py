"""The memory of one frame kept for the next."""

import ctypes
import mmap
import sys

# malloc.h
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_MOST = 2**31 - 1
_IN_HUGE_PAGES = 2**30  # bytes of the heap


def keep_memory() -> None:
    """Asks the C library not to give the system back what is freed, in this process, up to 2 GiB.

    A stream asks for the same large tensors for every frame. Given back and taken anew, each of their pages is cleared
    by the system before it is written: a tenth of the time of a 720p video, and a third of a small network's on a
    machine whose pages come slowly. What the heap grows by is to lie in huge pages, where the system has them. `vdeblur
    run` does this; a program that keeps a network on the CPU busy may want to do it at its start. Does nothing where
    there is no mallopt.
    """
    # CDLL(None), the process itself, is an error on Windows.
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    mallopt = getattr(library, "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _MOST)
        _grow_in_huge_pages(library)


def _grow_in_huge_pages(library: ctypes.CDLL) -> None:
    """Makes the heap longer, and has the system told how; nothing of it takes memory until it is written."""
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    library.free.argtypes = (ctypes.c_void_p,)
    library.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if start := library.malloc(_IN_HUGE_PAGES):
        page = mmap.PAGESIZE
        first = -(-start // page) * page
        library.madvise(first, (start + _IN_HUGE_PAGES - first) // page * page, mmap.MADV_HUGEPAGE)  # a wish
        library.free(start)
