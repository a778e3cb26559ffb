"""What can be wrong with the files a user names."""

import errno

from vdeblur_fast.errors import UserError


class InputError(UserError):
    """The input cannot be read as a video: missing, no video, damaged beyond use, nothing in the span."""


class OutputError(UserError):
    """The output cannot be written: it exists, the folder is closed, the disk full, the format unfit."""


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def output_error(error: OSError, path) -> OutputError:
    """The sentence for what the system says about writing to `path`."""
    if error.errno in FULL:
        return OutputError(f"the disk is full: {path} could not be finished and was removed; free some space")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"{path.parent} is not writable; choose another folder for the output")
    if error.errno == errno.ENOTDIR:
        return OutputError(f"{path.parent} is a file, not a folder; choose another name for the output")
    if error.errno == errno.ENOENT and not path.parent.is_dir():
        return OutputError(f"the folder {path.parent} does not exist; make it first or choose another one")
    return OutputError(f"{path} cannot be written: {error.strerror or error}")
