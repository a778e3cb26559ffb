"""The memory of one frame kept for the next."""

import ctypes
import sys

# malloc.h
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_MOST = 2**31 - 1


def keep_memory() -> None:
    """Asks the C library not to give the system back what is freed, in this process, up to 2 GiB.

    A stream asks for the same large tensors for every frame. Given back and taken anew, each of their pages is cleared
    by the system before it is written: a tenth of the time of a 720p video on one machine, nothing of a small network's
    on another. `vdeblur run` does this; a program may, at its start. Does nothing where there is no mallopt.
    """
    # CDLL(None), the process itself, is an error on Windows.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _MOST)
