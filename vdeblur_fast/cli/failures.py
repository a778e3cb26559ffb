"""Which exceptions are no mistake of ours, and what to tell the user about them."""

import errno
import sys

from ..errors import UserError

REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space or write elsewhere",
    errno.EDQUOT: "the disk quota is used up; free some space or write elsewhere",
    errno.EFBIG: "the file has become larger than this system allows; write elsewhere",
    errno.EACCES: "permission denied; choose another place or change its permissions",
    errno.EPERM: "the system does not permit it; choose another place",
    errno.EROFS: "the file system is read-only; write elsewhere",
    errno.ENOENT: "no such file or folder; check the name",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the name",
    errno.EISDIR: "it is a folder, not a file; check the name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EIO: "the device failed to read or write; check the disk",
    errno.EMFILE: "too many open files; raise the limit with ulimit -n",
}
OUT_OF_MEMORY = "not enough memory for frames of this size; use smaller frames or a machine with more"
OUT_OF_GPU_MEMORY = "not enough GPU memory for frames of this size; use smaller frames, or --device cpu"


def explain(error: Exception) -> str | None:
    """One sentence for the user: what went wrong and what to do; None where it is a mistake in our code."""
    if isinstance(error, UserError):
        return str(error)
    if out_of_gpu_memory(error):
        return OUT_OF_GPU_MEMORY
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.errno in REMEDIES:
        where = f"{error.filename}: " if error.filename else ""
        return where + REMEDIES[error.errno]
    return None


def out_of_gpu_memory(error: Exception) -> bool:
    torch = sys.modules.get("torch")  # where torch was not needed yet, it is not to blame
    return torch is not None and isinstance(error, torch.OutOfMemoryError)
